"""Tasks: widths, columns and refusals, and the published numbers of classes."""

from dataclasses import FrozenInstanceError

import pytest

from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE, AGE_ARGMAX, AGE_REGRESSION, ETHNICITY, GENDER, HEAD_POSE, TASKS, Task, find


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "ordinal"}, "'ordinal'.*categorical, expectation, regression"),
        ({"kind": "categorical"}, "`classes`, got 0"),
        ({"kind": "categorical", "classes": ("only",)}, "`classes`, got 1"),
        ({"kind": "expectation", "classes": ("a", "b")}, "`values`, got 0"),
        ({"kind": "expectation", "values": (0.0, 1.0), "readout": "median"}, "'median'.*mean or argmax"),
    ],
)
def test_impossible_tasks_are_refused(settings, message):
    with pytest.raises(UserError, match=message) as error:
        Task("mine", **settings)
    assert "'mine'" in str(error.value) and "\n" not in str(error.value)


def test_find_keeps_the_order():
    assert [task.name for task in find(["gender", "age"])] == ["gender", "age"]


@pytest.mark.parametrize("names", [["age", "shoe_size"], [], ["age", "age"]])
def test_find_refuses_unknown_repeated_and_no_names(names):
    with pytest.raises(UserError) as error:
        find(names)
    assert "\n" not in str(error.value)
