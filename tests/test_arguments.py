"""A tiny version of each experiment runs from its command to its table, resumes, and refuses what it cannot read."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mtl_keras.arguments import Arguments, run_experiment
from mtl_keras.datasets import fer2013, genki4k, utkface
from mtl_keras.datasets.layouts import LAYOUTS
from mtl_keras.datasets.recognition import first_that_reads
from mtl_keras.datasets.rendered import write_faces, write_utkface
from mtl_keras.faces import FaceDetector

ROOT = Path(__file__).parents[1]
TINY = [
    "--image-size",
    "75",
    "--epochs",
    "1",
    "--frozen-epochs",
    "2",
    "--batch-size",
    "16",
    "--small",
    "None",
]


def experiment(folder, *arguments, script="facenet_utk.py"):
    command = [sys.executable, str(ROOT / "experiments" / script), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500)


@pytest.mark.slow
def test_facenet_utk_from_command_to_table(tmp_path):
    write_utkface(tmp_path / "faces", 60, seed=2, size=96)
    (tmp_path / "faces" / "notes.jpg").write_bytes(b"no picture")
    (tmp_path / "faces" / "30_1_2_20170101120000000.jpg").write_bytes(b"")
    tiny = ["--data", "faces", "--out", "out", "--backbone", "facenet_small", *TINY]
    done = experiment(tmp_path, *tiny)
    assert done.returncode == 0, done.stderr[-2000:]
    out = tmp_path / "out"
    runs = pd.read_csv(out / "runs.csv").set_index("run")
    assert "facenet_small, fine-tuned" in runs.index and "facenet_small, age alone, frozen" in runs.index
    assert runs.loc["facenet_small, fine-tuned", "age.n"] == 6
    assert {"facenet_small, frozen, without border", "facenet_small, fine-tuned, averaged weights"} <= set(runs.index)
    table = (out / "table.md").read_text()
    assert table.strip() in done.stdout and "Paired differences" in table
    assert len(pd.read_csv(out / "skipped.csv")) == 2 and "2 skipped" in done.stdout
    for name in ("learning_curves", "runs", "age", "confusion", "fairness", "faces"):
        assert (out / f"{name}.png").stat().st_size > 10_000
    about = json.loads((out / "run.json").read_text())
    assert about["images"] == {"train": 48, "validation": 6, "test": 6} and str(tmp_path) not in json.dumps(about)
    model = out / "models" / "facenet_small-age-gender-ethnicity-fine-tuned"
    assert sorted(file.name for file in model.iterdir()) == ["model.json", "model.keras"]
    before = model.joinpath("model.keras").stat().st_mtime_ns
    again = experiment(tmp_path, *tiny, "--resume")
    assert again.returncode == 0 and again.stdout.count("finished before") == 8
    assert model.joinpath("model.keras").stat().st_mtime_ns == before
    assert pd.read_csv(out / "runs.csv").set_index("run").equals(runs)
    (tmp_path / "no_weights.h5").write_bytes(b"no weights")
    failed = experiment(tmp_path, *tiny, "--weights", "no_weights.h5")
    assert failed.returncode == 2 and failed.stderr.strip().splitlines()[-1].startswith("error: ")
    # What was there before a call that fails is there still.
    assert pd.read_csv(out / "runs.csv").set_index("run").equals(runs) and (out / "differences.csv").exists()


@pytest.mark.slow
def test_bknet_from_three_rendered_sets_to_table(tmp_path):
    tiny = ["--rendered-faces", "40", "--epochs", "1", "--batch-size", "32", "--single-task", "none", "--seeds", "2"]
    tiny += ["--no-variants"]
    done = experiment(tmp_path, *tiny, "--out", "out", script="bknet_age_gender_smile.py")
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"genki4k: (3\d|40) faces cut out of 40 photos", done.stdout)
    runs = pd.read_csv(tmp_path / "out" / "runs.csv").set_index("run")
    figures = runs.loc["bknet, trained"]
    # Every set has its own labels: ages and genders of UTKFace's 4 test images, smiles of about as many of GENKI-4K's.
    assert figures["gender.n"] == 4 and 0 < figures["age_group.n"] <= 4 and 2 <= figures["smile.n"] <= 5
    assert figures["parameters"] == 3_735_337
    assert "Mean and standard deviation" in (tmp_path / "out" / "table.md").read_text()
    for name in ("learning_curves", "runs", "confusion", "faces"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 10_000


@pytest.mark.slow
def test_gender_and_eyeglasses_from_drawings_to_another_set(tmp_path):
    write_faces(tmp_path / "others", LAYOUTS["celeba_crops"], 40, seed=9)
    tiny = ["--rendered-faces", "60", "--epochs", "1", "--folds", "0", "--test-data", "others", "--out", "out"]
    done = experiment(tmp_path, *tiny, script="gender_eyeglasses.py")
    assert done.returncode == 0, done.stderr[-2000:]
    runs = pd.read_csv(tmp_path / "out" / "runs.csv").set_index("run")
    assert runs.loc["gender_eyeglasses, trained", ["parameters", "gender.n"]].tolist() == [1_524_740, 6]
    assert runs.loc["gender_eyeglasses, trained", "images_per_second"] > 1
    assert runs.loc["gender_eyeglasses, trained, tested on celeba", "eyeglasses.n"] == 4
    assert "gender_eyeglasses, trained, with augmentation, tested on celeba" in runs.index
    table = (tmp_path / "out" / "table.md").read_text()
    assert "2 networks of one task" in table and "Cross-validation" not in table
    assert (tmp_path / "out" / "feature_maps.png").stat().st_size > 10_000
    # The model knows that its faces are oblong crops, squeezed.
    saved = json.loads((tmp_path / "out" / "models/gender_eyeglasses-gender-eyeglasses-trained/model.json").read_text())
    assert saved["crop"]["kind"] == "celeba" and saved["crop"]["height"] > 1.2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "nowhere"], "nowhere"),
        (["--data", "empty"], "empty"),
        (["--data", "unparsed"], "unparsed"),
        (["--data", "deviating", "--strict"], "39_1_20170116174525125"),
        (["--data", "deviating", "--weights", "missing.h5"], "missing.h5"),
        (["--data", "deviating", "--tasks", "age", "height"], "height"),
    ],
)
def test_mistakes_are_one_line(tmp_path, arguments, says):
    for name in ("empty", "unparsed", "deviating"):
        (tmp_path / name).mkdir()
    (tmp_path / "unparsed" / "holiday.jpg").write_bytes(b"x")
    (tmp_path / "deviating" / "39_1_20170116174525125.jpg.chip.jpg").write_bytes(b"x")
    done = experiment(tmp_path, *arguments)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and says in last and "Traceback" not in done.stderr


def test_without_a_check_damaged_images_stay_in_the_table(tmp_path, capsys, monkeypatch):
    seen = {}
    monkeypatch.setattr("mtl_keras.arguments.compare", lambda *given: seen.update(table=given[2][0]) or "the table")
    write_utkface(tmp_path / "faces", 12, size=64)
    (tmp_path / "faces" / "30_1_2_20170101120000000.jpg").write_bytes(b"")
    for check, rows in ((True, 12), (False, 13)):
        run_experiment(Arguments(data=(tmp_path / "faces",), out=tmp_path / "out", check=check), utkface)
        assert len(seen["table"]) == rows and ("image" in seen["table"]) == check
        assert ("images not checked" in capsys.readouterr().out) == (not check)


def test_faces_are_cut_out_of_sets_of_photos_only_and_kept(tmp_path, capsys, monkeypatch):
    seen = {}
    monkeypatch.setattr("mtl_keras.arguments.compare", lambda *given: seen.update(table=given[2][0]) or "the table")
    for name, layout in (("UTKFace", "utkface"), ("GENKI-4K", "genki4k")):
        write_faces(tmp_path / name, LAYOUTS[layout], 4, seed=4)
    arguments = Arguments(data=(tmp_path / "UTKFace", tmp_path / "GENKI-4K"), out=tmp_path / "out")
    read = first_that_reads((genki4k, fer2013, utkface))
    run_experiment(arguments, read)
    table, crops = seen["table"], tmp_path / "out" / "cache" / "crops-genki4k"
    # Not every drawing is a face to MTCNN.
    (found,) = re.findall(r"genki4k: ([1-4]) faces cut out of 4 photos", capsys.readouterr().out)
    assert (table["source"] == "genki4k").sum() == int(found) == 4 - len(table.attrs["skipped"])
    places = {source: {Path(path).parent for path in rows["path"]} for source, rows in table.groupby("source")}
    assert places == {"utkface": {tmp_path / "UTKFace"}, "genki4k": {crops}}
    # Crops that an earlier version left there serve on: they have the settings' defaults.
    settings = json.loads((crops / "crops.json").read_text())
    assert settings["crop"]["kind"] == "utkface" and settings["cropping"] == 1
    assert [settings[name] for name in ("faces", "size", "margin", "keep_roll")] == ["largest", 200, 0.0, False]
    monkeypatch.delattr(FaceDetector, "detect")
    run_experiment(arguments, read)
    assert seen["table"].equals(table)
