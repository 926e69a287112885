"""What the readers of label files share: columns of text, class names, and the images that label files name."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtl_keras.datasets.lists import decode, header_notes, numbers, present, read_columns, refuse
from mtl_keras.errors import UserError
from mtl_keras.files import image_files


def test_columns_are_stripped_text_and_empty_cells_are_empty(tmp_path):
    path = tmp_path / "lines.csv"
    path.write_text("\ufeffimage, age ,more\n a.jpg ,3,x\nb.jpg,,y\n", encoding="utf-8")
    cells, header = read_columns(path, ["image", "age"])
    assert cells.to_dict("list") == {"image": ["a.jpg", "b.jpg"], "age": ["3", ""]}
    assert header_notes(path, header) == [
        {"path": str(path), "reason": "columns read as they are meant: ' age ' as age"},
        {"path": str(path), "reason": "columns that are not read: 'more'"},
    ]
    cells, header = read_columns(path, ["image"], optional=["more", "none"], unused=["age"])
    assert cells["more"].tolist() == ["x", "y"] and not header_notes(path, header)
    path.write_text("image,age,Age \na.jpg,3,4\n")
    assert read_columns(path, ["age"])[0]["age"].tolist() == ["3"]
    path.write_text("image,age,more\na.jpg,3,x\nb.jpg,at the lake,4,x\n")
    with pytest.raises(UserError, match="lines.csv: .*Expected 3 fields in line 3, saw 4"):
        read_columns(path, ["image", "age"])
    path.write_text("image,age,age\na.jpg,3,4\n")
    with pytest.raises(UserError, match="lines.csv: has the columns 'age' twice"):
        read_columns(path, ["age"])


def test_columns_of_a_file_without_a_header_below_other_lines(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("2\nsome words\na.jpg  1 -1\nb.jpg -1  1\n")
    read, _ = read_columns(path, ["file", "second"], r"\s+", ["file", "first", "second"], skip=2)
    assert read.to_dict("list") == {"file": ["a.jpg", "b.jpg"], "second": ["-1", "1"]}


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60), st.sampled_from([",", ";", r"\s+"]), st.integers(0, 2))
def test_any_bytes_are_a_table_of_text_or_refused_in_one_line(tmp_path, content, separator, skip):
    path = tmp_path / "lines"
    path.write_bytes(content)
    try:
        read, _ = read_columns(path, ["a", "b"], separator, ["a", "b", "c"], skip)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert list(read) == ["a", "b"] and read.map(lambda cell: isinstance(cell, str)).all(axis=None)


def test_cells_become_class_names_and_unknown_ones_are_an_error():
    cells = pd.Series(["0", "", "2", "1"], name="gender")
    assert decode(cells, {"0": "male", "1": "female", "2": None}, "labels.csv").fillna("-").tolist() == [
        "male",
        "-",
        "-",
        "female",
    ]
    with pytest.raises(UserError, match="labels.csv: gender '2' is unknown; expected one of 0, 1"):
        decode(cells, {"0": "male", "1": "female"}, "labels.csv")


def test_images_and_lines_find_each_other_and_what_is_left_is_told(tmp_path):
    for name in ("a b.jpg", "ü.jpg", "extra.jpg"):
        (tmp_path / name).touch()
    paths = [str(tmp_path / name) for name in ("ü.jpg", "gone.jpg", "a b.jpg", "ü.jpg")]
    lines = pd.DataFrame({"path": paths, "age": [1.0, 2.0, 3.0, 4.0]})
    table, skipped, deviations = present(lines, image_files(tmp_path), tmp_path / "labels.txt")
    assert table["age"].tolist() == [1.0, 3.0] and table["path"].tolist() == [paths[0], paths[2]]
    assert [item["reason"] for item in skipped] == ["the image is missing", "no line in labels.txt"]
    assert [item["path"] for item in deviations] == [paths[0]]
    with pytest.raises(UserError, match="gone.jpg"):
        refuse(skipped)
    with pytest.raises(UserError, match="labels.txt: none of its 1 images is there"):
        present(lines[1:2], image_files(tmp_path), tmp_path / "labels.txt")


def test_cells_become_numbers_and_what_is_none_is_an_error():
    cells = pd.Series(["4", "", "0.5", "-1"], name="real_age")
    assert numbers(cells, "labels.csv").fillna(-9).tolist() == [4, -9, 0.5, -1]
    for text in ("nan", "inf", "-inf", "NaN", "old", "3-9"):
        with pytest.raises(UserError, match=f"labels.csv: real_age '{text}' is no number; expected years"):
            numbers(pd.Series(["4", text], name="real_age"), "labels.csv")


def test_an_image_may_have_another_ending_than_its_list_says(tmp_path):
    for name in ("a.jpg", "b.png", "c.jpg", "d.jpg", "d.png"):
        (tmp_path / name).touch()
    paths = [str(tmp_path / name) for name in ("a.png", "b.png", "c.bmp", "d.bmp")]
    table, skipped, deviations = present(pd.DataFrame({"path": paths}), image_files(tmp_path), tmp_path / "list.csv")
    assert table["path"].tolist() == [str(tmp_path / name) for name in ("a.jpg", "b.png", "c.jpg")]
    # Of two it is not clear which is meant.
    assert [item["reason"] for item in skipped] == ["the image is missing", *["no line in list.csv"] * 2]
    reason = "2 images are listed with another ending than they have, such as a.png for a.jpg"
    assert deviations == [{"path": str(tmp_path / "list.csv"), "reason": reason}]
