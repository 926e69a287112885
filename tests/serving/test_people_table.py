"""The table of people: a row each, whatever the names of the files, and only over a table of people."""

import pandas as pd
import pytest

from mtl_keras.serving.people_table import PLACE, check_csv, rows_of, write_people


def person(**answers) -> dict:
    return {
        "box": [1, 2, 30, 40],
        "confidence": 0.9,
        "landmarks": {"left_eye": [1.0, 2.0]},
        "reliable": False,
        "reason": "blurred, cut off",
        **answers,
    }


def test_a_row_a_person_and_a_column_a_number(tmp_path):
    name = 'a, "b"\n c\udcff.jpg'
    several = [person(age={"value": 31.5, "std": None}), person(age={"value": 4.0, "std": 2.5})]
    results = [
        {"path": name, "error": None, "people": several},
        {"path": "nobody.jpg", "error": None, "people": []},
        {"path": "broken.jpg", "error": "damaged", "people": []},
        {"path": None, "error": None, "people": [person(gender={"class": "female", "probability": 0.75})]},
    ]
    write_people(results, tmp_path / "people.csv")
    table = pd.read_csv(tmp_path / "people.csv", encoding_errors="surrogateescape")
    assert list(table) == [*PLACE, "age.value", "age.std", "gender.class", "gender.probability"]
    assert table["path"].fillna("").tolist() == [name, name, ""]
    assert table["person"].tolist() == [1, 2, 1]
    assert table.iloc[0][["x", "y", "width", "height"]].tolist() == [1, 2, 30, 40]
    assert table["reliable"].tolist() == [False] * 3 and table["reason"].tolist() == ["blurred, cut off"] * 3
    assert table["age.value"].tolist()[:2] == [31.5, 4.0] and table["age.std"].isna().tolist() == [True, False, True]
    assert table["gender.class"].fillna("").tolist() == ["", "", "female"]


def test_where_nobody_was_found_the_columns_say_what_would_stand_there(tmp_path):
    assert rows_of([{"path": "a", "error": None, "people": []}]) == []
    write_people([], tmp_path / "people.csv")
    assert (tmp_path / "people.csv").read_text() == ",".join(PLACE) + "\n"


def test_nothing_else_is_written_over(tmp_path, one_line):
    check_csv(None)
    place = tmp_path / "people.csv"
    check_csv(place)
    write_people([], place)
    check_csv(place)
    place.write_text("name,wage\nAnn,5\n")
    with one_line("holds something other than a table of people", start=place):
        check_csv(place)
    with one_line("is a folder", start=tmp_path):
        check_csv(tmp_path)


@pytest.mark.parametrize("contents", [b"", b"path,person\n"])
def test_an_empty_file_and_an_old_table_may_be_replaced(tmp_path, contents):
    (tmp_path / "people.csv").write_bytes(contents)
    check_csv(tmp_path / "people.csv")
