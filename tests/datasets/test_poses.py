"""The table of head poses: angles in their columns, and what is left out of it."""

import itertools
import math

import numpy as np
import pytest

from mtl_keras.datasets.poses import pose_table
from mtl_keras.errors import UserError

POSES = {"b.jpg": (1.0, 2.0, 3.0), "a.jpg": (-4.0, 5.0, -6.0), "c.jpg": (10.0, -120.0, 0.0)}


def read(path: str) -> tuple[float, float, float]:
    if path not in POSES:
        raise UserError("no pose")
    return POSES[path]


def test_images_become_rows_in_the_order_of_their_names(tmp_path):
    table = pose_table("set", tmp_path, {"b.jpg": "one", "a.jpg": "two", "c.jpg": "one"}, read)
    assert table.columns.tolist() == [
        *("path", "source", "split", "group", "head_pose.yaw", "head_pose.pitch", "head_pose.roll")
    ]
    assert table["path"].tolist() == ["a.jpg", "b.jpg", "c.jpg"] and table["source"].unique().tolist() == ["set"]
    assert table.filter(like="head_pose").to_numpy().tolist() == [list(POSES[path]) for path in table["path"]]
    assert table["group"].tolist() == [0, 1, 1] and table["split"].isna().all()
    assert table.attrs == {"skipped": [], "deviations": []}


def test_images_without_a_pose_and_beyond_the_largest_angle_are_skipped(tmp_path):
    groups = dict.fromkeys([*POSES, "d.jpg", "e\udce9.jpg"], "")
    table = pose_table("set", tmp_path, groups, read, maximum_angle=99.0)
    assert table["path"].tolist() == ["a.jpg", "b.jpg"]
    assert table.attrs["skipped"] == [
        {"path": "c.jpg", "reason": "an angle of 120.0 degrees is beyond 99"},
        {"path": "d.jpg", "reason": "no pose"},
        {"path": "e?.jpg", "reason": "the name is not valid UTF-8"},
    ]
    with pytest.raises(UserError, match="^d.jpg: no pose; mend or remove it"):
        pose_table("set", tmp_path, groups, read, strict=True)


@pytest.mark.parametrize("pose", [*itertools.permutations((math.nan, 171.9, 1.0))])
def test_an_angle_that_is_no_number_is_skipped_and_an_error_with_strict(tmp_path, pose):
    groups = {"a.jpg": "", "bad.jpg": ""}

    def read_one(path):
        return pose if path == "bad.jpg" else read(path)

    table = pose_table("set", tmp_path, groups, read_one, maximum_angle=99.0)
    assert table["path"].tolist() == ["a.jpg"] and "not all numbers" in table.attrs["skipped"][0]["reason"]
    with pytest.raises(UserError, match="^bad.jpg: .* not all numbers; mend or remove it"):
        pose_table("set", tmp_path, groups, read_one, strict=True)


def test_the_callers_rule_is_no_mistake_in_the_data(tmp_path):
    table = pose_table("set", tmp_path, dict.fromkeys(POSES, ""), read, strict=True, maximum_angle=99.0)
    assert len(table) == 2 and len(table.attrs["skipped"]) == 1
    assert len(pose_table("set", tmp_path, dict.fromkeys(POSES, ""), read, strict=True, maximum_angle=np.inf)) == 3


def test_mistakes_are_one_line_errors(tmp_path):
    with pytest.raises(UserError, match="none of its 1 images can be used; d.jpg: no pose"):
        pose_table("set", tmp_path, {"d.jpg": ""}, read)
    for angle in (0, -1, math.nan):
        with pytest.raises(UserError, match="maximum_angle .*: expected degrees above 0"):
            pose_table("set", tmp_path, {"a.jpg": ""}, read, maximum_angle=angle)
