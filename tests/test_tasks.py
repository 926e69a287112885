"""Tasks: widths, columns and refusals, and the published numbers of classes."""

import json
from dataclasses import FrozenInstanceError, asdict, replace

import pytest

from mtl_keras.errors import UserError
from mtl_keras.tasks import (
    AGE,
    AGE_ARGMAX,
    AGE_REGRESSION,
    BUILT_IN,
    ETHNICITY,
    GENDER,
    HEAD_POSE,
    TASKS,
    Task,
    add_task,
    find,
    task_from,
)


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


@pytest.fixture
def no_new_tasks():
    """TASKS as it was before, once the test is over."""
    before = dict(TASKS)
    yield
    TASKS.clear()
    TASKS.update(before)


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


@pytest.mark.parametrize(
    "task", [*TASKS.values(), AGE_ARGMAX, AGE_REGRESSION, Task("mood", "regression", range=(0, 1))]
)
def test_a_task_is_read_back_from_json(task):
    assert task_from(json.loads(json.dumps(asdict(task)))) == task


def test_what_an_older_version_did_not_note_is_taken_from_the_task_of_that_name():
    fields = {"name": "age", "kind": "expectation", "classes": [], "values": list(AGE.values), "outputs": []}
    assert task_from(fields) == AGE
    fields = {"name": "head_pose", "kind": "regression", "outputs": list(HEAD_POSE.outputs)}
    assert task_from(fields) == replace(HEAD_POSE, kind="regression")
    assert task_from({"name": "mood", "kind": "regression"}) == Task("mood", "regression")


def test_find_keeps_the_order():
    assert [task.name for task in find(["gender", "age"])] == ["gender", "age"]


@pytest.mark.parametrize("names", [["age", "shoe_size"], [], ["age", "age"]])
def test_find_refuses_unknown_repeated_and_no_names(names):
    with pytest.raises(UserError) as error:
        find(names)
    assert "\n" not in str(error.value)
