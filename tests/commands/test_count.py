"""`mtl-keras count` prints what was counted and writes its files; mistakes are one line."""

import json
from pathlib import Path

import pytest

from mtl_keras.commands.count import model_of as asked
from mtl_keras.commands.counting import Count
from mtl_keras.errors import UserError
from mtl_keras.portraits.scenes import one_by_one
from mtl_keras.serving import bundled
from mtl_keras.serving.people.counter import PeopleCounter


@pytest.fixture(autouse=True)
def no_bundled_model(monkeypatch, tmp_path):
    """Whether a model comes with this copy of the package shall not matter."""
    monkeypatch.setattr(bundled, "FOLDER", tmp_path / "none")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Three people walk by one after the other."""
    return one_by_one(1).scene.write(tmp_path_factory.mktemp("video") / "shop.mp4")


def test_people_are_counted(run, video, tiny_folder, tmp_path):
    about = json.loads((tiny_folder / "model.json").read_text())
    (tiny_folder / "model.json").write_text(json.dumps({**about, "on_request": ["ethnicity"]}))
    out = tmp_path / "out"
    places = ("--line", "240,0,240,270", "--zone", "320,0,479,0,479,269,320,269")
    code, printed, errors = run("count", video, "--model", tiny_folder, *places, "--out", out, "--every", 2)
    assert code == 0, errors
    assert "visitors: 3\n" in printed and "line: 2 entered, 1 left\n" in printed and "zone: 3 people" in printed
    assert json.loads((out / "summary.json").read_text())["visitors"] == 3
    written = (out / "people.csv").read_text()
    assert "gender.class" in written.splitlines()[0] and "ethnicity" not in written and "asian" not in written
    assert "ethnicity" not in (out / "summary.json").read_text()


def test_without_a_model_that_of_the_package_answers_unless_nobody_shall(exported, video, tmp_path, monkeypatch):
    monkeypatch.setattr(bundled, "FOLDER", exported("keras"))
    assert asked(Count("shop.mp4")) == exported("keras") and asked(Count("shop.mp4", model=Path("none"))) is None
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    assert asked(Count("shop.mp4")) is None
    for options in (Count("shop.mp4", tasks=("age",)), Count("shop.mp4", model=Path("none"), tasks=("age",))):
        with pytest.raises(UserError):
            asked(options)


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
        (("--model", "nowhere"), "nowhere: no such folder"),
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
    (tmp_path / "text.mp4").write_text("no video")
    code, printed, errors = run("count", tmp_path / "text.mp4", "--model", "none")
    assert code == 2 and "error: " in errors and not printed
