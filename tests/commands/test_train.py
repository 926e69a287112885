"""The command that trains: which data, tasks and settings it hands on, and what it says where they cannot be used."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_keras.commands import train
from mtl_keras.data.packing import pack_shards
from mtl_keras.data.shards import read_shards, shard_table
from mtl_keras.datasets import csv_file, utkface
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.writer import write_faces
from mtl_keras.studies.presets import PRESETS
from mtl_keras.tasks import TASKS

HAT = [{"name": "hat", "kind": "categorical", "classes": ["no", "yes"]}]
HEIGHT = {"name": "height", "kind": "regression"}
pytestmark = pytest.mark.usefixtures("no_new_tasks")


@pytest.fixture
def handed_on(run, monkeypatch, tmp_path):
    """Call the command in a folder, and return what would be trained: the arguments of `run`, or what it said."""

    def call(*words: object) -> tuple | str:
        seen = []
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(train, "run", lambda *given: seen.append(given))
        code, _, said = run("train", *words)
        if not seen:
            assert code == 2 and said.splitlines()[-1].startswith("error: ") and "Traceback" not in said
            return said.splitlines()[-1]
        return *seen[0], said

    return call


@pytest.fixture
def own(faces_folder, tmp_path) -> pd.DataFrame:
    """A table of 30 images with labels of one's own, written as my.csv beside a folder of them."""
    images = sorted(faces_folder.glob("*.jpg"))
    table = pd.DataFrame({"path": [str(path) for path in images], "age": np.arange(30)})
    table["hat"], table["height"] = ["yes", "no", ""] * 10, 150 + 1.5 * table["age"]
    table["note"] = [f"note {number}" for number in range(30)]
    table.to_csv(tmp_path / "my.csv", index=False)
    return table


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("real", [True, False])
def test_a_preset_is_handed_on_whole(handed_on, tmp_path, name, real):
    write_faces(tmp_path / "faces", LAYOUTS["celeba" if name == "gender_eyeglasses" else "utkface"], 4, size=64)
    words = ["--data", "faces", "--epochs", "3"] if real else ["--epochs", "3"]
    arguments, read, reported, variants, layouts, balance, _ = handed_on("--preset", name, *words)
    preset = PRESETS[name]
    chosen = preset.real if real else preset.drawn
    assert asdict(arguments.experiment) == {**asdict(chosen.experiment), "epochs": 3}
    assert (arguments.comparison, variants, layouts) == (chosen.comparison, chosen.variants, preset.layouts)
    assert balance == chosen.experiment.balance
    assert arguments.rendered_faces == preset.rendered_faces
    assert [row["run"] for row in reported] == [row["run"] for row in chosen.reported]
    assert {row["stage"] for row in reported} <= {"reported"}
    assert not real or len(read(Path("faces"), False)) == 4


def test_flags_come_in_pairs_and_help_shows_the_defaults_of_the_preset(run):
    _, shown, _ = run("train", "--preset", "bknet_age_gender_smile", "--data", "x", "--help")
    words = " ".join(shown.replace("│", " ").split())
    assert "--no-variants" in words and "(default: smile gender age_group)" in words and "genki4k=2" in words


def test_a_csv_file_says_what_is_learned_and_how_to_change_it(handed_on, own, tmp_path):
    arguments, *_, said = handed_on("--data", "my.csv", "--out", "out")
    assert arguments.experiment.tasks == ("age", "hat", "height")
    assert "hat: 2 classes (no, yes), 20 of 30 images labelled" in said
    assert "left out: column 'note', since its 30 cells hold 30 different texts" in said
    assert "to change this, edit out/tasks.json and name it: --task-file out/tasks.json" in said
    written = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert [entry["name"] for entry in written] == ["hat", "height"] and TASKS["height"].center == 171.8
    # What is written there holds, once it is named, and other columns are not looked at.
    written[0]["classes"].reverse()
    del TASKS["hat"], TASKS["height"]
    (tmp_path / "out" / "tasks.json").write_text(json.dumps(written[:1]))
    arguments, *_, said = handed_on("--data", "my.csv", "--out", "out", "--task-file", "out/tasks.json")
    assert arguments.experiment.tasks == ("age", "hat") and TASKS["hat"].classes == ("yes", "no")
    assert "left out" not in said and len(json.loads((tmp_path / "out" / "tasks.json").read_text())) == 1


def test_tasks_beside_a_csv_file_hold_and_nothing_is_inferred(handed_on, own, tmp_path):
    (tmp_path / "tasks.json").write_text(json.dumps(HAT))
    arguments, read, *_, said = handed_on("--data", ".", "--tasks", "hat", "--out", "out")
    assert arguments.experiment.tasks == ("hat",) and "left out" not in said and not (tmp_path / "out").exists()
    assert read(Path("."), False)["hat"].notna().sum() == 20


def test_a_task_file_that_is_named_counts_in_the_place_of_one_beside_the_csv(handed_on, run, own, tmp_path):
    (tmp_path / "tasks.json").write_text(json.dumps([{**HAT[0], "classes": ["yes", "no"]}, HEIGHT]))
    (tmp_path / "own.json").write_text(json.dumps(HAT))
    arguments, *_, said = handed_on("--data", "my.csv", "--task-file", "own.json", "--out", "out")
    assert arguments.experiment.tasks == ("age", "hat") and TASKS["hat"].classes == tuple(HAT[0]["classes"])
    # What is found in the data is told once more when they are trained on.
    assert "height" not in TASKS and "out" not in said
    data = ("--dataset", "csv_file", "--data", "my.csv")
    _, _, said = run("audit", *data, "--task-file", "own.json", "--out", "audit")
    assert "tasks.json: not read, since own.json is named in its place\n" in said
    # The file beside it alone counts again afterwards, and named itself it is no other.
    del TASKS["hat"]
    _, _, said = run("audit", *data, "--task-file", "tasks.json", "--out", "audit")
    assert TASKS["hat"].classes == ("yes", "no") and "not read" not in said


def test_of_several_files_one_column_is_one_task(handed_on, own, tmp_path):
    for number, (name, texts) in enumerate({"a": ["yes", "no"], "b": ["no", "perhaps"]}.items()):
        own[15 * number : 15 * number + 15].assign(hat=(texts * 8)[:15]).to_csv(tmp_path / f"{name}.csv", index=False)
    arguments, *_ = handed_on("--data", "a.csv", "--test-data", "b.csv", "--tasks", "hat", "--out", "out")
    assert arguments.experiment.tasks == ("hat",) and TASKS["hat"].classes == ("no", "perhaps", "yes")
    assert "height" not in TASKS, "nobody asked for it"


def test_shards_bring_their_tasks_along(handed_on, own, tmp_path):
    (tmp_path / "tasks.json").write_text(json.dumps(HAT))
    pack_shards(csv_file(tmp_path / "my.csv"), tmp_path / "shards")
    del TASKS["hat"]
    arguments, *_ = handed_on("--data", "shards", "--out", "out")
    assert arguments.experiment.tasks == ("age", "hat")


def test_without_tasks_all_is_learned_that_several_sets_label(handed_on, faces_folder, tmp_path):
    write_faces(tmp_path / "GENKI-4K", LAYOUTS["genki4k"], 4, size=64)
    arguments, read, *_ = handed_on("--data", f"utkface={faces_folder}", "GENKI-4K", "--out", "out")
    assert arguments.experiment.tasks == ("age", "gender", "ethnicity", "smile", "head_pose")
    assert len(read(Path(f"utkface={faces_folder}"), False)) == len(utkface(faces_folder))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--preset", "facenet"], "unknown preset 'facenet'; expected one of facenet_utk, "),
        (["--data", "empty"], "empty: none of the sets of `mtl-keras list datasets` reads it"),
        (["--data", "nowhere"], "nowhere: no such file or folder"),
        (["--data", "cats=empty"], "unknown dataset 'cats'"),
        (["--data", "unlabelled.csv"], "unlabelled.csv: has no column of any task; columns left out"),
        (["--data", "my.csv", "--tasks", "note"], "column 'note': its 30 cells hold 30 different texts; expected"),
        (["--data", "my.csv", "--task-file", "broken.json"], "broken.json: is no JSON"),
        (["--data", "my.csv", "--task-file", "empty"], "empty: cannot be read (not a regular file)"),
        (
            ["--data", "tabs.csv"],
            "tabs.csv: starts with 'path\\tage', so its columns seem to be separated by tabs; exp",
        ),
        (["--data", "blank.csv"], "blank.csv: no image has a label of any task"),
    ],
)
def test_mistakes_are_one_line(handed_on, own, tmp_path, words, says):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text("[{")
    own[["path", "note"]].to_csv(tmp_path / "unlabelled.csv", index=False)
    own[["path"]].assign(age=None).to_csv(tmp_path / "blank.csv", index=False)
    own[["path", "age"]].to_csv(tmp_path / "tabs.csv", index=False, sep="\t")
    assert says in handed_on(*words, "--out", "out")


def test_audit_pack_and_crop_know_tasks_of_ones_own(run, own, tmp_path, monkeypatch):
    (tmp_path / "own.json").write_text(json.dumps(HAT))
    data = ("--dataset", "csv_file", "--data", tmp_path / "my.csv", "--task-file", tmp_path / "own.json")
    code, said, _ = run("audit", *data, "--out", tmp_path / "audit")
    assert code == 0 and "hat" in said
    del TASKS["hat"]
    assert run("pack", *data, "--out", tmp_path / "shards")[0] == 0
    del TASKS["hat"]
    assert shard_table(read_shards(tmp_path / "shards"))["hat"].value_counts().to_dict() == {"yes": 10, "no": 10}
    del TASKS["hat"]
    photos = []
    monkeypatch.setattr("mtl_keras.commands.data.crop_faces", lambda table, *_, **options: photos.append(table))
    with pytest.raises(TypeError):  # there are no crops to count
        run("crop", *data, "--out", tmp_path / "crops")
    assert photos[0]["hat"].notna().sum() == 20


def test_numbers_known_as_intervals_alone_are_tasks(handed_on, own, tmp_path):
    ages, heights = ["20-29", "70+", ""] * 10, ["160-170", "", "180+"] * 10
    own.assign(age=ages, height=heights)[["path", "age", "height"]].to_csv(tmp_path / "my.csv", index=False)
    arguments, read, *_, said = handed_on("--data", "my.csv", "--out", "out")
    assert arguments.experiment.tasks == ("age", "height") and "20 of the labels are intervals" in said
    assert read(Path("my.csv"), False)["height.low"].dropna().unique().tolist() == [160, 180]


def test_a_head_pose_without_one_of_its_angles_is_told(handed_on, own, tmp_path):
    angles = {"head_pose.yaw": 3.0, "head_pose.pitch": 4.0}
    own[["path", "age"]].assign(**angles).to_csv(tmp_path / "my.csv", index=False)
    arguments, *_, said = handed_on("--data", "my.csv", "--out", "out")
    assert arguments.experiment.tasks == ("age",)
    assert "my.csv: head_pose is left out, since head_pose.roll has no label\n" in said


def test_ends_of_intervals_are_no_tasks_of_ones_own(handed_on, own, tmp_path):
    ends = {"age.low": [20, 30, 70] * 10, "age.high": [29, 39, None] * 10}
    own[["path", "hat"]].assign(**ends).to_csv(tmp_path / "my.csv", index=False)
    assert handed_on("--data", "my.csv")[0].experiment.tasks == ("age", "hat")


def test_a_task_file_that_was_edited_is_not_replaced(handed_on, own, tmp_path):
    handed_on("--data", "my.csv", "--out", "out")
    file = tmp_path / "out" / "tasks.json"
    # As in a new process, which does not know them.
    TASKS.pop("hat"), TASKS.pop("height")
    handed_on("--data", "my.csv", "--out", "out")
    TASKS.pop("hat"), TASKS.pop("height")
    file.write_text(file.read_text().replace("categorical", "ordinal"))
    assert "was edited" in handed_on("--data", "my.csv", "--out", "out") and "ordinal" in file.read_text()
