"""Copies of one image in several parts: which rows they are, what is said of them, and which are dropped."""

import pandas as pd
import pytest

from mtl_keras.data.leaks import leak_note, leaks, resolve_leaks
from mtl_keras.errors import UserError


def table() -> pd.DataFrame:
    """Image 0 is in train and test, 1 in validation and test, 2 twice in train, 3 in train and no part; one group."""
    return pd.DataFrame(
        {
            "path": list("abcdefghi"),
            "source": ["x"] * 4 + ["y"] * 5,
            "split": ["train", "test", "validation", "test", "train", "train", "train", None, "test"],
            "image": [0, 0, 1, 1, 2, 2, 3, 3, 4],
            "group": 0,
        }
    )


def test_leaks_are_the_rows_of_images_in_several_parts():
    assert leaks(table())["path"].tolist() == list("abcd")
    # Before the images are checked, of groups.
    assert leaks(table().drop(columns="image"))["path"].tolist() == list("abcdefgi")


def test_what_is_said_names_number_set_and_parts():
    note = leak_note(table())
    assert note.startswith("in several parts (train, validation, test) of x: 2 photos, so figures flatter; ")
    assert "--leaks drop" in note and "\n" not in note
    assert "(train, validation, test) of x, y: 1 group, so" in leak_note(table().drop(columns="image"))
    assert leak_note(table()[4:]) == leak_note(table().assign(split=None)) == ""


def test_the_copy_of_the_earlier_part_is_dropped():
    given = table()
    pd.testing.assert_frame_equal(resolve_leaks(given, "keep"), given)
    dropped = resolve_leaks(given, "drop")
    assert dropped["path"].tolist() == list("bdefghi") and leaks(dropped).empty
    assert dropped.attrs["skipped"] == [
        {"path": "a", "reason": "a copy of this train image is a test image"},
        {"path": "c", "reason": "a copy of this validation image is a test image"},
    ]
    with pytest.raises(UserError, match="leaks 'merge': expected keep or drop"):
        resolve_leaks(given, "merge")
