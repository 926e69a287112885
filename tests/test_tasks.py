"""Tasks: widths, columns and refusals, and the published numbers of classes."""

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mtl_keras
from mtl_keras.data.audit_page import write_report
from mtl_keras.datasets.csv_file import LEFT_OUT
from mtl_keras.errors import UserError
from mtl_keras.tasks import (
    AGE,
    AGE_ARGMAX,
    AGE_REGRESSION,
    BUILT_IN,
    ETHNICITY,
    GENDER,
    HEAD_POSE,
    PERSON_KEYS,
    TASKS,
    Task,
    add_task,
    find,
    task_from,
)
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.model_folder import load

ROOT = Path(__file__).parents[1]
MOOD = Task("mood", "regression", unit="points", within=0.1, range=(0, 1))
HAIRCUT = Task("haircut", "ordinal", classes=("short", "medium", "long"))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("age", 117),
        ("age_group", 5),
        ("gender", 2),
        ("ethnicity", 5),
        ("smile", 2),
        ("eyeglasses", 2),
        ("expression", 7),
        ("head_pose", 3),
    ],
)
def test_sizes_are_those_of_the_data_sets(name, size):
    assert TASKS[name].size == size


def test_the_table_names_each_task_as_it_names_itself():
    assert {name: task.name for name, task in TASKS.items()} == {name: name for name in TASKS}


def test_columns_are_the_name_or_one_an_output():
    assert GENDER.columns == ("gender",)
    assert HEAD_POSE.columns == ("head_pose.yaw", "head_pose.pitch", "head_pose.roll")
    columns = [column for task in TASKS.values() for column in task.columns]
    assert len(columns) == len(set(columns))


def test_order_of_classes_is_that_of_utkface():
    assert GENDER.classes == ("male", "female")
    assert ETHNICITY.classes == ("white", "black", "asian", "indian", "others")
    assert AGE.values[0] == 0 and AGE.values[-1] == 116


def test_ways_to_learn_age_share_its_name_and_column():
    assert AGE.columns == AGE_ARGMAX.columns == AGE_REGRESSION.columns == ("age",)
    assert AGE_ARGMAX.readout == "argmax" and AGE_ARGMAX.size == 117
    assert AGE_REGRESSION.size == 1


def test_tasks_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        AGE.name = "years"


def test_lists_are_taken_as_tuples():
    task = Task("mood", "regression", outputs=["joy", "fear"], range=[0, 1])
    assert (task.outputs, task.range) == (("joy", "fear"), (0, 1)) and isinstance(hash(task), int)


# === A task of one's own ===


def test_an_added_task_is_found_by_its_name(no_new_tasks):
    task = Task("mood", "regression", range=(0, 1))
    assert add_task(task) is task and find(["mood", "age"]) == [task, AGE]
    assert add_task(Task("mood", "regression", range=[0, 1])) == task and list(TASKS) == [*BUILT_IN, "mood"]
    assert add_task(AGE) == AGE


def test_another_definition_under_a_known_name_is_refused():
    with pytest.raises(UserError, match="'age'.*another readout; give it another name"):
        add_task(AGE_ARGMAX)
    assert TASKS["age"] == AGE


@pytest.mark.parametrize("name", ["path", "times", "head_pose.yaw", "age-2", "a,b", "", "of a kind"])
def test_names_that_a_column_has_or_cannot_have_are_refused(name):
    with pytest.raises(UserError, match="expected a name of letters"):
        add_task(Task(name, "regression"))
    assert list(TASKS) == [*BUILT_IN]


@pytest.mark.parametrize("task", [*TASKS.values(), AGE_ARGMAX, AGE_REGRESSION, MOOD, HAIRCUT], ids=str)
def test_a_task_is_read_back_from_json(task):
    assert task_from(json.loads(json.dumps(asdict(task)))) == task


def test_what_an_older_version_did_not_note_is_taken_from_the_task_of_that_name():
    fields = {"name": "age", "kind": "expectation", "classes": [], "values": list(AGE.values), "outputs": []}
    assert task_from(fields) == AGE
    fields = {"name": "head_pose", "kind": "regression", "outputs": list(HEAD_POSE.outputs)}
    assert task_from(fields) == replace(HEAD_POSE, kind="regression")
    assert task_from({"name": "mood", "kind": "regression"}) == Task("mood", "regression")


@pytest.fixture
def own_csv(faces, tmp_path) -> Path:
    """A CSV file of rendered faces with two labels of one's own, each with blanks, and a column that is no label."""
    random = np.random.default_rng(0)
    table = faces[["path", "age", "gender"]].assign(shoe_size=42)
    table["mood"] = np.where(random.random(len(table)) < 0.8, random.random(len(table)).round(2), np.nan)
    table["haircut"] = np.where(
        random.random(len(table)) < 0.8, np.resize([*HAIRCUT.classes, "short"], len(table)), None
    )
    table.to_csv(tmp_path / "own.csv", index=False)
    return tmp_path / "own.csv"


def test_a_task_of_ones_own_is_read_balanced_audited_and_packed(own_csv, tmp_path, no_new_tasks, capsys):
    unread = mtl_keras.datasets.csv_file(own_csv)
    assert "mood" not in unread and "'shoe_size', 'mood', 'haircut'" in unread.attrs["deviations"][0]["reason"]
    for task in (MOOD, HAIRCUT):
        add_task(task)
    read = mtl_keras.datasets.csv_file(own_csv)
    assert read.attrs["deviations"][0]["reason"] == f"{LEFT_OUT}: 'shoe_size'"
    expected = pd.read_csv(own_csv)
    table = mtl_keras.combine([read], balance="haircut")
    for column in ("mood", "haircut"):
        assert table[column].equals(expected[column].astype(table[column].dtype)) and table[column].isna().any()
    assert table["times"].nunique() > 1
    parts = mtl_keras.split(table, stratify="haircut")
    assert all({"mood", "haircut"} <= {*part} for part in parts)
    assert {*parts[0]["haircut"].dropna()} == {*HAIRCUT.classes}
    report = write_report(mtl_keras.check_images(table), tmp_path / "audit")
    lowest = math.floor(10 * expected["mood"].min()) / 10
    assert f"{lowest:g} to {lowest + 0.1:g}" in report and report.index("short") < report.index(
        "medium"
    ) < report.index("long")
    manifest = mtl_keras.pack_shards(table.assign(shoe_size=42), tmp_path / "shards")
    assert "not packed, since no task names them: times, shoe_size" in capsys.readouterr().err
    assert manifest["labels"][""]["mood"] == expected["mood"].notna().sum()
    # As another process reads it.
    for task in (MOOD, HAIRCUT):
        del TASKS[task.name]
    shards = mtl_keras.read_shards(tmp_path / "shards")
    again = mtl_keras.shard_table(shards).set_index("path").loc[[Path(path).name for path in table["path"]]]
    assert [TASKS["mood"], TASKS["haircut"]] == [shards.tasks["mood"], shards.tasks["haircut"]] == [MOOD, HAIRCUT]
    for column in ("mood", "haircut"):
        assert again[column].reset_index(drop=True).equals(table[column])


def test_a_label_out_of_range_names_its_image(own_csv, no_new_tasks):
    add_task(MOOD)
    table = mtl_keras.datasets.csv_file(own_csv)
    table.loc[4, "mood"] = 7.0
    name = re.escape(table["path"][4])
    with pytest.raises(UserError, match=rf"'mood': got 7.0 \({name}\), expected a number from 0 to 1 points"):
        mtl_keras.combine([table])


@pytest.mark.slow
def test_a_task_of_ones_own_is_trained_and_measured_also_by_another_process(own_csv, eager, tmp_path, no_new_tasks):
    add_task(MOOD)
    add_task(HAIRCUT)
    table = mtl_keras.combine([mtl_keras.datasets.csv_file(own_csv)])
    experiment = mtl_keras.Experiment(
        tasks=["gender", MOOD, HAIRCUT], backbone="gender_eyeglasses", frozen_epochs=0, epochs=1, augment=False
    )
    assert experiment.tasks == ("gender", "mood", "haircut")
    rows = mtl_keras.run(experiment, table, tmp_path / "out")
    assert {"mood.mae", "mood.cs0_1", "haircut.class_mae", "haircut.accuracy", "gender.accuracy"} <= {*rows[0]}
    folder = next((tmp_path / "out" / "models").iterdir())
    command = [sys.executable, "-m", "mtl_keras.commands.main", "evaluate", folder, "--dataset", "csv_file"]
    out = tmp_path / "figures.json"
    subprocess.run(
        [*command, "--data", own_csv, "--json", out], check=True, env={**os.environ, "PYTHONPATH": ROOT}, cwd=tmp_path
    )
    found = json.loads(out.read_text())["tasks"]
    expected = mtl_keras.evaluate(load(folder), mtl_keras.check_images(table))
    for name, row in expected.iterrows():
        task, metric = name.split(".")
        assert found[task][metric] == pytest.approx(row["value"], rel=1e-4), name
    assert found["mood"]["n"] == table["mood"].notna().sum() > 0


def test_find_keeps_the_order():
    assert [task.name for task in find(["gender", "age"])] == ["gender", "age"]


@pytest.mark.parametrize("names", [["age", "shoe_size"], [], ["age", "age"]])
def test_find_refuses_unknown_repeated_and_no_names(names):
    with pytest.raises(UserError) as error:
        find(names)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "categorical", "classes": ("a", "b", "a")}, "classes has 'a' twice; expected each only once"),
        ({"kind": "categorical", "classes": range(10**6)}, "has 1000000 classes; expected at most 10000"),
        ({"kind": "expectation", "values": range(10**6)}, "has 1000000 values; expected at most 10000"),
        ({"kind": "categorical", "classes": ("a", "\ud800")}, "expected texts of valid Unicode"),
        ({"kind": "categorical", "classes": (0, 1)}, "expected texts, none of them blank"),
        ({"kind": "categorical", "classes": "ab"}, "expected several, in a list or tuple"),
        ({"kind": "regression", "outputs": ("x", "x")}, "outputs has 'x' twice"),
        ({"kind": "regression", "range": (1, 0)}, "expected a smaller and a larger number"),
        ({"kind": "regression", "range": (1,)}, "expected a smaller and a larger number"),
        ({"kind": "regression", "within": -1.0}, "within above 0"),
        ({"kind": "regresion"}, "kind 'regresion' is unknown"),
        ({"kind": "categorical", "classes": ("a",)}, "at least two `classes`"),
    ],
)
def test_a_task_that_cannot_work_is_refused_and_not_entered(fields, said, no_new_tasks):
    with pytest.raises(UserError, match=said):
        mtl_keras.add_task(Task("oops", **fields))
    with pytest.raises(UserError, match=said):
        mtl_keras.Experiment(tasks=["age", Task("oops", **fields)])
    assert "oops" not in TASKS


@pytest.mark.parametrize("name", ["photo", *PERSON_KEYS, "times", "val", "loss", "two words", "gender"])
def test_names_that_stand_for_something_else_are_refused(name, no_new_tasks):
    with pytest.raises(UserError, match=name):
        mtl_keras.add_task(Task(name, "regression", range=(0, 1)))


def test_keras_own_loading_brings_the_tasks_of_a_model_too(tmp_path, no_new_tasks):
    mood = add_task(Task("mood", "regression"))
    MultiTaskModel([mood], "features", image_size=4, shared_units=(3,), head_units=()).save(tmp_path / "model.keras")
    del TASKS["mood"]
    keras.saving.load_model(tmp_path / "model.keras")
    assert TASKS["mood"] == mood


@pytest.mark.parametrize(
    "name", ["left/right", "two words", "quoted'", "a.b", "", "1st", "_own", "größe", "path", "loss", "epoch", 3, None]
)
def test_a_name_that_cannot_be_a_column_and_a_layer_is_one_line(name, one_line):
    with one_line("expected a name of letters", f"task {name!r}"):
        Task(name, "regression")


@pytest.mark.parametrize("name", ["class", "lambda", "Hat_2", "border", "x" * 300])
def test_any_other_name_works(name, no_new_tasks):
    task = Task(name, "categorical", classes=("0", "1"))
    assert MultiTaskModel([task, "age"], "gender_eyeglasses").output_names == [*sorted([name, "age"])]


def test_a_blank_class_and_an_output_with_a_dot_are_one_line(one_line):
    with one_line("none of them blank", "task 'hat'"):
        Task("hat", "categorical", classes=("no", " "))
    with one_line("without a dot", "task 'pose'"):
        Task("pose", "regression", outputs=("a.b",))


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ("age", "tasks 'age': expected several"),
        (AGE, "tasks 'age': expected several"),
        (None, "tasks None: expected several"),
        ([], "expected at least one"),
        ([3], "task 3: expected a Task"),
        (["age", 3], "task 3: expected a Task"),
        (["agee"], "unknown task 'agee'"),
        (["age", AGE], "each only once"),
        ([AGE, AGE_REGRESSION], "each only once"),
    ],
)
def test_what_are_no_tasks_is_one_line(tasks, says, one_line):
    with one_line(says):
        MultiTaskModel(tasks, "gender_eyeglasses")


def test_a_model_takes_names_as_well():
    assert MultiTaskModel(("gender", AGE_REGRESSION), "gender_eyeglasses").tasks == [TASKS["gender"], AGE_REGRESSION]


def test_a_task_named_as_a_layer_is_one_line(one_line):
    with one_line('"normalize" is used 2 times.*Rename one of them'):
        MultiTaskModel([AGE, Task("normalize", "regression")], "gender_eyeglasses")


def test_classes_that_are_numbers_are_read_as_table_programs_write_them(tmp_path, no_new_tasks, one_line):
    add_task(Task("hat", "categorical", classes=("0", "1", "-1")))
    for name in "abcd":
        Image.new("L", (30, 20)).save(tmp_path / f"{name}.png")
    written = pd.DataFrame({"path": ["a.png", "b.png", "c.png", "d.png"], "hat": [1, None, 0, -1]})
    written.to_csv(tmp_path / "hats.csv", index=False)
    assert "1.0" in (tmp_path / "hats.csv").read_text()
    read = mtl_keras.combine([mtl_keras.datasets.csv_file(tmp_path)])
    from_frame = mtl_keras.combine([written])
    for table in (read, from_frame):
        assert table["hat"].fillna("").tolist() == ["1", "", "0", "-1"]
    with one_line("got '1.5' .*, expected one of 0, 1, -1"):
        mtl_keras.combine([written.assign(hat=["1.5", None, None, None])])
