"""`mtl-keras count` prints what was counted and writes its files; mistakes are one line."""

import json

import pytest

from mtl_keras.portraits.scenes import one_by_one
from mtl_keras.serving.people.counter import PeopleCounter


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Three people walk by one after the other."""
    return one_by_one(1).scene.write(tmp_path_factory.mktemp("video") / "shop.mp4")


def test_people_are_counted(run, video, tiny_folder, tmp_path):
    out = tmp_path / "out"
    places = ("--line", "240,0,240,270", "--zone", "320,0,479,0,479,269,320,269")
    code, printed, errors = run("count", video, "--model", tiny_folder, *places, "--out", out, "--every", 2)
    assert code == 0, errors
    assert "visitors: 3\n" in printed and "line: 2 entered, 1 left\n" in printed and "zone: 3 people" in printed
    assert json.loads((out / "summary.json").read_text())["visitors"] == 3
    assert "gender.class" in (out / "people.csv").read_text().splitlines()[0]


def test_ctrl_c_prints_and_keeps_what_was_counted(run, video, tmp_path, monkeypatch):
    count = PeopleCounter._count

    def interrupted(counter, frame, sightings):
        if frame.number == 60:
            raise KeyboardInterrupt
        count(counter, frame, sightings)

    monkeypatch.setattr(PeopleCounter, "_count", interrupted)
    code, printed, errors = run("count", video, "--out", tmp_path)
    assert code == 130 and errors.splitlines()[-1] == "interrupted: what was counted until then is kept in --out DIR"
    assert "visitors: 2\n" in printed and len((tmp_path / "people.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--line", "1,2,x,4"), "--line 1,2,x,4: expected numbers with commas"),
        (("--zone", "1,2,3,4"), "zone 1,2,3,4: expected X1,Y1"),
        (("--reidentify", "nowhere.h5"), "weights 'nowhere.h5': no such file"),
        (("--model", "nowhere"), "nowhere: no model.keras"),
        (("--detector", "eyes"), "unknown detector 'eyes'"),
    ],
)
def test_a_mistake_is_one_line(run, video, arguments, says):
    code, _, errors = run("count", video, *arguments)
    assert code == 2 and errors.splitlines()[-1].startswith(f"error: {says}")


def test_a_video_that_is_none_is_one_line(run, tmp_path):
    code, printed, errors = run("count", tmp_path / "none.mp4")
    assert code == 2 and "no such file; expected a video file" in errors and not printed
    code, printed, errors = run("count", tmp_path)
    assert code == 2 and f"error: {tmp_path}: is a folder; expected a video file" in errors and not printed
