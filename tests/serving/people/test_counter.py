"""Counts of drawn videos are exact where nobody hides, and whatever stops the work, what was counted is kept."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest

import mtl_keras as mtl
from mtl_keras.faces.detectors import Detector
from mtl_keras.faces.geometry import LANDMARKS, Face
from mtl_keras.portraits.scenes import LINE, ZONE
from mtl_keras.serving.people.counter import PeopleCounter, count_people
from mtl_keras.serving.people.settings import CountSettings

FILES = {"people.csv", "minutes.csv", "summary.json", "visitors.png", "ages.png", "answers.png", "annotated.mp4"}


@pytest.fixture(scope="module")
def counted(walking_by, tiny_backbone, tmp_path_factory):
    """The summary and the folder of a count with a model."""
    model = mtl.MultiTaskModel([mtl.AGE, mtl.GENDER, mtl.HEAD_POSE], tiny_backbone, shared_units=(4,))
    out = tmp_path_factory.mktemp("counted") / "out"
    return count_people(walking_by, model, out, CountSettings(line=LINE)), out


def test_visitors_and_crossings_are_exact(counted):
    summary, out = counted
    assert (summary["visitors"], summary["line"]) == (3, {"entered": 2, "left": 1})
    assert (summary["ended"], summary["frames"], summary["broken_frames"]) == ("complete", 132, 0)
    assert summary == json.loads((out / "summary.json").read_text())
    assert {path.name for path in out.iterdir()} == FILES


def test_a_row_a_person_says_when_and_what(counted):
    people = pd.read_csv(counted[1] / "people.csv")
    assert people["person"].tolist() == [1, 2, 3]
    # The paths say that each needs four seconds from edge to edge, and less between being found and lost.
    assert people["seconds"].between(2.8, 4).all()
    for row, middle in zip(people.itertuples(), (2, 6, 9), strict=True):
        assert (row.first_seen + row.last_seen) / 2 == pytest.approx(middle, abs=0.35)
    assert people["entered"].tolist() == [1, 0, 1] and people["left"].tolist() == [0, 1, 0]
    assert (people["looks"] >= 1).all() and people["reliable"].all() and (people["frames"] > 30).all()
    assert people["age.value"].between(0, 116).all() and (people["age.spread"] >= 0).all()
    assert people["gender.class"].isin(["male", "female"]).all() and people["gender.agreement"].between(0.5, 1).all()
    assert {"head_pose.yaw.value", "head_pose.yaw.spread"} <= {*people}
    minutes = pd.read_csv(counted[1] / "minutes.csv")
    assert minutes[["minute", "new", "entered", "left"]].to_numpy().tolist() == [[0, 3, 2, 1]]


def test_faces_in_the_drawn_video_are_hidden_unless_asked(counted, walking_by, tmp_path):
    _, out = counted
    count_people(walking_by, None, tmp_path / "shown", CountSettings(show_faces=True, stop_after=3))
    pictures = []
    for path in (walking_by, out / "annotated.mp4", tmp_path / "shown" / "annotated.mp4"):
        video = cv2.VideoCapture(str(path))
        frames = [video.read()[1] for _ in range(25)]
        # In frame 24 the face of the first, of 70 pixels, is in the middle, 130 pixels from above.
        pictures.append(frames[24][110:150, 222:238].astype(float))
    original, hidden, shown = pictures
    assert np.abs(shown - original).mean() < 8 and np.abs(hidden - original).mean() > 16


def test_time_in_a_zone_and_a_line_at_the_counter(waiting):
    counter = PeopleCounter(waiting, None, None, CountSettings(line=LINE, zone=ZONE, every=2))
    rows = []
    counter._visitors._complete = rows.append
    summary = counter.run()
    assert summary["visitors"] == 3 and summary["line"] == {"entered": 1, "left": 1}
    times = sorted(visitor.zone_seconds for visitor in rows)
    # One is far from it; one walks 80 of 120 pixels a second on either side of waiting four seconds; one stays.
    assert times[0] == 0 and times[1] == pytest.approx(4 + 2 * 80 / 120, abs=0.6)
    assert times[2] == pytest.approx(10, abs=0.6)
    assert summary["zone"]["people"] == 2


def test_fewer_frames_count_the_same_people(walking_by):
    summary = count_people(walking_by, settings=CountSettings(line=LINE, every=2))
    assert (summary["frames"], summary["visitors"], summary["line"]) == (66, 3, {"entered": 2, "left": 1})


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_was_counted_is_kept_whatever_stops_it(walking_by, tmp_path, error):
    def told(counter):
        if counter.summary["seconds"] > 6:
            raise error

    counter = PeopleCounter(walking_by, None, tmp_path, CountSettings(line=LINE, every=2))
    with pytest.raises(error):
        counter.run(told)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["ended"] == "stopped" and summary["visitors"] == len(pd.read_csv(tmp_path / "people.csv")) == 2
    assert pd.read_csv(tmp_path / "minutes.csv")["new"].sum() == 2
    video = cv2.VideoCapture(str(tmp_path / "annotated.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == summary["frames"]


def test_rows_are_on_disk_as_soon_as_somebody_left(walking_by, tmp_path):
    counter, lines = PeopleCounter(walking_by, None, tmp_path, CountSettings(every=2, stop_after=7)), []
    counter.run(lambda counter: lines.append(len((tmp_path / "people.csv").read_text().splitlines())))
    # A person who left at about four seconds is forgotten two seconds later.
    assert lines[0] == 1 and lines[int(6.5 * 6)] == 2


def test_whoever_comes_back_is_one_person(walking_by):
    class BySize:
        """Features that tell people apart by the size of their faces: the first and the last are alike."""

        def __call__(self, pixels, faces):
            return [np.array([1.0, 0.0] if face.box[2] > 38 else [0.0, 1.0]) for face in faces]

    counter = PeopleCounter(walking_by, None, None, CountSettings(line=LINE, every=2))
    counter._recognize = BySize()
    summary = counter.run()
    assert summary["visitors"] == 2 and summary["line"] == {"entered": 2, "left": 1} and summary["joined_again"]


class Many(Detector):
    """A detector that finds the same faces for ever, each for thirty frames, in another place than the last."""

    def detect(self, images):
        """Return the face of this frame."""
        number = Many.frame = getattr(Many, "frame", -1) + 1
        x, y = 40 + 37 * (number // 30) % 400, 30 + 53 * (number // 30) % 180
        return [[Face((x, y, 30, 30), 0.95, {name: (float(x), float(y)) for name in LANDMARKS})]]


def test_memory_does_not_grow_with_the_people_who_left(waiting):
    """Everything that is kept of people in a count of a thousand frames is bounded by those who are there."""
    counter = PeopleCounter(waiting, None, None, CountSettings(detector=Many()))
    frame = next(iter(counter._video))
    for number in range(3000):
        counter._count(frame._replace(seconds=number / 12), counter._see(frame.pixels))
    assert counter.summary["visitors"] > 80
    kept = (counter._visitors.here, counter._tracker.seen, counter._tracker._tracker.tracks)
    assert max(map(len, kept)) < 5


def test_wrong_settings_are_one_line(one_line, walking_by, tmp_path):
    for settings, says in (
        ({"every": 0}, "every 0"),
        ({"stop_after": 0}, "stop_after 0"),
        ({"same_person": 0}, "same_person 0"),
        ({"line": (1, 2)}, "line 1,2"),
    ):
        with one_line(says):
            CountSettings(**settings)
    (tmp_path / "file").touch()
    with one_line("is a file; expected a folder"):
        count_people(walking_by, None, tmp_path / "file")
