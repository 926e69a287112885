import threading

import pytest

from mtl_keras.data.images import decode
from mtl_keras.serving.page.limits import Limits, RefusedError


def test_photos_of_all_requests_are_answered_as_the_predictor_answers_them(working, predictor, drawn):
    worker = working()
    photos = [[drawn[0].contents], [drawn[1].contents, b"no image", drawn[2].contents], [drawn[3].contents[:999]]]
    found = [future.result(20) for future in [worker.submit(each, "crop") for each in photos]]
    assert [[bool(answer.error) for answer in answers] for answers in found] == [[False], [False, True, False], [True]]
    expected = predictor(decode(drawn[2].contents).pixels)
    assert found[1][2].people[0].answers == expected[0].answers
    assert "truncated" in found[2][0].error and "/" not in found[2][0].error


def test_requests_of_many_pixels_do_not_wait_for_each_other(working, predictor, drawn):
    batches, go = [], threading.Event()

    class Noted:
        def found(self, photos):
            go.wait()
            batches.append(len(photos))
            return predictor.found(photos)

    worker = working(given=lambda faces: Noted())
    futures = [worker.submit([drawn[0].contents], "crop", pixels) for pixels in (40_000_000, *[16_000_000] * 5)]
    go.set()
    assert all(future.result(20)[0].people for future in futures)
    assert batches == [1, 2, 2, 1]


def test_whatever_goes_wrong_in_one_batch_the_next_is_answered(working, predictor, drawn):
    faults = iter([RuntimeError("out of memory")])

    def given(faces):
        if fault := next(faults, None):
            raise fault
        return predictor

    worker = working(given=given)
    with pytest.raises(RuntimeError):
        worker.submit([drawn[0].contents], "crop").result(20)
    assert worker.submit([drawn[0].contents], "crop").result(20)[0].people and worker.is_alive


def test_a_request_that_was_given_up_is_passed_over(working, predictor, drawn):
    go, asked = threading.Event(), []

    def given(faces):
        go.wait()
        asked.append(faces)
        return predictor

    worker = working(given=given)
    first = worker.submit([drawn[0].contents], "detect")
    while not first.running():
        pass
    assert worker.submit([drawn[0].contents], "crop").cancel()
    go.set()
    first.result(20)
    worker.close()
    assert asked == ["detect"]


def test_places_are_bounded_and_given_back(working):
    worker = working(Limits(waiting=2))
    with worker.place(), worker.place():
        with pytest.raises(RefusedError) as caught, worker.place():
            pass
        assert (caught.value.status, caught.value.retry, worker.taken) == (503, 2, 2)
    assert worker.taken == 0
