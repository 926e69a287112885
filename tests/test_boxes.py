"""The column `box` of a label table, and that no whole photo is taken for the face in it."""

import numpy as np
import pandas as pd
import pytest

from mtl_keras.boxes import box_numbers, box_texts, refuse_boxes, repeated
from mtl_keras.data.packing import pack_shards
from mtl_keras.data.pipeline import InputSpec, batches
from mtl_keras.data.split import split
from mtl_keras.data.table import combine, complete, read_table, write_table
from mtl_keras.errors import UserError
from mtl_keras.serving.people.same_person import same_person_rates


def faces(**columns) -> pd.DataFrame:
    """Two photos of two people and one of one."""
    paths, boxes = ["a.jpg", "a.jpg", "b.jpg", "b.jpg", "c.jpg"], ["1 2 30 40", "50 2 30 40"] * 2 + [None]
    return pd.DataFrame({"path": paths, "box": boxes, "age": [30.0, 4.0, 50.0, 60.0, 7.0], **columns})


def test_a_box_is_four_numbers_in_one_spelling():
    numbers = box_numbers(pd.Series([" 1.50  -2 3 4 ", None, "10 20 30 40.0"]))
    np.testing.assert_array_equal(numbers, [[1.5, -2, 3, 4], [np.nan] * 4, [10, 20, 30, 40]])
    assert box_texts(numbers).fillna("").tolist() == ["1.5 -2 3 4", "", "10 20 30 40"]
    assert box_texts(np.array([[1, 2, 0, 4], [1, 2, np.inf, 4], [1, 2, 1e7, 4]])).isna().all()
    assert len(box_numbers(pd.Series([], dtype=object))) == 0


@pytest.mark.parametrize("cell", ["1 2 3", "1 2 3 4 5", "1,2,3,4", "1 2 0 4", "1 2 3 -4", "1 2 inf 4", "1 2 3 1e7", 5])
def test_what_is_no_box_is_one_line(cell, one_line):
    with one_line(f"got {cell!r} .a.jpg.; expected .x y width height. in pixels", "column 'box'"):
        complete(pd.DataFrame({"path": ["a.jpg"], "box": [cell]}))


def test_the_faces_of_a_photo_are_rows_of_one_group():
    # A photo may be written in two ways.
    assert complete(faces(path=["x/a.jpg", "x/../x/a.jpg", "b.jpg", "b.jpg", "c.jpg"]))["group"].nunique() == 3
    # A person who is in both photos joins them.
    table = complete(faces(group=[5, 6, 5, 9, None]))
    assert table.columns.tolist()[:2] == ["path", "box"] and table["group"].tolist()[:4] == [5] * 4
    assert table["group"][4] != 5 and complete(faces())["group"].nunique() == 3
    for seed in range(5):
        parts = split(pd.concat([faces(path=[f"{n}{p}" for p in "aabbc"]) for n in range(20)]), seed=seed)
        assert not {*parts[0]["path"]} & ({*parts[1]["path"]} | {*parts[2]["path"]})


def test_faces_of_one_photo_in_several_parts_are_one_line(one_line):
    with one_line("its faces are in several parts .test and train.; give all of them one `split`", "a.jpg"):
        complete(faces(split=["train", "test", None, None, None]))


def test_a_face_is_there_once():
    assert len(combine([faces()])) == 5 and repeated(faces()) == ""
    assert repeated(faces(box=["1 2 30 40", None] + [None] * 3)) == "a.jpg"
    assert repeated(faces(box=["1 2 30 40", "1.0 2 30 40.0"] + [None] * 3)) == "a.jpg"
    with pytest.raises(UserError, match="'b.jpg' is in the tables twice; .* give each of several faces .* a `box`"):
        combine([faces(), faces()[3:4].assign(box="50.0 2 30 40")])


def test_a_table_with_boxes_comes_back_from_a_file(tmp_path):
    write_table(complete(faces()), tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), complete(faces()), check_dtype=False)


@pytest.mark.parametrize(
    "read",
    [
        lambda table, out: batches(table, InputSpec([], 16)),
        lambda table, out: pack_shards(table, out),
        lambda table, out: same_person_rates(table, None),
    ],
    ids=["batches", "shards", "identities"],
)
def test_no_whole_photo_is_taken_for_a_face(read, tmp_path, one_line):
    with one_line("has a `box`, and the whole photo would be taken .*; cut the faces out first", "a.jpg"):
        read(complete(faces()), tmp_path)
    refuse_boxes(complete(faces(box=None)))
