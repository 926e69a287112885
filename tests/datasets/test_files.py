"""What the readers share: finding a folder, and the label table that they build."""

import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.table import complete
from mtl_keras.datasets.files import label_table
from mtl_keras.errors import UserError
from mtl_keras.files import folder_of


def test_a_label_table_is_complete_as_it_is_built():
    labels = {"gender": ["male", None], "age": [3, np.nan], "head_pose.yaw": np.array([1.5, -2.0], "float32")}
    table = label_table("set", ["a.jpg", "b.jpg"], labels, split=["train", None], group=["x", "x"])
    pd.testing.assert_frame_equal(complete(table), table, check_like=True)
    assert table["group"].tolist() == [0, 0] and table["split"].isna().tolist() == [False, True]
    assert table.attrs == {"skipped": [], "deviations": []}


def test_without_groups_each_row_is_alone_and_without_a_split_it_is_empty():
    table = label_table("set", ["a.jpg", "b.jpg"], {"gender": [None, None]})
    assert table["group"].tolist() == [0, 1] and table["split"].isna().all() and table["gender"].isna().all()


def test_a_missing_folder_and_a_file_in_its_place_are_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="nowhere: no such folder; expected the folder of faces"):
        folder_of(tmp_path / "nowhere", "faces")
    with pytest.raises(UserError, match="is a file; expected the folder of faces"):
        folder_of(tmp_path / "file", "faces")


def test_a_row_whose_group_is_missing_is_alone():
    assert label_table("set", ["a", "b", "c", "d"], {}, group=["x", None, None, "x"])["group"].tolist() == [0, 1, 2, 0]
    assert label_table("set", ["a", "b", "c"], {}, group=[7.0, np.nan, 7.0])["group"].tolist() == [0, 1, 0]
