"""A tiny version of each experiment runs from its command to its table, resumes, and refuses what it cannot read."""

import json
import re
import runpy
import shutil
import sys
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image, ImageOps

import mtl_keras as mtl
from mtl_keras.commands.arguments import Arguments, has_data, parse
from mtl_keras.commands.experiment import crops_of, cut_out, read_folder, report, rows_to_test_on, run
from mtl_keras.data.packing import pack_shards
from mtl_keras.data.shards import read_shards
from mtl_keras.data.split import split
from mtl_keras.data.unpacking import unpack_shards
from mtl_keras.datasets import csv_file, fer2013, genki4k, utkface
from mtl_keras.datasets.recognition import whichever_reads
from mtl_keras.errors import UserError
from mtl_keras.faces.cut import settings_for
from mtl_keras.faces.geometry import CROPS
from mtl_keras.faces.mtcnn import FaceDetector
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.writer import UTKFACE, write_faces
from mtl_keras.studies.results import write_runs
from mtl_keras.studies.settings import Experiment

ROOT = Path(__file__).parents[2]
TINY = ["--image-size", "32", "--epochs", "1", "--frozen-epochs", "2", "--batch-size", "16", "--small", "None"]


@pytest.fixture
def experiment(monkeypatch, capsys):
    """Run an experiment's script in this process, in a folder, and return its exit code and what it printed."""

    def call(folder: Path, *arguments: str, script: str = "facenet_utk.py") -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        code = 0
        try:
            runpy.run_path(str(ROOT / "experiments" / script), run_name="__main__")
        except SystemExit as stopped:
            code = stopped.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def note_table(monkeypatch, seen: dict) -> None:
    """Let an experiment train nothing, and note the table that it would train on."""

    def compare(*given):
        seen["table"] = given[2][0]
        write_runs(
            [{"run": "a run", "tasks": "age", "backbone": "bknet", "stage": "trained", "age.mae": 5.0}], given[3]
        )

    monkeypatch.setattr("mtl_keras.commands.experiment.compare", compare)


@pytest.mark.slow
def test_facenet_utk_from_command_to_table(experiment, tiny_backbone, tmp_path):
    write_faces(tmp_path / "faces", UTKFACE, 60, seed=2, size=64)
    (tmp_path / "faces" / "notes.jpg").write_bytes(b"no picture")
    (tmp_path / "faces" / "30_1_2_20170101120000000.jpg").write_bytes(b"")
    tiny = [
        "--data",
        "faces",
        "--out",
        "out",
        "--backbone",
        tiny_backbone,
        "--border",
        "16",
        "--tasks",
        "age",
        "gender",
        *TINY,
        "--single-task",
        "frozen",
        "--seeds",
        "1",
    ]
    code, printed, said = experiment(tmp_path, *tiny)
    assert code == 0
    out = tmp_path / "out"
    runs = pd.read_csv(out / "runs.csv").set_index("run")
    assert "tiny, fine-tuned" in runs.index and "tiny, age alone, frozen" in runs.index
    assert runs.loc["tiny, fine-tuned", "age.n"] == 6
    assert {"tiny, frozen, without border", "tiny, fine-tuned, averaged weights"} <= set(runs.index)
    table = (out / "table.md").read_text()
    assert "Paired differences" in table and "What an answer costs" in table
    assert "table.md" in printed and max(map(len, printed.splitlines())) <= 80
    assert all(run in printed for run in runs.index) and "tiny, fine-tuned: training" in said
    assert len(pd.read_csv(out / "skipped.csv")) == 2 and "2 skipped" in said
    for name in ("learning_curves", "runs", "age", "confusion", "fairness", "faces"):
        assert (out / f"{name}.png").stat().st_size > 10_000
    about = json.loads((out / "run.json").read_text())
    assert about["images"] == {"train": 48, "validation": 6, "test": 6} and str(tmp_path) not in json.dumps(about)
    model = out / "models" / "tiny-age-gender-fine-tuned"
    assert sorted(file.name for file in model.iterdir()) == ["model.json", "model.keras"]
    # On another machine models may be missing; the table does not need them, and those that are there stay as they are.
    before = model.joinpath("model.keras").stat().st_mtime_ns
    for other in model.parent.iterdir():
        if other != model:
            shutil.rmtree(other)
    code, _, said = experiment(tmp_path, *tiny, "--resume")
    assert code == 0 and said.count("finished before") == 6 and ": training\n" not in said
    assert pd.read_csv(out / "runs.csv").set_index("run").equals(runs)
    assert list(model.parent.iterdir()) == [model] and model.joinpath("model.keras").stat().st_mtime_ns == before
    (tmp_path / "no_weights.h5").write_bytes(b"no weights")
    code, _, says = experiment(tmp_path, *tiny, "--weights", "no_weights.h5")
    assert code == 2 and says.strip().splitlines()[-1].startswith("error: ")
    # What was there before a call that fails is there still.
    assert pd.read_csv(out / "runs.csv").set_index("run").equals(runs) and (out / "differences.csv").exists()


@pytest.mark.slow
def test_bknet_from_three_rendered_sets_to_table(experiment, tmp_path):
    tiny = ["--rendered-faces", "40", "--epochs", "1", "--batch-size", "32", "--single-task", "none", "--seeds", "2"]
    tiny += ["--backbone", "small_cnn"]
    code, _, said = experiment(tmp_path, *tiny, "--out", "out", script="bknet_age_gender_smile.py")
    assert code == 0 and re.search(r"genki4k: (3\d|40) faces cut out of 40 photos", said)
    runs = pd.read_csv(tmp_path / "out" / "runs.csv").set_index("run")
    figures = runs.loc["small_cnn, trained"]
    # Every set has its own labels: ages and genders of UTKFace's 4 test images, smiles of about as many of GENKI-4K's.
    assert figures["gender.n"] == 4 and 0 < figures["age_group.n"] <= 4 and 2 <= figures["smile.n"] <= 5
    # The constant answer stands in every column, also in that of a variant's task.
    assert runs.loc[["most frequent class", "small_cnn, trained, with expression"], "expression.n"].tolist() == [4, 4]
    assert "Mean and standard deviation" in (tmp_path / "out" / "table.md").read_text()
    for name in ("learning_curves", "runs", "confusion", "faces"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 10_000


@pytest.mark.slow
def test_gender_and_eyeglasses_from_drawings_to_another_set(experiment, tmp_path):
    write_faces(tmp_path / "others", LAYOUTS["celeba_crops"], 40, seed=9)
    tiny = ["--rendered-faces", "60", "--epochs", "1", "--test-data", "others", "--out", "out"]
    code, _, said = experiment(tmp_path, *tiny, script="gender_eyeglasses.py")
    assert code == 0, said[-2000:]
    runs = pd.read_csv(tmp_path / "out" / "runs.csv").set_index("run")
    assert runs.loc["gender_eyeglasses, trained", ["parameters", "gender.n"]].tolist() == [1_524_740, 6]
    assert runs.loc["gender_eyeglasses, trained", "images_per_second"] > 1
    assert runs.loc["gender_eyeglasses, trained, tested on celeba", "eyeglasses.n"] == 4
    table = (tmp_path / "out" / "table.md").read_text()
    assert "2 networks of one task" in table and "Cross-validation" not in table
    assert (tmp_path / "out" / "feature_maps.png").stat().st_size > 10_000
    # The model knows that its faces are oblong crops, squeezed.
    saved = json.loads((tmp_path / "out" / "models/gender_eyeglasses-gender-eyeglasses-trained/model.json").read_text())
    assert saved["crop"]["kind"] == "celeba" and saved["crop"]["height"] > 1.2
    # Without its models a finished table stays as it is, the rows of the other set too.
    shutil.rmtree(tmp_path / "out" / "models")
    code, _, said = experiment(tmp_path, *tiny, "--resume", script="gender_eyeglasses.py")
    assert code == 0 and ": training" not in said, said[-2000:]
    assert pd.read_csv(tmp_path / "out" / "runs.csv").set_index("run").equals(runs)
    assert not (tmp_path / "out" / "models").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "nowhere"], "nowhere"),
        # Before weights are looked for, of which there may be none.
        (["--data", "deviating", "--test-data", "nowhere", "--weights", "missing.h5"], "nowhere: no such file"),
        (["--data", "empty"], "empty"),
        # What is drawn there would be read as one of its images the next time.
        (["--data", "deviating", "--out", "deviating/runs"], "deviating/runs: lies in deviating, of which every image"),
        (["--data", "deviating", "--out", "deviating"], "deviating: lies in deviating"),
        # What is wrong whatever the data hold comes before they are read.
        (["--data", "empty", "--balance", "gender,gender"], "balance 'gender,gender'"),
        (["--data", "empty", "--small", "nosuch"], "unknown backbone 'nosuch'"),
        (["--data", "empty", "--folds", "3"], "cross-validation compares accuracies; task 'age' has none"),
        (["--data", "empty", "--weights", "missing.h5"], "empty: holds no image files"),
        (["--weights", "missing.h5"], "missing.h5"),
        (["--data", "unparsed"], "unparsed"),
        (["--data", "deviating", "--strict"], "39_1_20170116174525125"),
        (["--data", "deviating", "--tasks", "age", "gender", "--weights", "missing.h5"], "missing.h5"),
        (["--data", "deviating", "--tasks", "age", "height"], "height"),
        (["--out", "unparsed/holiday.jpg"], "holiday.jpg: cannot be written (is a file; expected a folder)"),
        (["--out", "unparsed/holiday.jpg/out"], "out: cannot be written (Not a directory)"),
        (["--tensorboard", "unparsed/holiday.jpg"], "holiday.jpg: cannot be written (is a file; expected a folder)"),
    ],
)
def test_mistakes_are_one_line(experiment, tmp_path, arguments, says):
    for name in ("empty", "unparsed", "deviating"):
        (tmp_path / name).mkdir()
    (tmp_path / "unparsed" / "holiday.jpg").write_bytes(b"x")
    (tmp_path / "deviating" / "39_1_20170116174525125.jpg.chip.jpg").write_bytes(b"x")
    code, _, printed = experiment(tmp_path, *arguments)
    last = printed.strip().splitlines()[-1]
    assert code == 2 and last.startswith("error: ") and says in last and "Traceback" not in printed
    assert not list(tmp_path.glob("**/rendered-*"))


def test_a_set_to_test_on_has_a_label(experiment, tmp_path):
    write_faces(tmp_path / "faces", UTKFACE, 12, size=64)
    write_faces(tmp_path / "others", LAYOUTS["raf_db"], 12, size=64)
    words = ["--data", "faces", "--test-data", "others", "--tasks", "age", "--out", "out"]
    network = ["--backbone", "small_cnn", "--weights", "None", "--border", "0", "--image-size", "16"]
    code, _, said = experiment(tmp_path, *words, *network, script="customer_characteristics.py")
    assert code == 2 and said.endswith("error: --test-data: raf_db has no label of age; leave it out\n")


# That of another library can tell of itself only where this is installed; the model of the package is part of it.
OTHERS = ("step_costs_libmtl.py", "model_in_the_box.py")
SCRIPTS = sorted(path.name for path in (ROOT / "experiments").glob("*.py") if path.name not in OTHERS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_first_call_changes_no_file_of_the_repository(experiment, tmp_path, script):
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    code, printed, _ = experiment(tmp_path, "--help", script=script)
    *_, place = re.findall(r"--out PATH[^(]*\(default: ([^)]+)\)", printed)
    assert code == 0 and Path(place).parts[0] == "runs" and "runs/" in ignored


def test_an_interruption_says_how_to_go_on(experiment, tmp_path, monkeypatch):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr("mtl_keras.commands.experiment.compare", interrupted)
    write_faces(tmp_path / "faces", UTKFACE, 12, size=64)
    code, _, said = experiment(tmp_path, "--data", "faces", "--out", "out")
    assert code == 130 and said.endswith(
        "\ninterrupted: finished runs and epochs are kept in out; add --resume to go on\n"
    )


def test_without_a_check_damaged_images_stay_in_the_table(tmp_path, capsys, monkeypatch):
    seen = {}
    note_table(monkeypatch, seen)
    write_faces(tmp_path / "faces", UTKFACE, 12, size=64)
    (tmp_path / "faces" / "30_1_2_20170101120000000.jpg").write_bytes(b"")
    for check, rows in ((True, 12), (False, 13)):
        run(Arguments(data=(tmp_path / "faces",), out=tmp_path / "out", check=check), utkface)
        assert len(seen["table"]) == rows and ("image" in seen["table"]) == check
        assert ("images not checked" in capsys.readouterr().err) == (not check)


def test_faces_are_cut_out_of_sets_of_photos_only_and_kept(tmp_path, capsys, monkeypatch):
    seen = {}
    note_table(monkeypatch, seen)
    for name, layout in (("UTKFace", "utkface"), ("GENKI-4K", "genki4k")):
        write_faces(tmp_path / name, LAYOUTS[layout], 4, seed=4)
    arguments = Arguments(data=(tmp_path / "UTKFace", tmp_path / "GENKI-4K"), out=tmp_path / "out")
    read = whichever_reads((genki4k, fer2013, utkface))
    run(arguments, read)
    table, crops = seen["table"], tmp_path / "out" / "cache" / "crops-genki4k"
    # Not every drawing is a face to MTCNN.
    (found,) = re.findall(r"genki4k: ([1-4]) faces cut out of 4 photos", capsys.readouterr().err)
    assert (table["source"] == "genki4k").sum() == int(found) == 4 - len(table.attrs["skipped"])
    places = {source: {Path(path).parent for path in rows["path"]} for source, rows in table.groupby("source")}
    assert places == {"utkface": {tmp_path / "UTKFace"}, "genki4k": {crops}}
    # Crops that an earlier version left there serve on: they have the settings' defaults.
    settings = json.loads((crops / "crops.json").read_text())
    assert settings["crop"]["kind"] == "utkface" and settings["cropping"] == 1
    assert [settings[name] for name in ("faces", "size", "margin", "keep_roll")] == ["largest", 200, 0.0, False]
    monkeypatch.delattr(FaceDetector, "rows")
    run(arguments, read)
    assert seen["table"].equals(table)


def test_missing_labels_are_told_of_before_faces_are_cut_out(tmp_path, monkeypatch):
    monkeypatch.delattr("mtl_keras.commands.experiment.crop_faces")
    write_faces(tmp_path / "GENKI-4K", LAYOUTS["genki4k"], 4, seed=4)
    arguments = Arguments(data=(tmp_path / "GENKI-4K",), out=tmp_path, experiment=Experiment(tasks=("smile", "age")))
    with pytest.raises(UserError, match="no image of genki4k has a label of age; add a set that has, .* --tasks smile"):
        run(arguments, genki4k)


@pytest.mark.parametrize(
    ("change", "name", "keep_roll"),
    [
        ({}, "crops-genki4k", False),
        ({"crop": "celeba"}, "crops-genki4k-celeba", False),
        ({"tasks": ("smile", "head_pose")}, "crops-genki4k-not-turned", True),
        ({"crop": "celeba", "tasks": ("head_pose",)}, "crops-genki4k-celeba-not-turned", True),
    ],
)
def test_photos_are_cut_as_the_model_will_cut_them(tmp_path, monkeypatch, change, name, keep_roll):
    calls = []

    def cut(photos, folder, settings):
        calls.append((folder, settings))
        return photos.assign(confidence=1.0)

    monkeypatch.setattr("mtl_keras.commands.experiment.crop_faces", cut)
    experiment = Experiment(**{"tasks": ("smile",), **change})
    crops_of(pd.DataFrame({"path": ["a.jpg"], "source": "genki4k"}), tmp_path, experiment)
    # What a predictor does with a model of these tasks and this crop.
    expected = settings_for(CROPS[experiment.crop].for_tasks(experiment.chosen_tasks()))
    assert calls == [(tmp_path / "cache" / name, expected)] and expected.keep_roll == keep_roll
    assert expected.geometry.kind == experiment.crop


def test_data_may_be_shards(tmp_path, capsys, monkeypatch):
    seen = {}
    note_table(monkeypatch, seen)
    write_faces(tmp_path / "UTKFace", UTKFACE, 12, seed=4, size=64)
    faces = utkface(tmp_path / "UTKFace")
    pack_shards(faces, tmp_path / "shards", 5)
    run(Arguments(data=(tmp_path / "shards",), out=tmp_path / "out"), utkface)
    printed = capsys.readouterr()
    assert "shards: 12 images unpacked from shards" in printed.err
    assert printed.out.splitlines()[:2] == ["  run age MAE", "a run    5.00"], "figures stand alone"
    table = seen["table"].assign(path=[Path(path).name for path in seen["table"]["path"]]).set_index("path")
    expected = faces.assign(path=[Path(path).name for path in faces["path"]]).set_index("path")
    columns = ["source", "age", "gender", "ethnicity"]
    assert table.loc[expected.index, columns].equals(expected[columns]) and "image" in table


def test_faces_are_cut_out_of_photos_alone_and_only_once(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "mtl_keras.commands.experiment.crops_of", lambda photos, *_: asked.append(photos["path"].tolist()) or photos
    )
    table = pd.DataFrame({"path": ["a.jpg", "b.jpg"], "source": ["utkface", "genki4k"], "smile": "smiling"})
    assert sorted(cut_out(table, tmp_path, Experiment())["path"]) == ["a.jpg", "b.jpg"] and asked == [["b.jpg"]]
    # Shards say of which sets the faces were cut out before they were packed.
    write_faces(tmp_path / "UTKFace", UTKFACE, 6, seed=4, size=64)
    faces = utkface(tmp_path / "UTKFace")
    crops = faces.assign(source="genki4k", photo=faces["path"], faces=1, confidence=0.99)
    pack_shards(crops, tmp_path / "crops")
    pack_shards(faces.assign(source="genki4k"), tmp_path / "photos")
    for name, times in (("crops", 1), ("photos", 2)):
        unpacked = unpack_shards(read_shards(tmp_path / name), tmp_path / "cache")
        assert len(cut_out(unpacked, tmp_path, Experiment())) == 6 and len(asked) == times


def test_rows_with_boxes_are_cut_out_of_their_photos(tmp_path, monkeypatch):
    cut = []
    monkeypatch.setattr(
        "mtl_keras.commands.experiment.crop_faces",
        lambda rows, folder, settings: cut.append((folder.name, rows["path"].tolist())) or rows.assign(confidence=0),
    )
    boxes = ["1 2 9 9", "9 2 9 9", None, None]
    table = pd.DataFrame({"path": [*"aabc"], "box": boxes, "source": ["../x", "../x", "../x", "utkface"]})
    cut_out(table.assign(smile="smiling"), tmp_path, Experiment(tasks=("smile",)))
    # Of a source with boxes the other rows are photos as well, and it may be called anything.
    assert cut == [("crops-_._x-boxes", ["a", "a", "b"])]
    # Where faces of the source were cut out before, those with boxes alone.
    table.attrs["cut_out"] = ["../x"]
    cut_out(table.assign(smile="smiling"), tmp_path, Experiment(tasks=("smile",)))
    assert cut[1:] == [("crops-_._x-boxes", ["a", "a"])]


def test_a_table_with_boxes_is_not_trained_on_as_it_is(tmp_path, faces, one_line):
    with one_line("has a `box`, and the whole photo would be taken for the face", faces["path"][0][:5]):
        mtl.run(Experiment(tasks=("gender",), backbone="bknet", epochs=1), faces.assign(box="1 2 30 40"), tmp_path)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["--data", "x"], True), (["--data=x"], True), (["--test-data", "x"], False), (["--data-x"], False), ([], False)],
)
def test_data_on_the_command_line_is_seen(monkeypatch, arguments, expected):
    monkeypatch.setattr(sys, "argv", ["--data", *arguments])
    assert has_data() == expected


def test_every_setting_is_a_flag_with_its_default(monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["experiment", "--tasks", "age", "smile", "--composition", "utkface=32,genki4k=16"]
    )
    given = parse(Arguments(), "An experiment.").experiment
    assert given == replace(Experiment(), tasks=("age", "smile"), composition="utkface=32,genki4k=16")
    monkeypatch.setattr(sys, "argv", ["experiment", "--help"])
    with pytest.raises(SystemExit):
        parse(Arguments(), "An experiment.")
    shown = capsys.readouterr().out
    flags = {*re.findall(r"--([a-z0-9-]+)", shown)}
    for field in fields(Experiment):
        assert (field.name.replace("_", "-") in flags) == (field.name != "variant")
    assert "Trunk learning rate = trunk_rate x head rate" in " ".join(shown.replace("│", " ").split())


def test_what_is_odd_in_a_set_is_said(tmp_path, capsys):
    write_faces(tmp_path, UTKFACE, 3, seed=1, size=64)
    for face in tmp_path.glob("*.jpg"):
        face.rename(face.with_name("30_0__" + face.name.split("_", 3)[3]))
    read_folder(tmp_path, utkface, Arguments())
    said = capsys.readouterr().err
    assert "and 2 more: race is missing\n" in said and "utkface: all 3 labels of gender are male" in said


def test_copies_across_the_parts_of_a_set_are_told_of_and_dropped(tmp_path, capsys, monkeypatch):
    seen = {}
    note_table(monkeypatch, seen)
    folder = write_faces(tmp_path / "FER2013", LAYOUTS["fer2013"], 40, seed=3)
    images = sorted(folder.glob("test/*/*.png"))
    for path in images:
        with Image.open(path) as image:
            ImageOps.mirror(image).save(folder / "train" / path.parent.name / f"again-{path.name}")
    arguments = Arguments(data=(folder,), out=tmp_path / "out", experiment=Experiment(tasks=("expression",)))
    run(arguments, fer2013)
    kept = split(seen["table"])
    assert f"in several parts (train, test) of fer2013: {len(images)} photos" in capsys.readouterr().err
    listed = pd.read_csv(tmp_path / "out" / "leaks.csv")
    assert sorted(listed["path"]) == sorted([path.name for path in images] + [f"again-{path.name}" for path in images])
    run(replace(arguments, leaks="drop"), fer2013)
    parts, printed = split(seen["table"]), capsys.readouterr()
    assert f"{len(images)} images dropped" in printed.err and "in several parts" not in printed.err
    assert len(kept[0]) - len(parts[0]) == len(images) == len(parts[2])
    assert not any("again-" in path for part in parts for path in part["path"])


def test_other_sets_are_tested_on_their_test_rows_or_on_all_where_none_is_for_training():
    table = pd.DataFrame({"path": [f"{row}.jpg" for row in range(40)], "source": "x", "split": "validation"})
    assert len(rows_to_test_on(table, 0)) == 40
    assert len(rows_to_test_on(table.assign(split=["train"] * 30 + ["validation"] * 10), 0)) == 10
    whole = table.assign(split=None)
    assert len(rows_to_test_on(whole, 0)) == 40
    other = table.assign(path="other-" + table["path"], source="y", split=["train"] * 20 + ["test"] * 20)
    both = rows_to_test_on(pd.concat([whole, other]), 0)
    assert both["source"].value_counts().to_dict() == {"x": 40, "y": 20}


def also_tested_on(monkeypatch, *arguments, **words) -> pd.DataFrame:
    """Return the rows that an experiment tests on as well, without training anything."""
    seen = []

    def never(report, experiment, reported, elsewhere):
        seen.append(elsewhere)
        raise KeyboardInterrupt

    monkeypatch.setattr("mtl_keras.studies.comparison.train_multi_task", never)
    with pytest.raises(KeyboardInterrupt):
        run(Arguments(*arguments, **words, experiment=TASKS_OF_FACES), whichever_reads((utkface, csv_file)))
    return seen[0]


TASKS_OF_FACES = Experiment(tasks=("age", "gender"), backbone="small_cnn", image_size=16, frozen_epochs=0)


@pytest.mark.parametrize("check", [True, False])
def test_of_a_set_that_is_trained_on_only_its_test_images_are_tested_on(tmp_path, monkeypatch, capsys, check):
    faces = write_faces(tmp_path / "faces", UTKFACE, 40, seed=2, size=64)
    words = {"data": (faces,), "test_data": (faces,), "out": tmp_path / "out", "check": check}
    found = also_tested_on(monkeypatch, **words)
    table = utkface(faces)
    test = split(mtl.check_images(table) if check else table)[2]
    assert sorted(found["path"]) == sorted(test["path"]) and len(found) == 4
    assert "left out of --test-data: 36 of 40 images, which are, or are copies of" in capsys.readouterr().err


def test_images_to_test_on_are_checked_and_copies_of_trained_ones_left_out(tmp_path, monkeypatch, capsys):
    faces = utkface(write_faces(tmp_path / "faces", UTKFACE, 40, seed=2, size=64))
    # A name that is also that of a set of photos.
    mine, train = tmp_path / "mine", split(mtl.check_images(faces))[0]
    mine.mkdir()
    for number, path in enumerate([*train["path"][:3], *train["path"][3:9]]):
        # Three as they are, six of which nobody could tell.
        picture = Image.open(path) if number < 3 else ImageOps.mirror(ImageOps.invert(Image.open(path)))
        picture.save(mine / f"{number}.png")
    (mine / "9.png").write_bytes(b"damaged")
    mine.joinpath("genki4k.csv").write_text(
        "path,age,gender\n" + "".join(f"{n}.png,{n + 20},male\n" for n in range(10))
    )
    train.assign(path=[f"../faces/{Path(path).name}" for path in train["path"]]).to_csv(mine / "faces.csv", index=False)
    words = {"data": (mine / "faces.csv",), "test_data": (mine / "genki4k.csv",), "out": tmp_path / "out"}
    found = also_tested_on(monkeypatch, **words)
    assert [Path(path).name for path in found["path"]] == [f"{number}.png" for number in range(3, 9)]
    assert set(found["source"]) == {"genki4k"}
    skipped = pd.read_csv(tmp_path / "out" / "skipped.csv")
    assert skipped["path"].tolist() == ["9.png"] and "1 skipped" in capsys.readouterr().err
    (mine / "genki4k.csv").write_text("path,age,gender\n9.png,30,male\n")
    with pytest.raises(UserError, match="none of 1 images can be read; the first is .*9.png"):
        run(Arguments(**words, experiment=TASKS_OF_FACES), whichever_reads((utkface, csv_file)))


def test_skipped_files_of_a_set_that_is_given_by_name_do_not_tell_where_it_lies(tmp_path):
    table = pd.DataFrame({"path": ["a.jpg"], "source": "x", "split": None})
    table.attrs["skipped"] = [{"path": tmp_path / place / "b.jpg", "reason": "empty"} for place in ("one/set", "two")]
    report(table, tmp_path, "keep", [Path(f"utkface={tmp_path}/one/set"), tmp_path / "two"])
    assert pd.read_csv(tmp_path / "skipped.csv")["path"].tolist() == ["set/b.jpg", "two/b.jpg"]
