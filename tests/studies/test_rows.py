"""Which rows a network learns from."""

import pandas as pd
import pytest

from mtl_keras.errors import UserError
from mtl_keras.studies.rows import label_part, labelled_rows, mirrored, unlabelled, with_balance
from mtl_keras.studies.settings import Experiment
from mtl_keras.tasks import HEAD_POSE, SMILE, Task


def test_a_task_alone_sees_its_rows_as_often_and_a_wrong_source_is_an_error():
    table = pd.DataFrame(
        {"path": list("abc"), "source": ["utkface", "genki4k", "genki4k"], "smile": [None, "smiling", None]}
    )
    rows = labelled_rows(with_balance(Experiment(balance="genki4k=10"), table), [SMILE])
    assert rows["path"].tolist() == ["b"] and rows["times"].tolist() == [10]
    assert "times" not in with_balance(Experiment(), table)
    with pytest.raises(UserError, match="no source 'genki'"):
        with_balance(Experiment(balance="genki=10"), table)


def test_angles_of_heads_tell_only_runs_apart_that_learn_them():
    table = pd.DataFrame({"path": ["a"], "source": "genki4k", "smile": "smiling", "head_pose.yaw": 1.5})
    table[["head_pose.pitch", "head_pose.roll"]] = 0.5
    assert label_part(table, [SMILE]).columns.tolist() == ["path", "source", "smile"]
    assert label_part(table, [SMILE, HEAD_POSE]).equals(table)


def test_tasks_without_a_label_are_named():
    table = pd.DataFrame({"path": ["a"], "source": "x", "gender": "male", "smile": None})
    assert unlabelled(Experiment(tasks=("gender", "smile", "age")), table) == ["smile", "age"]


def test_labels_of_mirrored_images_are_those_that_someone_knows():
    arrow = Task("arrow", "categorical", classes=("left", "right"), oriented=True)
    table = pd.DataFrame({"path": ["a", "b"], "smile": ["smiling", None], "arrow": ["left", "right"]})
    table[["head_pose.yaw", "head_pose.pitch", "head_pose.roll"]] = [[1.0, 2.0, 3.0], [None, None, None]]
    seen = mirrored(table, [SMILE, HEAD_POSE, arrow])
    assert "arrow" not in seen and seen["smile"].equals(table["smile"])
    assert seen["head_pose.yaw"].tolist()[0] == -1 and seen["head_pose.yaw"].isna().tolist() == [False, True]
    assert seen["head_pose.pitch"].tolist()[0] == 2 and seen["head_pose.roll"].tolist()[0] == -3
    assert mirrored(table[["path", "smile"]], [SMILE, HEAD_POSE]).equals(table[["path", "smile"]])
