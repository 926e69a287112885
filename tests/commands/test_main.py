"""The command: what it prints and writes, and that a user's mistake is one line and exit code 2."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skimage.data
from PIL import Image

from mtl_keras.commands import main
from mtl_keras.commands.options import COMMANDS
from mtl_keras.commands.text import scores_as_text, write_json
from mtl_keras.data.audit import check_images
from mtl_keras.datasets.rendered import rendered
from mtl_keras.evaluation.groups import by_group
from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.faces.folder import read_crops
from mtl_keras.faces.mtcnn import FaceDetector
from mtl_keras.faces.yunet import YuNet
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.writer import write_faces
from mtl_keras.tasks import AGE_GROUP, EYEGLASSES, GENDER, PERSON_KEYS, SMILE, TASKS
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel


def assert_mistake(outcome: tuple[int, str, str], *words: str) -> None:
    """That the outcome is exit code 2 and one line, with these words, after whatever was noted on the way."""
    assert_ended(outcome, 2, *words)


def assert_ended(outcome: tuple[int, str, str], expected: int, *words: str) -> None:
    """That the outcome is this exit code and one line, with these words, after whatever was noted on the way."""
    code, _, errors = outcome
    (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert code == expected and errors.endswith(f"{line}\n") and "Traceback" not in errors
    for word in words:
        assert word in line


# === Every command ===


@pytest.mark.parametrize("command", COMMANDS)
def test_an_interruption_tells_what_is_kept(run, monkeypatch, command, tmp_path):
    def interrupted(place):
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "imported", interrupted)
    needed = {
        "list": ["tasks"],
        "train": [],
        "evaluate": ["model", "--dataset", "utkface", "--data", tmp_path],
        "predict": ["model", tmp_path],
        "export": ["model", "--format", "onnx"],
        "count": ["shop.mp4"],
        "demo": ["model"],
    }.get(command, ["--out", tmp_path, *(["--dataset", "utkface", "--data", tmp_path] if command != "render" else [])])
    code, _, errors = run(command, *needed)
    assert code == 130 and errors == f"interrupted: {main.KEPT[COMMANDS[command]]}\n"


def test_figures_are_written_before_they_are_printed_and_nothing_else_is_said(faces_folder, tmp_path):
    model = MultiTaskModel([GENDER], "gender_eyeglasses")
    # As behind `| head`: nobody reads any more.
    reader, writer = os.pipe()
    os.close(reader)
    program = [
        sys.executable,
        "-m",
        "mtl_keras.commands.main",
        "evaluate",
        model_folder.save(model, tmp_path / "model"),
    ]
    arguments = ["--dataset", "utkface", "--data", faces_folder, "--json", tmp_path / "figures.json"]
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {"PYTHONPATH": str(Path(main.__file__).parents[2])}
    done = subprocess.run([*program, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(writer)
    assert json.loads((tmp_path / "figures.json").read_text())["images"] == 30 and done.returncode == 141
    # What is left are two progress bars.
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert all("checking images" in line or "/step" in line for line in lines), done.stderr


@pytest.mark.parametrize("columns", [None, 40, 80, 300])
def test_tables_fit_the_screen(monkeypatch, columns):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", str(columns))
    # Names of one length, so that columns are told apart by their first lines.
    names = [f"a_task_of_number_{number:02d}" for number in range(9)]
    cells = {f"{name}.accuracy": [number / 10, 0.5] for number, name in enumerate(names)}
    table = pd.DataFrame({"gender": ["female", "male"], "n": [3, 2], **cells})
    blocks = [block.splitlines() for block in scores_as_text(table, ["gender", "n"]).split("\n\n")]
    assert all(len(line) <= (columns or 80) for block in blocks for line in block)
    assert all([line.split()[0] for line in block] == ["gender", "female", "male"] for block in blocks)
    assert [cell for block in blocks for cell in block[1].split()[2:]] == [f"{10 * n:.2f}" for n in range(9)]
    assert len(blocks) == {None: 3, 40: 9, 80: 3, 300: 1}[columns]


@pytest.mark.parametrize("command", ["", "list", "train", "evaluate", "predict", "render", "crop", "audit", "pack"])
def test_help_shows_an_example(run, command):
    code, out, _ = run(*command.split(), "--help")
    assert code == 0
    assert f"Example: mtl-keras {command}" in out


# === list ===


def test_lists_print_one_name_a_line(run):
    assert run("list", "tasks")[1].split("\n") == [*TASKS, ""]
    assert run("list", "formats")[1].split() == ["keras", "savedmodel", "onnx", "litert", "openvino"]
    backbones = run("list", "backbones")[1].split()
    assert "facenet" in backbones and "features" not in backbones
    assert {"mobilenet_v3_small", "keras_applications/NAME"} <= {*backbones}
    assert "hard" in run("list", "sharing")[1] and "equal" in run("list", "weightings")[1]
    assert run("list", "presets")[1].split()[:2] == ["facenet_utk", "bknet_age_gender_smile"]
    assert run("list", "cakes")[0] == 2


# === evaluate ===


def test_evaluate_gives_the_figures_of_the_package(run, tiny_model, tiny_folder, faces_folder, tmp_path):
    file = tmp_path / "new" / "figures.json"
    code, out, _ = run("evaluate", tiny_folder, "--dataset", "rendered", "--data", faces_folder, "--json", file)
    assert code == 0
    answers = predictions(tiny_model, check_images(rendered(faces_folder)))
    expected, written = metrics_with_intervals(answers, tiny_model.tasks), json.loads(file.read_text())
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
    _, out, errors = outcome = run(*command, "--json", tmp_path / "figures.json")
    assert_ended(outcome, 1, "1 of 7 images could not be used", "30_0_1_20170116174525125.jpg")
    written = json.loads((tmp_path / "figures.json").read_text())
    assert (written["images"], written["skipped"]) == (6, 2)
    assert written["tasks"].keys() == {"age", "gender", "ethnicity"}, "these file names tell no head pose"
    skipped = [line for line in errors.splitlines() if line.startswith("skipped ")]
    assert len(skipped) == 2 and "not a JPEG" in skipped[1] and "6 images, 2 skipped" in out


def test_evaluate_says_how_many_images_are_for_training(run, tiny_folder, faces, tmp_path):
    note = "csv_file: 5 of 8 images are the set's own training images"
    for name, parts in (("own", ["train"] * 5 + ["test"] * 3), ("none", [None] * 8)):
        faces[["path", "gender"]][:8].assign(split=parts).to_csv(tmp_path / f"{name}.csv", index=False)
        code, _, errors = run("evaluate", tiny_folder, "--dataset", "csv_file", "--data", tmp_path / f"{name}.csv")
        assert code == 0 and (note in errors) == (name == "own")


def test_evaluate_tells_mistakes(run, tiny_folder, tiny_backbone, faces_folder, tmp_path):
    data = ("--data", faces_folder)
    unknown = run("evaluate", tiny_folder, "--dataset", "cats", *data)
    assert_mistake(unknown, "unknown dataset 'cats'; expected one of adience, ")
    assert_mistake(run("evaluate", tmp_path / "gone", "--dataset", "rendered", *data), "gone: no such folder")
    missing = run("evaluate", tiny_folder, "--dataset", "rendered", "--data", tmp_path / "gone")
    assert_mistake(missing, "gone: no such folder")
    (tmp_path / "empty").mkdir()
    empty = run("evaluate", tiny_folder, "--dataset", "utkface", "--data", tmp_path / "empty")
    assert_mistake(empty, "holds no image files")
    other = model_folder.save(MultiTaskModel([EYEGLASSES], tiny_backbone, shared_units=(4,)), tmp_path / "other")
    unlabelled = run("evaluate", other, "--dataset", "utkface", *data)
    assert_mistake(unlabelled, "labels none of the model's tasks (eyeglasses)")
    (tmp_path / "folder").mkdir()
    unwritable = run("evaluate", tiny_folder, "--dataset", "utkface", *data, "--json", tmp_path / "folder")
    assert_mistake(unwritable, "folder: cannot be written (is a folder; expected a file)")
    assert "checking images" not in unwritable[2], "before the work"
    labels = tmp_path / "labels.csv"
    labels.write_text("path,age\n")
    assert_mistake(run("evaluate", tiny_folder, "--dataset", "utkface", *data, "--json", labels), "other than JSON")
    assert labels.read_text() == "path,age\n"
    below = run("evaluate", tiny_folder, "--dataset", "utkface", *data, "--json", labels / "figures.json")
    assert_mistake(below, "figures.json: cannot be written (Not a directory)")


def test_evaluate_turns_ages_into_the_classes_of_the_model(run, tiny_backbone, faces_folder, tmp_path):
    model = MultiTaskModel([AGE_GROUP], tiny_backbone, shared_units=(4,))
    folder, file = model_folder.save(model, tmp_path / "groups"), tmp_path / "figures.json"
    code, out, _ = run("evaluate", folder, "--dataset", "utkface", "--data", faces_folder, "--json", file)
    answers, written = predictions(model, check_images(rendered(faces_folder))), json.loads(file.read_text())
    bounds = [(1, 13), (14, 23), (24, 39), (40, 55), (56, 80)]
    groups = [[f"{low}-{high}" for low, high in bounds if low <= age <= high] for age in answers["age"]]
    right = [[answer] == group for answer, group in zip(answers["age_group.class"], groups, strict=True) if group]
    assert code == 0 and written["images"] == 30 and list(written["tasks"]) == ["age_group"]
    assert 0 < len(right) < 30, "some ages are in no group"
    assert written["tasks"]["age_group"]["n"] == len(right) and f" {len(right)} " in out
    assert written["tasks"]["age_group"]["accuracy"] == pytest.approx(np.mean(right), abs=1e-6)
    # An age that is no number is named before any class is made of it.
    (tmp_path / "ages.csv").write_text(f"path,age\n{answers['path'][0]},old\n")
    assert_mistake(run("evaluate", folder, "--dataset", "csv_file", "--data", tmp_path / "ages.csv"), "'old'")


# === evaluate, on whole photos ===


@pytest.fixture
def genki(tmp_path) -> Path:
    """Six photos laid out as GENKI-4K; the second shows nobody, the third is damaged, the others one woman (NASA)."""
    folder = write_faces(tmp_path / "GENKI-4K", LAYOUTS["genki4k"], 6, seed=4)
    # Not every drawing is a face to MTCNN, and which of them are changes with the drawings.
    woman = Image.fromarray(skimage.data.astronaut())
    for number in range(1, 7):
        photo = woman.crop((15 * number, 0, 512 - 10 * number, 400 - 20 * number))
        photo.save(folder / "files" / f"file{number:04d}.jpg", quality=95)
    Image.new("RGB", (150, 120), "navy").save(folder / "files" / "file0002.jpg")
    (folder / "files" / "file0003.jpg").write_bytes(b"no image")
    return folder


def test_evaluate_cuts_the_faces_out_of_photos_as_the_model_has_them(
    run, tiny_model, tiny_folder, genki, tmp_path, monkeypatch
):
    about = json.loads((tiny_folder / "model.json").read_text())
    points = about["crop"]["landmarks"]
    wider = {name: [0.5 + (x - 0.5) / 2, 0.5 + (y - 0.5) / 2] for name, (x, y) in points.items()}
    about["crop"] |= {"kind": "wider", "landmarks": wider}
    (tiny_folder / "model.json").write_text(json.dumps(about))
    crops, file = tmp_path / "crops", tmp_path / "figures.json"
    command = ("evaluate", tiny_folder, "--dataset", "genki4k", "--data", genki, "--json", file)
    _, out, errors = outcome = run(*command, "--crops", crops)
    # The photo that shows nobody was looked at, the damaged one was not.
    assert_ended(outcome, 1, "1 of 6 images could not be used", "file0003.jpg")
    written = json.loads(file.read_text())
    assert (written["images"], written["skipped"]) == (4, 2)
    assert "genki4k: 4 faces cut out of 6 photos" in errors and out.startswith("genki4k: 4 images, 2 skipped\n")
    skipped = [line for line in errors.splitlines() if line.startswith("skipped ")]
    assert len(skipped) == 2 and skipped[0].endswith("file0002.jpg: no face found") and "not a JPEG" in skipped[1]
    # The faces are where the model's folder says, and not turned, since the model answers the head's roll.
    settings = json.loads((crops / "crops.json").read_text())
    assert settings["keep_roll"] and settings["faces"] == "largest"
    assert settings["crop"] | {"keep_roll": True} == about["crop"] | {"keep_roll": True}
    expected = metrics_with_intervals(predictions(tiny_model, read_crops(crops)), tiny_model.tasks)
    assert written["tasks"].keys() == {"head_pose"} and written["tasks"]["head_pose"]["n"] == 4
    for metric in written["tasks"]["head_pose"]["ci95"]:
        assert written["tasks"]["head_pose"][metric] == pytest.approx(expected[f"head_pose.{metric}"], rel=1e-4)

    # Without detection the photos are measured as they are, also the one that shows nobody: other figures.
    code, _, errors = run(*command, "--faces", "crop")
    whole = json.loads(file.read_text())
    assert code == 1 and (whole["images"], whole["skipped"]) == (5, 1) and "cut out" not in errors
    assert whole["tasks"]["head_pose"]["mae"] != pytest.approx(written["tasks"]["head_pose"]["mae"], rel=1e-3)

    # The folder serves the next call, in which no image is looked at again.
    monkeypatch.setattr(FaceDetector, "detect", lambda detector, images: [1 / 0 for _ in images])
    assert run(*command, "--crops", crops)[0] == 1
    assert json.loads(file.read_text()) == written


def test_evaluate_cuts_out_the_faces_whose_boxes_are_given(run, tiny_folder, genki, tmp_path):
    photo, file = genki / "files" / "file0001.jpg", tmp_path / "figures.json"
    (tmp_path / "own.csv").write_text(f"path,gender,box\n{photo},female,160 10 120 160\n{photo},male,0 100 60 60\n")
    command = ("evaluate", tiny_folder, "--dataset", "csv_file", "--data", tmp_path / "own.csv")
    code, _, errors = run(*command, "--crops", tmp_path / "crops", "--json", file)
    assert code == 0 and "2 faces cut out of 1 photos" in errors and json.loads(file.read_text())["images"] == 2
    crops = read_crops(tmp_path / "crops")
    assert crops["gender"].tolist() == ["female", "male"] and crops["confidence"][0] > 0.9 > crops["confidence"][1] == 0
    assert_mistake(run(*command, "--faces", "crop"), "has a `box`, and the whole photo would be taken for the face")


def test_evaluate_turns_heads_upright_and_leaves_no_crops_behind(run, tiny_backbone, genki, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    smile = model_folder.save(MultiTaskModel([SMILE], tiny_backbone, shared_units=(4,)), tmp_path / "smile")
    command = ("evaluate", smile, "--dataset", "genki4k", "--data", genki)
    code, out, _ = run(*command, "--json", tmp_path / "figures.json")
    written = json.loads((tmp_path / "figures.json").read_text())
    assert code == 1 and (written["images"], written["tasks"]["smile"]["n"]) == (4, 4)
    assert_mistake(run(*command, "--json", tmp_path / "temporary"), "temporary: cannot be written")
    assert os.listdir(tmp_path / "temporary") == []
    assert run(*command, "--crops", tmp_path / "crops")[0] == 1
    assert not json.loads((tmp_path / "crops" / "crops.json").read_text())["keep_roll"]
    assert not [name for name in read_crops(tmp_path / "crops") if "roll" in name], "it is not true of these crops"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert_mistake(run(*command), "no temporary folder for faces", "--crops DIR")


def test_evaluate_looks_for_faces_in_any_set_on_demand(run, tiny_folder, genki, tmp_path):
    ages = pd.DataFrame({"path": ["file0001.jpg", "file0002.jpg"], "age": [30.0, 40.0]})
    ages.to_csv(genki / "files" / "ages.csv", index=False)
    command = ("evaluate", tiny_folder, "--dataset", "csv_file", "--data", genki / "files", "--faces")
    assert run(*command, "crop")[1].startswith("csv_file: 2 images, 0 skipped\n")
    code, out, errors = run(*command, "detect")
    assert code == 0 and "csv_file: 1 faces cut out of 2 photos" in errors, "that nobody was found is no failure"
    assert out.startswith("csv_file: 1 images, 1 skipped\n")
    # What has a label shows nobody, and what shows somebody has no label.
    ages.assign(age=[np.nan, 40.0]).to_csv(genki / "files" / "ages.csv", index=False)
    assert_mistake(run(*command, "detect"), "what can be used of it labels none of the model's tasks")
    ages[1:].to_csv(genki / "files" / "ages.csv", index=False)
    assert_mistake(run(*command, "detect"), "none of 1 photos gives a crop", "file0002.jpg: no face found")


def test_evaluate_tells_mistakes_about_faces(run, tiny_folder, faces_folder, genki):
    crops = ("evaluate", tiny_folder, "--dataset", "utkface", "--data", faces_folder, "--crops", "kept")
    assert_mistake(run(*crops), "--crops kept: the images of utkface are taken as crops", "add --faces detect")
    photos = ("evaluate", tiny_folder, "--dataset", "genki4k", "--data", genki)
    assert_mistake(run(*photos, "--crops", genki.parent / "model"), "holds other files than crops")
    assert_mistake(run(*photos, "--crops", genki), "photos of the table lie in it")
    assert_mistake(run(*photos, "--crops", genki / "labels.txt"), "labels.txt: cannot be written (is a file")
    assert_mistake(run(*photos, "--crops", "kept", "--faces", "crop"), "leave out --crops")
    code, _, errors = run(*photos, "--faces", "whole")
    assert code == 2 and "auto" in errors


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
    write_json(value, tmp_path / "file.json")
    assert json.loads((tmp_path / "file.json").read_text()) == {
        "a": 1.5,
        "b": [None, 3, None],
        "c": [None, "text", True],
    }


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_the_network_in_a_models_folder_is_named_as_well(run, tiny_folder, faces_folder, tmp_path, command):
    arguments = ["--faces", "crop", faces_folder]
    if command == "evaluate":
        arguments = ["--dataset", "rendered", "--data", faces_folder]
    written = []
    for model in (tiny_folder, tiny_folder / "model.keras"):
        assert run(command, model, *arguments, "--json", tmp_path / "out.json")[0] == 0
        written.append((tmp_path / "out.json").read_text())
    assert written[0] == written[1] and "age" in written[0]
    (tiny_folder / "model.json").unlink()
    code, _, said = run(command, tiny_folder / "model.keras", *arguments)
    assert code == 2 and "with its model.json beside it" in said and said.count("\n") == 1


# === predict ===


def test_predict_writes_one_object_an_image_and_a_drawing_of_each(run, tiny_folder, faces_folder, tmp_path):
    photos, drawn, file = tmp_path / "photos", tmp_path / "drawn", tmp_path / "people.json"
    (photos / "below").mkdir(parents=True)
    first, second = sorted(path for path in faces_folder.iterdir() if path.suffix == ".jpg")[:2]
    (photos / "one.jpg").write_bytes(first.read_bytes())
    (photos / "broken.jpg").write_bytes(first.read_bytes()[:500])
    Image.open(second).save(photos / "below" / "one.png")
    (photos / "notes.txt").touch()
    arguments = ("--faces", "crop", "--json", file, "--draw", drawn)
    _, out, errors = outcome = run("predict", tiny_folder, photos, *arguments)
    assert f"skipped {photos / 'notes.txt'}: its name ends in none of .jpg" in errors
    assert_ended(outcome, 1, "1 of 3 images cannot be used; the others are answered; the first is", "broken.jpg: ")
    written = json.loads(file.read_text())
    assert [entry["path"] for entry in written] == [
        str(photos / name) for name in ("below/one.png", "broken.jpg", "one.jpg")
    ]
    assert all(list(entry) == ["path", "error", "people"] for entry in written)
    assert [len(entry["people"]) for entry in written] == [1, 0, 1]
    assert "damaged" in written[1]["error"]
    (person,) = written[0]["people"]
    assert list(person) == [*PERSON_KEYS, "age", "gender", "ethnicity", "head_pose"]
    lines = out.splitlines()
    assert len(lines) == 2 and f"{photos / 'broken.jpg'}: error: " in errors, "answers stand alone"
    assert lines[0].startswith(f"{photos / 'below' / 'one.png'}: [0,0,64,64] age {round(person['age']['value'])} ± ")
    assert person["gender"]["class"] in lines[0]
    found = sorted(path.relative_to(drawn).as_posix() for path in drawn.rglob("*") if path.is_file())
    assert found == ["below/one.png", "one.jpg"]
    for name, kind in (("below/one.png", "PNG"), ("one.jpg", "JPEG")):
        with Image.open(drawn / name) as picture:
            assert picture.format == kind and picture.size == (480, 480)


@pytest.mark.parametrize("full", ["people.json", "people.csv", "b.png"])
def test_what_can_be_written_is_though_another_file_cannot(run, tiny_folder, faces_folder, tmp_path, monkeypatch, full):
    photos, drawn = tmp_path / "photos", tmp_path / "drawn"
    photos.mkdir()
    source = next(path for path in faces_folder.iterdir() if path.suffix == ".jpg")
    for name in ("a, b.png", "b.png", "c.png"):
        Image.open(source).save(photos / name)
    replace = os.replace

    def disk_full(source, target):
        if Path(target).name == full:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", disk_full)
    outputs = ("--json", tmp_path / "people.json", "--csv", tmp_path / "people.csv", "--draw", drawn)
    outcome = run("predict", tiny_folder, f"{photos}/*.png", "--detector", "none", *outputs)
    assert_mistake(outcome, f"{full}: cannot be written (No space left")
    assert len(outcome[1].splitlines()) == 3, "the answers are printed all the same"
    left = {"people.json", "people.csv", "a, b.png", "b.png", "c.png"} - {full}
    assert {path.name for path in (*tmp_path.glob("people.*"), *drawn.iterdir())} == left
    if full != "people.csv":
        table = pd.read_csv(tmp_path / "people.csv")
        assert table["path"].tolist() == [str(photos / name) for name in ("a, b.png", "b.png", "c.png")]
        assert {"age.value", "age.std", "gender.class", "head_pose.yaw"} <= {*table}


def test_every_command_that_looks_for_faces_takes_a_detector(run, tiny_folder, tmp_path, monkeypatch):
    (tmp_path / "files").mkdir()
    Image.new("RGB", (90, 60), "navy").save(tmp_path / "files" / "file0001.jpg")
    (tmp_path / "labels.txt").write_text("1 0.1 0.0 0.0\n")
    asked = []
    monkeypatch.setattr(YuNet, "detect", lambda self, images: [asked.append(self) or [] for _ in images])
    chosen, genki = ("--detector", "yunet:minimum_confidence=0.6"), ("--dataset", "genki4k", "--data", tmp_path)
    run("predict", tiny_folder, tmp_path / "files", *chosen)
    run("evaluate", tiny_folder, *genki, *chosen)
    run("crop", *genki, "--out", tmp_path / "crops", "--jobs", 1, *chosen)
    assert [detector.minimum_confidence for detector in asked] == [0.6] * 3
    unknown = ("--detector", "yuna")
    for command in (
        ("predict", tiny_folder, tmp_path / "files"),
        ("evaluate", tiny_folder, *genki),
        ("crop", *genki, "--out", tmp_path / "crops"),
    ):
        assert_mistake(run(*command, *unknown), "unknown detector 'yuna'", "did you mean yunet")


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
    assert_mistake(run("predict", tmp_path / "gone", faces_folder), "gone: no such folder")
    assert_mistake(run("predict", tmp_path / "gone"), "gone: no such file or folder; expected an image")
    assert run("predict", tiny_folder, faces_folder, "--faces", "whole")[0] == 2
    file = tmp_path / "people.json"
    alone = run("predict", tiny_folder, broken, "--json", file, "--faces", "crop")
    assert_ended(alone, 1, f"the first is {broken}: not a JPEG, PNG, BMP, GIF, TIFF, WebP, AVIF or HEIC image")
    assert json.loads(file.read_text())[0]["error"], "the file is written all the same"
    for place in (tmp_path, broken / "people.json", tmp_path / ("x" * 300)):
        outcome = run("predict", tiny_folder, broken, "--json", place, "--faces", "crop")
        assert_mistake(outcome, f"{place}: cannot be written")
    assert_mistake(run("predict", tiny_folder, broken, "--json", broken), "broken.jpg: holds something other than JSON")
    (tmp_path / "empty.png").touch()
    several = run("predict", tiny_folder, broken, tmp_path / "empty.png", tmp_path / "gone.jpg")
    assert_ended(several, 1, "3 of 3 images cannot be used; the first is", "broken.jpg: not a JPEG")
    assert f"{tmp_path / 'gone.jpg'}: error: No such file" in several[2]


def test_drawings_replace_no_image(run, tiny_folder, faces_folder, tmp_path):
    path = tmp_path / "face.jpg"
    path.write_bytes(next(faces_folder.glob("*.jpg")).read_bytes())
    before = path.read_bytes()
    assert_mistake(run("predict", tiny_folder, path, "--faces", "crop", "--draw", tmp_path), "would replace an image")
    assert_mistake(run("predict", tiny_folder, path, "--faces", "crop", "--draw", path), "is a file; expected a folder")
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


def test_a_group_without_a_label_of_a_task_shows_a_dash():
    group = pd.DataFrame({"gender": ["female", "male"], "n": [3, 2], "smile.accuracy": [0.5, np.nan]})
    lines = scores_as_text(group, ["gender", "n"]).splitlines()
    assert lines[1].split() == ["female", "3", "50.00"] and lines[2].split() == ["male", "2", "–"]
