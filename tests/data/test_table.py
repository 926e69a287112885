"""The label table: joining, checking, encoding, and its file."""

import errno

import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.split import split
from mtl_keras.data.table import combine, complete, encode, label_columns, read_table, write_table
from mtl_keras.errors import UserError
from mtl_keras.files import replacing
from mtl_keras.tasks import AGE, EXPRESSION, GENDER, HEAD_POSE, SMILE


def make_table(count: int, source: str = "faces", **columns) -> pd.DataFrame:
    """A table of `count` rows, each its own group, with ages spread over 0 to 116."""
    table = pd.DataFrame({"path": [f"/data/{source}/{number:05d}.jpg" for number in range(count)], "source": source})
    table["age"] = np.random.default_rng(0).integers(0, 117, count).astype(float)
    return table.assign(**columns)


# === combine ===


def test_combine_keeps_what_stands_in_attrs():
    first, second = make_table(3, "a", age=1.0), make_table(2, "b", age=2.0)
    first.attrs = {"units": {"height": "cm"}, "audit": {"images": 3, "unreadable": 1}, "license": "first"}
    second.attrs = {"units": {"age": "years"}, "audit": {"images": 2, "unreadable": 0}, "license": "second"}
    assert combine([first, second]).attrs == {
        "skipped": [],
        "deviations": [],
        "units": {"height": "cm", "age": "years"},
        "audit": {"images": 5, "unreadable": 1},
        "license": "first",
    }
    # Not all images were checked, so there are no counts of all.
    del second.attrs["audit"]
    attrs = combine([second, first]).attrs
    assert "audit" not in attrs and attrs["license"] == "second"
    assert first.attrs["units"] == {"height": "cm"}


def test_combine_leaves_blanks_and_keeps_groups_apart():
    ages = make_table(4, "ages", group=[7, 7, 9, 9])
    smiles = make_table(3, "smiles", group=[7, 8, 8], smile=["smiling", None, "not_smiling"]).drop(columns="age")
    table = combine([ages, smiles])
    assert table.columns.tolist() == ["path", "source", "split", "group", "age", "smile"]
    assert table["age"].notna().tolist() == [True] * 4 + [False] * 3
    assert table["smile"].tolist()[4:] == ["smiling", pytest.approx(np.nan, nan_ok=True), "not_smiling"]
    group = table["group"].tolist()
    assert group[0] == group[1] != group[2] == group[3] and group[5] == group[6] != group[4]
    assert not set(group[:4]) & set(group[4:])


def test_combine_joins_what_was_skipped():
    first, second = make_table(2, "a"), make_table(2, "b")
    first.attrs["skipped"] = [{"path": "x.jpg", "reason": "empty"}]
    second.attrs["skipped"] = [{"path": "y.jpg", "reason": "truncated"}]
    skipped = [{"path": "x.jpg", "reason": "empty"}, {"path": "y.jpg", "reason": "truncated"}]
    assert combine([first, second]).attrs["skipped"] == skipped
    assert first.attrs["skipped"] == skipped[:1]


def test_notes_are_read_once_and_shared_by_what_is_made_of_a_table():
    # Deep copies of 100,000 notes, which pandas makes at every step, would take a second each.
    first = make_table(30, "first")
    first.attrs["skipped"] = [{"path": "x.jpg", "reason": "empty"}]
    table = combine(iter([first]))
    assert table.attrs["skipped"] == first.attrs["skipped"]
    assert table.head().attrs["skipped"] is table.attrs["skipped"]
    parts = split(table, stratify=None)
    assert all(part.attrs["skipped"] is parts[0].attrs["skipped"] for part in parts)
    first.attrs["skipped"].clear()
    assert len(table.attrs["skipped"]) == len(parts[0].attrs["skipped"]) == 1


def test_combine_refuses_one_dataset_twice_and_nothing():
    for one in (make_table(2, "a"), {"a": make_table(2, "a")}):
        with pytest.raises(UserError, match="^tables: got a .*; expected a list of label tables"):
            combine(one)
    with pytest.raises(UserError, match="00000.jpg' is in the tables twice"):
        combine([make_table(2), make_table(2)])
    with pytest.raises(UserError, match="no label table"):
        combine([])


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        ("gender", ["male", "femal"], "'gender': got 'femal' .*expected one of male, female"),
        ("age", [3.0, 117.0], r"'age': got .*117.* expected a number from 0 to 116 years"),
        ("age", [3.0, -1.0], "'age': got .*-1"),
        ("age", ["3", "old"], "'age': got 'old'"),
        ("head_pose.yaw", [0.0, np.inf], "'head_pose.yaw': got .*inf.* expected a finite number"),
        ("group", [0, "anna"], "'group': got 'anna', expected a whole number"),
        ("group", [0, np.inf], "'group': got .*inf.*, expected a whole number"),
        ("group", [0, 1.5], "'group': got .*1.5.*, expected a whole number"),
        ("group", [0, 1e300], "'group': got .*1e[+]300.*, expected a whole number"),
        ("group", [0, 2**53 + 2], "'group': got .*, expected a whole number below 2.53"),
        ("group", ["0", "nan"], "'group': got 'nan', expected a whole number"),
        ("age", ["3", "nan"], "'age': got 'nan'"),
        ("split", ["train", "dev"], "'split': got 'dev'"),
        ("path", ["a.jpg", None], "`path`"),
    ],
)
def test_wrong_cells_are_named(column, cells, message):
    table = make_table(2).assign(**{column: cells})
    with pytest.raises(UserError, match=message):
        combine([table])


def test_table_without_path_is_refused():
    with pytest.raises(UserError, match="`path`"):
        complete(pd.DataFrame({"age": [1.0]}))


# === encode ===


def test_encode_gives_numbers_and_a_mask():
    table = make_table(3, gender=["female", None, "male"], age=[116.0, 0.0, np.nan])
    labels, mask = encode(table, GENDER)
    assert labels.dtype == np.int32 and labels.tolist() == [1, 0, 0]
    assert mask.dtype == np.float32 and mask.tolist() == [1, 0, 1]
    labels, mask = encode(table, AGE)
    assert labels.dtype == np.float32 and labels.tolist() == [116, 0, 0] and mask.tolist() == [1, 1, 0]


def test_encode_of_several_outputs_masks_a_row_that_lacks_one():
    table = make_table(2).assign(**{"head_pose.yaw": [1.0, 2.0], "head_pose.pitch": [3.0, None], "head_pose.roll": 5.0})
    labels, mask = encode(table, HEAD_POSE)
    assert labels.tolist() == [[1, 3, 5], [0, 0, 0]] and mask.tolist() == [1, 0]


def test_encode_of_a_task_without_labels_is_all_masked():
    labels, mask = encode(make_table(4), SMILE)
    assert labels.tolist() == mask.tolist() == [0, 0, 0, 0]
    with pytest.raises(UserError, match="'expression': got 'glad'"):
        encode(make_table(1, expression=["glad"]), EXPRESSION)


def test_label_columns_follow_the_tasks():
    table = make_table(1, smile=["smiling"], identity=[3])
    assert label_columns(table) == ["age", "smile"]


# === files ===


def test_table_file_gives_the_same_table(tmp_path):
    table = complete(make_table(5, gender=["male", None, "female", None, "male"], smile=[None] * 5))
    table["path"] = table["path"].mask(table.index == 0, 'a, "b"é\n.jpg')
    write_table(table, tmp_path / "new" / "table.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "new" / "table.csv"), table)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["table.csv"]


def test_table_file_mistakes_are_named(tmp_path):
    (tmp_path / "bad.csv").write_text("path,gender\na.jpg,femal\n")
    (tmp_path / "ragged.csv").write_text('path,gender\n"a.jpg\n')
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    for name, message in [("none", "none.csv"), ("bad", "'femal'"), ("ragged", "CSV"), ("binary", "CSV")]:
        with pytest.raises(UserError, match=message) as caught:
            read_table(tmp_path / f"{name}.csv")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("header", ["path,age, gender,note", "Path,AGE,Gender,note", "path,age,gen-der,note"])
def test_near_names_in_a_table_file_are_read_as_they_are_meant_and_told(tmp_path, header):
    (tmp_path / "table.csv").write_text(f"{header}\na.jpg,3,male,x\nb.jpg,,female,y\n")
    table = read_table(tmp_path / "table.csv")
    assert table["gender"].tolist() == ["male", "female"] and table["age"].tolist()[0] == 3
    assert table["note"].tolist() == ["x", "y"]
    (entry,) = table.attrs["deviations"]
    assert entry["path"] == str(tmp_path / "table.csv") and "read as they are meant" in entry["reason"]


def test_full_disk_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("good")
    with pytest.raises(UserError, match="No space left"), replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(RuntimeError), replacing(path):
        raise RuntimeError
    assert path.read_text() == "good" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(UserError, match="cannot be written"):
        write_table(make_table(1), path / "below.csv")


def test_combine_balances_sources():
    first = pd.DataFrame({"path": ["a", "b", "c"], "source": "x", "age": [1, 2, 3]})
    second = pd.DataFrame({"path": ["d"], "source": "y", "smile": ["smiling"]})
    assert "times" not in combine([first, second])
    assert combine([first, second], balance={"y": 10})["times"].tolist() == [1, 1, 1, 10]
    assert combine([first, second], balance="sources")["times"].tolist() == pytest.approx([2 / 3] * 3 + [2])
