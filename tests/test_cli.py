"""The command: what it prints and writes, and that a user's mistake is one line and exit code 2."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_keras import cli, export
from mtl_keras.data.audit import check_images
from mtl_keras.datasets.rendered import rendered
from mtl_keras.errors import UserError
from mtl_keras.evaluate import by_group, figures, predictions
from mtl_keras.tasks import EYEGLASSES, TASKS
from mtl_keras.trainer import MultiTaskModel


def assert_mistake(outcome: tuple[int, str, str], *words: str) -> None:
    """That the outcome is exit code 2 and one line, with these words, after whatever was noted on the way."""
    code, _, errors = outcome
    (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert code == 2 and errors.endswith(f"{line}\n") and "Traceback" not in errors
    for word in words:
        assert word in line


# === Every command ===


def test_a_mistake_is_one_line_and_exit_code_2(capsys):
    def mistaken():
        raise UserError("got 3,\n expected 4")

    with pytest.raises(SystemExit) as stopped:
        cli.guarded(mistaken)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: got 3, expected 4\n"


def test_an_interruption_is_no_traceback_and_a_bug_is_one(capsys):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stopped:
        cli.guarded(interrupted)
    assert stopped.value.code == 130 and capsys.readouterr().err == "interrupted\n"
    # What no user can mend must not be hidden.
    with pytest.raises(ZeroDivisionError):
        cli.guarded(lambda: 1 / 0)
    assert cli.guarded(lambda: None) is None


@pytest.mark.parametrize("command", ["", "list", "evaluate", "predict", "render", "crop", "audit", "pack"])
def test_help_shows_an_example(run, command):
    code, out, _ = run(*command.split(), "--help")
    assert code == 0
    assert f"Example: mtl-keras {command}" in out


def test_as_a_program(tmp_path):
    program = [sys.executable, "-m", "mtl_keras.cli", "predict", str(tmp_path), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    done = subprocess.run(program, capture_output=True, text=True, env=environment, timeout=300)
    assert_mistake((done.returncode, done.stdout, done.stderr), "holds no images")
    assert done.stdout == ""


# === list ===


def test_lists_print_one_name_a_line(run):
    assert run("list", "tasks")[1].split("\n") == [*TASKS, ""]
    assert run("list", "formats")[1] == "keras\n"
    backbones = run("list", "backbones")[1].split()
    assert "facenet" in backbones and "features" not in backbones
    assert "hard" in run("list", "sharing")[1] and "equal" in run("list", "weightings")[1]
    assert run("list", "cakes")[0] == 2


# === evaluate ===


def test_evaluate_gives_the_figures_of_the_package(run, tiny_model, tiny_folder, faces_folder, tmp_path):
    file = tmp_path / "new" / "figures.json"
    code, out, _ = run("evaluate", tiny_folder, "--dataset", "rendered", "--data", faces_folder, "--json", file)
    assert code == 0
    answers = predictions(tiny_model, check_images(rendered(faces_folder)))
    expected, written = figures(answers, tiny_model.tasks), json.loads(file.read_text())
    assert list(written) == ["dataset", "images", "skipped", "tasks", "groups"]
    assert (written["dataset"], written["images"], written["skipped"]) == ("rendered", 30, 0)
    assert written["tasks"].keys() == {"age", "gender", "ethnicity", "head_pose"}
    assert list(written["tasks"]["age"]) == ["n", "mae", "rmse", "cs5", "ci95"]
    assert list(written["tasks"]["gender"]) == ["n", "accuracy", "macro_f1", "ci95"]
    for task, found in written["tasks"].items():
        assert found["n"] == 30 and found["ci95"].keys() == found.keys() - {"n", "ci95"}
        for metric, bounds in found["ci95"].items():
            assert found[metric] == pytest.approx(expected[f"{task}.{metric}"], rel=1e-4)
            assert bounds == pytest.approx([expected[f"{task}.{metric}.{end}"] for end in ("low", "high")], rel=1e-4)
    assert list(written["groups"]) == ["gender", "ethnicity", "age_band", "gender x ethnicity x age_band"]
    for key, rows in written["groups"].items():
        table = by_group(answers, tiny_model.tasks, key.split(" x "))
        assert [list(row) for row in rows] == [[*table.columns]] * len(table)
        assert [row["n"] for row in rows] == table["n"].tolist() and sum(row["n"] for row in rows) == 30
        np.testing.assert_allclose([row["age.mae"] for row in rows], table["age.mae"], rtol=1e-4)
    # What stands on the screen is the same.
    assert out.startswith("rendered: 30 images, 0 skipped\n") and "\b" not in out
    (line,) = [line for line in out.splitlines() if line.strip().startswith("age MAE")]
    low, high = (expected[f"age.mae.{end}"] for end in ("low", "high"))
    assert line.split()[2:] == ["30", f"{expected['age.mae']:.2f}", f"[{low:.2f},", f"{high:.2f}]"]
    assert "female" in out and "asian" in out


def test_evaluate_measures_what_the_data_labels(run, tiny_folder, faces_folder, tmp_path):
    for name in sorted(os.listdir(faces_folder))[:6]:
        if name.endswith(".jpg"):
            (tmp_path / "data").mkdir(exist_ok=True)
            (tmp_path / "data" / name).write_bytes((faces_folder / name).read_bytes())
    (tmp_path / "data" / "30_0_1_20170116174525125.jpg.chip.jpg").write_bytes(b"no image")
    (tmp_path / "data" / "holiday.jpg").write_bytes(b"no image")
    command = ("evaluate", tiny_folder, "--dataset", "utkface", "--data", tmp_path / "data", "--views", "mirror")
    code, out, errors = run(*command, "--json", tmp_path / "figures.json")
    written = json.loads((tmp_path / "figures.json").read_text())
    assert code == 0 and (written["images"], written["skipped"]) == (6, 2)
    assert written["tasks"].keys() == {"age", "gender", "ethnicity"}, "these file names tell no head pose"
    skipped = [line for line in errors.splitlines() if line.startswith("skipped ")]
    assert len(skipped) == 2 and "not a JPEG" in skipped[1] and "6 images, 2 skipped" in out


def test_evaluate_tells_mistakes(run, tiny_folder, tiny_backbone, faces_folder, tmp_path):
    data = ("--data", faces_folder)
    unknown = run("evaluate", tiny_folder, "--dataset", "cats", *data)
    assert_mistake(unknown, "unknown dataset 'cats'; expected one of adience, ")
    assert_mistake(run("evaluate", tmp_path / "gone", "--dataset", "rendered", *data), "gone", "no model.keras in it")
    missing = run("evaluate", tiny_folder, "--dataset", "rendered", "--data", tmp_path / "gone")
    assert_mistake(missing, "gone: no such folder")
    (tmp_path / "empty").mkdir()
    empty = run("evaluate", tiny_folder, "--dataset", "utkface", "--data", tmp_path / "empty")
    assert_mistake(empty, "holds no image files")
    other = export.save(MultiTaskModel([EYEGLASSES], tiny_backbone, shared_units=(4,)), tmp_path / "other")
    unlabelled = run("evaluate", other, "--dataset", "utkface", *data)
    assert_mistake(unlabelled, "labels none of the model's tasks (eyeglasses)")
    (tmp_path / "folder").mkdir()
    unwritable = run("evaluate", tiny_folder, "--dataset", "utkface", *data, "--json", tmp_path / "folder")
    assert_mistake(unwritable, "folder: cannot be written")
    assert "age MAE" in unwritable[1], "the figures are not lost"


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_damaged_models_are_named(run, tiny_folder, faces_folder, command):
    arguments = [faces_folder] if command == "predict" else ["--dataset", "rendered", "--data", faces_folder]
    whole = (tiny_folder / "model.keras").read_bytes()
    (tiny_folder / "model.keras").write_bytes(whole[:1000])
    assert_mistake(run(command, tiny_folder, *arguments), "model.keras: cannot be read")
    (tiny_folder / "model.keras").write_bytes(whole)
    (tiny_folder / "model.json").write_text('{"format": 1')
    assert_mistake(run(command, tiny_folder, *arguments), "model.json: damaged")


def test_numbers_that_json_cannot_hold_become_null(tmp_path):
    value = {"a": np.float32(1.5), "b": [np.nan, np.int64(3), float("inf")], "c": (None, "text", True)}
    cli.write_json(value, tmp_path / "file.json")
    assert json.loads((tmp_path / "file.json").read_text()) == {
        "a": 1.5,
        "b": [None, 3, None],
        "c": [None, "text", True],
    }


# === predict ===


def test_predict_writes_one_object_an_image_and_a_drawing_of_each(run, tiny_folder, faces_folder, tmp_path):
    photos, drawn, file = tmp_path / "photos", tmp_path / "drawn", tmp_path / "people.json"
    (photos / "below").mkdir(parents=True)
    first, second = sorted(path for path in faces_folder.iterdir() if path.suffix == ".jpg")[:2]
    (photos / "one.jpg").write_bytes(first.read_bytes())
    (photos / "broken.jpg").write_bytes(first.read_bytes()[:500])
    Image.open(second).save(photos / "below" / "one.png")
    arguments = ("--faces", "crop", "--json", file, "--draw", drawn)
    code, out, _ = run("predict", tiny_folder, photos, *arguments)
    assert code == 0
    written = json.loads(file.read_text())
    assert [entry["path"] for entry in written] == [
        str(photos / name) for name in ("below/one.png", "broken.jpg", "one.jpg")
    ]
    assert all(list(entry) == ["path", "error", "people"] for entry in written)
    assert [len(entry["people"]) for entry in written] == [1, 0, 1]
    assert "damaged" in written[1]["error"]
    (person,) = written[0]["people"]
    assert list(person) == ["box", "confidence", "landmarks", "age", "gender", "ethnicity", "head_pose"]
    lines = out.splitlines()
    assert len(lines) == 3 and f"{photos / 'broken.jpg'}: error: " in lines[1]
    assert lines[0].startswith(f"{photos / 'below' / 'one.png'}: [0,0,64,64] age {round(person['age']['value'])} ± ")
    assert person["gender"]["class"] in lines[0]
    found = sorted(path.relative_to(drawn).as_posix() for path in drawn.rglob("*") if path.is_file())
    assert found == ["below/one.png", "one.jpg"]
    for name, kind in (("below/one.png", "PNG"), ("one.jpg", "JPEG")):
        with Image.open(drawn / name) as picture:
            assert picture.format == kind and picture.size == (480, 480)


def test_predict_finds_no_face_where_there_is_none(run, tiny_folder, tmp_path):
    Image.new("RGB", (90, 60), "navy").save(tmp_path / "nobody.png")
    code, out, _ = run("predict", tiny_folder, tmp_path / "nobody.png", "--json", tmp_path / "people.json")
    assert (code, out) == (0, f"{tmp_path / 'nobody.png'}: no face found\n")
    assert json.loads((tmp_path / "people.json").read_text())[0]["people"] == []


def test_predict_tells_mistakes(run, tiny_folder, faces_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    assert_mistake(run("predict", tiny_folder), "no images given")
    assert_mistake(run("predict", tiny_folder, tmp_path / "empty"), "empty: holds no images")
    assert_mistake(run("predict", tiny_folder, tmp_path / "gone.jpg"), "gone.jpg: no such file or folder")
    assert_mistake(run("predict", tmp_path / "gone", faces_folder), "gone: no model.keras in it")
    assert run("predict", tiny_folder, faces_folder, "--faces", "whole")[0] == 2
    file = tmp_path / "people.json"
    alone = run("predict", tiny_folder, broken, "--json", file, "--faces", "crop")
    assert_mistake(alone, f"{broken}: not a JPEG, PNG or BMP image")
    assert json.loads(file.read_text())[0]["error"], "the file is written all the same"
    (tmp_path / "empty.png").touch()
    several = run("predict", tiny_folder, broken, tmp_path / "empty.png")
    assert_mistake(several, "none of 2 images can be used", "broken.jpg: not a JPEG")


def test_drawings_replace_no_image(run, tiny_folder, faces_folder, tmp_path):
    path = tmp_path / "face.jpg"
    path.write_bytes(next(faces_folder.glob("*.jpg")).read_bytes())
    before = path.read_bytes()
    assert_mistake(run("predict", tiny_folder, path, "--faces", "crop", "--draw", tmp_path), "would replace an image")
    assert_mistake(run("predict", tiny_folder, path, "--faces", "crop", "--draw", path), "is a file")
    assert path.read_bytes() == before
    # An image that is named although its name does not say what it is gets a drawing that says so.
    path.rename(tmp_path / "face")
    assert run("predict", tiny_folder, tmp_path / "face", "--faces", "crop", "--draw", tmp_path / "drawn")[0] == 0
    assert os.listdir(tmp_path / "drawn") == ["face.png"]


# === render ===


def test_render_draws_faces(run, tmp_path):
    out = tmp_path / "faces"
    code, printed, _ = run("render", "--out", out, "--count", 3, "--seed", 1, "--size", 32, "--layout", "utkface")
    assert code == 0 and printed == f"3 faces in {out}\n"
    assert len(rendered(out)) == 3
    assert_mistake(run("render", "--out", out, "--count", 0), "count 0: expected at least one")
