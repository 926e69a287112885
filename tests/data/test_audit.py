"""Checking a label table against its images: what is dropped, grouped, and in disagreement."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mtl_keras.data.audit import check_images, conflicts, oddities, resolve_conflicts, tell
from mtl_keras.data.audit_page import suspicious
from mtl_keras.data.split import split
from mtl_keras.data.table import complete, encode_intervals
from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE


def make_table(folder: Path, kinds: list[int], **columns) -> pd.DataFrame:
    """A table of one file a kind; equal kinds are equal pictures, and a negative kind is a damaged file."""
    paths = []
    for number, kind in enumerate(kinds):
        paths.append(str(folder / f"{number}.png"))
        small = np.random.default_rng(abs(kind)).integers(0, 256, (12, 12, 3), np.uint8)
        Image.fromarray(small).resize((96 + number, 96 + number), Image.Resampling.BICUBIC).save(paths[-1])
        if kind < 0:
            Path(paths[-1]).write_bytes(Path(paths[-1]).read_bytes()[:-400])
    return pd.DataFrame({"path": paths, **columns})


def test_unreadable_rows_are_listed_and_copies_grouped(tmp_path):
    table = make_table(tmp_path, [1, 2, -3, 1, 4], age=[1.0, 2.0, 3.0, 4.0, 5.0])
    table.attrs["skipped"] = [{"path": "earlier.jpg", "reason": "no age"}]
    checked = check_images(table, tmp_path / "cache.npz")
    assert checked["age"].tolist() == [1, 2, 4, 5]
    assert checked["group"].tolist() == checked["image"].tolist() == [0, 1, 0, 2]
    assert [entry["path"] for entry in checked.attrs["skipped"]] == ["earlier.jpg", table["path"][2]]
    assert checked.attrs["skipped"][1]["reason"].startswith("truncated or damaged")
    assert checked.attrs["audit"] == {
        "images": 4, "unreadable": 1, "identical_groups": 0, "identical_images": 0, "copy_groups": 1, "copy_images": 2,
    }  # fmt: skip
    assert len(table) == 5 and len(table.attrs["skipped"]) == 1


def test_groups_of_the_dataset_are_kept_and_grow(tmp_path):
    # Rows 0 and 1 are one person, rows 2 and 3 another, and rows 1 and 2 one picture: all four belong together.
    table = make_table(tmp_path, [1, 2, 2, 3, 4], group=[5, 5, 8, 8, 9])
    checked = check_images(table)
    assert checked["group"].tolist() == [0, 0, 0, 0, 1]
    assert checked["image"].tolist() == [0, 1, 1, 2, 3]


def test_checked_copies_are_never_split(tmp_path):
    table = make_table(tmp_path, [number // 2 for number in range(60)])
    train, validation, test = split(check_images(table))
    assert len(train) + len(validation) + len(test) == 60
    assert not set(train["group"]) & (set(validation["group"]) | set(test["group"]))
    assert test["group"].value_counts().eq(2).all()


def test_only_unreadable_images_are_an_error(tmp_path):
    with pytest.raises(UserError, match="none of 2 images can be read; the first is .*truncated"):
        check_images(make_table(tmp_path, [-1, -2]))


def labelled() -> pd.DataFrame:
    """Copies 0-1 disagree in age, 2-3 agree, of 4-6 one lacks its gender and two disagree in it; group 0 is wider."""
    return pd.DataFrame(
        {
            "path": list("abcdefg"),
            "group": [0, 0, 0, 0, 1, 1, 1],
            "image": [0, 0, 1, 1, 2, 2, 2],
            "age": [1.0, 2.0, 3.0, 3.0, 4.0, 4.0, 4.0],
            "gender": ["male", "male", "male", "male", None, "male", "female"],
        }
    )


def test_conflicts_name_the_rows_and_columns():
    found = conflicts(labelled())
    assert found["path"].tolist() == list("abefg")
    assert found["disagree"].tolist() == ["age", "age", "gender", "gender", "gender"]


def test_conflicts_are_judged_by_group_before_the_images_are_checked():
    found = conflicts(labelled().drop(columns="image"))
    assert found["disagree"].tolist() == ["age"] * 4 + ["gender"] * 3


def test_conflicts_are_kept_dropped_or_blanked():
    table = labelled()
    pd.testing.assert_frame_equal(resolve_conflicts(table, "keep"), table)
    dropped = resolve_conflicts(table, "drop")
    assert dropped["path"].tolist() == ["c", "d"]
    assert dropped.attrs["skipped"][0] == {"path": "a", "reason": "copies of this image disagree in age"}
    assert len(dropped.attrs["skipped"]) == 5
    blanked = resolve_conflicts(table, "blank")
    assert blanked["age"].isna().tolist() == [True, True, False, False, False, False, False]
    assert blanked["gender"].isna().tolist() == [False, False, False, False, True, True, True]
    assert conflicts(blanked).empty and conflicts(dropped).empty
    assert table.equals(labelled())
    with pytest.raises(UserError, match="'merge': expected keep, drop or blank"):
        resolve_conflicts(table, "merge")


@pytest.mark.parametrize(
    ("ages", "columns"),
    [
        (("20-29", "25-34"), None),
        (("20-29", "20-39"), None),
        (("20-29", "25", None), None),
        (("70+", "71"), None),
        (("20-29", "20-24", "26-29"), "age.low, age.high"),
        (("60-69", "25"), "age, age.low, age.high"),
        (("70+", "60-69"), "age.low, age.high"),
    ],
)
def test_copies_disagree_in_a_number_where_none_is_in_all_their_intervals(ages, columns):
    # Beside them copies of another photo, which must not count.
    rows = pd.DataFrame({"path": list("abcde")[: len(ages)], "image": 0, "age": pd.Series(ages, dtype=object)})
    others = rows.assign(path="z" + rows["path"], image=1, age="20-29")
    table = complete(pd.concat([rows, others], ignore_index=True))
    assert conflicts(table)["disagree"].tolist() == [columns] * len(ages) * bool(columns)
    blanked = resolve_conflicts(table, "blank")
    kept = [0.0 if columns or age is None else 1.0 for age in ages]
    assert encode_intervals(blanked, AGE)[1].tolist() == kept + [1.0] * len(ages)
    assert len(resolve_conflicts(table, "drop")) == len(ages) * (1 if columns else 2)


def test_table_without_conflicts_or_labels():
    table = labelled().iloc[2:4]
    assert conflicts(table).empty and conflicts(table[["path", "group"]]).empty
    assert len(resolve_conflicts(table, "drop")) == 2


def test_what_is_odd_is_said_once_for_each_reason(capsys):
    table = pd.DataFrame({"path": ["a", "b"], "source": "set", "age": [3.0, 4.0]})
    entries = [("list.csv", "columns that are not read: 'x'"), ("a", "no race"), ("b\udce9", "no race")]
    table.attrs["deviations"] = [{"path": path, "reason": reason} for path, reason in entries]
    tell(table)
    assert capsys.readouterr() == ("", "list.csv: columns that are not read: 'x'\na and 1 more: no race\n")
    table.attrs["deviations"] = [{"path": "a", "reason": f"reason {number}"} for number in range(23)]
    assert oddities(table)[18:] == ["a: reason 18", "a: reason 19", "and 3 other oddities"]
    assert oddities(pd.DataFrame({"path": ["a"], "age": [3.0]})) == []


def test_a_label_of_which_a_set_has_one_class_or_none_is_said():
    rows = {"path": list("abcdef"), "source": ["one"] * 3 + ["two"] * 3}
    table = pd.DataFrame({**rows, "gender": ["male"] * 3 + ["male", "female", None], "smile": [None] * 6})
    table["age"] = [7.0, 7.0, np.nan, np.nan, np.nan, 7.0]
    assert oddities(table) == [
        "one: all 2 labels of age are 7.0: there is nothing to tell apart",
        "one: all 3 labels of gender are male: there is nothing to tell apart",
        "smile: no image has this label",
    ]
    assert oddities(table.drop(columns="source"))[0] == "all 3 labels of age are 7.0: there is nothing to tell apart"


def test_two_faces_of_one_photo_are_no_copies_but_stay_together(tmp_path):
    table = make_table(tmp_path, [1, 1, 2], box=["1 2 9 9"] * 3, gender=["male", "female", "female"])
    table["path"] = table["path"][[0, 0, 2]].to_numpy()
    table.loc[1, "box"] = "30 2 9 9"
    checked = check_images(table)
    assert checked["image"].nunique() == 3 and checked["group"].tolist() == [0, 0, 1]
    assert checked.attrs["audit"]["identical_images"] == checked.attrs["audit"]["copy_images"] == 0
    assert conflicts(checked).empty and suspicious(checked).empty


def test_a_number_that_a_set_knows_as_intervals_alone_is_told():
    table = pd.DataFrame({"path": ["a.jpg", "b.jpg", "c.jpg"], "age": ["20-29", "3-9", "5"], "source": ["x", "x", "y"]})
    assert oddities(table) == [
        "x: all 2 labels of age are intervals: the share of answers within them is measured, and no error"
    ]
    assert not oddities(table.assign(source="x"))
