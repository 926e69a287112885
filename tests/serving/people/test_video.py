"""Every frame comes once and in order, and broken frames, breaks of a stream and wrong names are survived."""

import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from PIL import Image

from mtl_keras.errors import UserError
from mtl_keras.portraits.scenes import one_by_one
from mtl_keras.serving.people import video as module
from mtl_keras.serving.people.video import Video, ahead


def test_all_frames_come_in_order_with_their_times(walking_by):
    with Video(walking_by) as video:
        frames = list(video)
    assert [frame.number for frame in frames] == list(range(132))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(132) / 12)
    assert (video.name, video.length, video.live, video.broken) == ("one by one.mp4", 132, False, 0)
    expected, _ = one_by_one().scene.frame(30)
    assert np.abs(frames[30].pixels.astype(int) - expected).mean() < 4, "red stays red"


def test_one_of_several_frames(walking_by):
    with Video(walking_by, every=5) as video:
        numbers = [(frame.number, round(frame.seconds * 12)) for frame in video]
    assert numbers == [(number, number) for number in range(0, 132, 5)]
    assert video.broken == 0


def test_a_file_that_is_cut_off_or_damaged_is_read_as_far_as_it_goes(walking_by, tmp_path):
    whole = bytearray(walking_by.read_bytes())
    where = whole.index(b"mdat")
    damaged = whole.copy()
    size = int.from_bytes(whole[where - 4 : where], "big")
    damaged[where + size // 2 : where + size // 2 + size // 20] = bytes(size // 20)
    (tmp_path / "damaged.mp4").write_bytes(damaged)
    with Video(tmp_path / "damaged.mp4") as video:
        frames = list(video)
    assert len(frames) + video.broken == 132 and len(frames) > 100
    seconds = [frame.seconds for frame in frames]
    assert seconds == sorted(seconds) and seconds[-1] > 10


def test_frames_that_cannot_be_decoded_are_passed_over_and_counted(walking_by, monkeypatch):
    with Video(walking_by) as video:
        reads = iter(range(1000))
        read = video._read
        monkeypatch.setattr(video, "_read", lambda wanted: (read(wanted), None)[next(reads) in (20, 21, 50)])
        # What could not be decoded was read all the same, so its place in time is kept.
        numbers = [frame.number for frame in video]
    assert numbers == [number for number in range(132) if number not in (20, 21, 50)]
    assert video.broken == 3


def test_a_file_that_does_not_say_how_long_it_is_is_read_once(walking_by, monkeypatch):
    with Video(walking_by) as video:
        video.length = None  # as of a recording that broke off
        assert not video.live and len([*video]) == 132 and video.broken == video.breaks == 0


def test_times_are_those_that_a_file_says(walking_by, monkeypatch):
    with Video(walking_by) as video:
        # As of MPEG transport streams, of which the rate and the number of frames are guesses.
        video.frame_rate, video.length = 2 * video.frame_rate, 2 * video.length - 1
        seconds = [frame.seconds for frame in video]
    with Video(walking_by) as whole:
        np.testing.assert_allclose(seconds[1:], np.arange(1, 132) / whole.frame_rate, atol=1e-3)
    assert video.broken == 0


def test_a_video_without_frames_and_places_that_are_none_are_one_line(tmp_path, one_line):
    (tmp_path / "text.mp4").write_text("no video")
    # FFmpeg shows text as a terminal would, and an image as a video of one frame.
    (tmp_path / "help.txt").write_text("no video\n" * 99)
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.jpg")
    for place, says in (
        (tmp_path / "help.txt", "help.txt: cannot be opened as a video"),
        (tmp_path / "photo.jpg", "photo.jpg: is an image; expected a video"),
        (tmp_path / "text.mp4", "cannot be opened as a video"),
        (tmp_path / "none.mp4", "no such file"),
        ("http://user:secret@127.0.0.1:9/stream?key=1", "^http://127.0.0.1:9/stream: cannot be opened"),
        (99, "webcam 99: cannot be opened"),
        (2.5, "expected a file"),
    ):
        with one_line(says):
            Video(place)


class Quiet(SimpleHTTPRequestHandler):
    """A web server that prints nothing."""

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def served(tmp_path):
    """The address of a short video on a web server."""
    video = cv2.VideoWriter(str(tmp_path / "short.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(20):
        video.write(np.full((48, 64, 3), 10 * number, "uint8"))
    video.release()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    threading.Thread(target=partial(server.serve_forever, 0.01), daemon=True).start()
    yield f"http://user:secret@127.0.0.1:{server.server_address[1]}/short.avi?key=1"
    server.shutdown()


def test_an_address_is_read_and_its_password_is_not_told(served):
    with Video(served) as video:
        assert len(list(video)) == 20
    assert "secret" not in video.name and "key" not in video.name and video.name.startswith("http://127.0.0.1")


def test_a_stream_that_breaks_off_is_asked_again_and_ends_when_it_stays_away(walking_by, monkeypatch):
    monkeypatch.setattr(module, "PAUSES", (0.01, 0.01))
    with Video(walking_by) as video:
        video.length, video.live = None, True  # as of a camera, of which nobody knows the end
        opened = [video._opened(), None, None]
        monkeypatch.setattr(video, "_opened", lambda: opened.pop(0) if opened else None)
        frames = list(video)
    assert video.breaks == 1 and len(frames) + video.missed == 2 * 132


def test_of_a_live_stream_old_frames_make_room_for_new_ones():
    missed = []

    def camera():
        for number in range(25):
            time.sleep(0.01)
            yield number

    seen = []
    for number in ahead(camera(), 2, lambda: missed.append(1)):
        seen.append(number)
        time.sleep(0.12)
    assert seen[-1] == 24 and seen == sorted(seen) and len(seen) + len(missed) == 25 and missed


def test_an_error_in_the_thread_is_heard_and_the_thread_ends_with_its_reader():
    def broken():
        yield 1
        raise UserError("of the thread")

    with pytest.raises(UserError, match="of the thread"):
        list(ahead(broken()))
    before = threading.active_count()
    items = ahead(iter_forever())
    assert next(items) == 0
    items.close()
    assert threading.active_count() == before


def iter_forever():
    """Count without an end."""
    number = 0
    while True:
        yield number
        number += 1


def test_images_one_after_the_other_are_a_video(tmp_path):
    pictures = [Image.new("RGB", (64, 48), (level, level, level)) for level in (0, 90, 180)]
    pictures[0].save(tmp_path / "three.gif", save_all=True, append_images=pictures[1:])
    for picture in pictures:
        picture.save(tmp_path / "one.jpg")
        with (tmp_path / "three.mjpeg").open("ab") as file:
            file.write((tmp_path / "one.jpg").read_bytes())
    for name in ("three.gif", "three.mjpeg"):
        assert len([*Video(tmp_path / name)]) == 3
