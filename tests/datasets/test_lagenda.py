"""The reader of LAGENDA: a row a face, with its box and labels, and mistakes in the folder."""

from pathlib import Path

import pytest

from mtl_keras.data.table import combine
from mtl_keras.datasets.lagenda import LIST, lagenda

HEADER = "img_name,age,gender,face_x0,face_y0,face_x1,face_y1,person_x0,person_y0,person_x1,person_y1\n"
LINES = """lag_benchmark/a.jpg,31,M,10,20,50,80,5,5,90,190
lag_benchmark/b.jpg,4.5,F,0,0,33,44,-1,-1,-1,-1
lag_benchmark/c.jpg,-1,-1,10,20,50,80,5,5,90,190
lag_benchmark/d.jpg,,,10,20,50,80,5,5,90,190
lag_benchmark/e.jpg,50,F,-1,-1,-1,-1,5,5,90,190
lag_benchmark/f.jpg,60,F,10,20,50,80,5,5,90,190
lag_benchmark/f.jpg,8,M,60,20,90,80,55,5,99,190
lag_benchmark/f.jpg,70,M,-1,-1,-1,-1,5,5,90,190
"""


def test_a_row_is_a_face_and_a_photo_of_several_is_one_group(tmp_path):
    table = lagenda(write(tmp_path))
    assert table.columns.tolist() == ["path", "source", "split", "group", "box", "age", "gender"]
    assert table["path"].tolist() == [str(tmp_path / f"lag_benchmark/{name}.jpg") for name in "abcdff"]
    assert table["source"].unique().tolist() == ["lagenda"] and table["split"].isna().all()
    assert table["group"].tolist() == [0, 1, 2, 3, 4, 4]
    assert table["age"].fillna(-1).tolist() == [31, 4.5, -1, -1, 60, 8]
    assert table["gender"].fillna("").tolist() == ["male", "female", "", "", "female", "male"]
    assert table["box"].tolist() == ["10 20 40 60", "0 0 33 44", *["10 20 40 60"] * 3, "60 20 30 60"]
    assert table.attrs["skipped"] == [{"path": str(tmp_path / LIST), "reason": "the faces of 2 people are not seen"}]
    assert table.attrs["deviations"] == []
    assert len(combine([table])) == 6


def test_what_is_left_out_by_rule_is_no_error_with_strict(tmp_path):
    assert len(lagenda(write(tmp_path), strict=True)) == 6


def test_a_face_with_two_lines_is_told(tmp_path, one_line):
    table = lagenda(write(tmp_path, LINES + "lag_benchmark/a.jpg,32,F,10,20,50,80,5,5,90,190\n"))
    assert len(table) == 6 and table["age"][0] == 31
    assert "several lines" in table.attrs["deviations"][0]["reason"]
    with one_line("several lines, of which the first counts", tmp_path):
        lagenda(tmp_path, strict=True)


@pytest.mark.parametrize("images", ["lag_benchmark", "images", "images/lag_benchmark"])
@pytest.mark.parametrize("place", ["", "annotations", "annotation"])
def test_list_and_images_are_found_where_they_may_lie(tmp_path, place, images):
    table = lagenda(write(tmp_path, place=place, images=images))
    assert table["path"][0] == str(tmp_path / images / "a.jpg") and len(table) == 6


def test_an_age_beyond_116_is_blank_and_strict_refuses_it(tmp_path, one_line):
    table = lagenda(write(tmp_path, LINES.replace(",31,", ",117,")))
    old = {"path": str(tmp_path / "lag_benchmark/a.jpg"), "reason": "the age is beyond 116"}
    assert table["age"].fillna(-1).tolist() == [-1, 4.5, -1, -1, 60, 8] and table.attrs["deviations"] == [old]
    with one_line("the age is beyond 116", tmp_path):
        lagenda(tmp_path, strict=True)


def test_people_without_a_face_alone_are_one_line(tmp_path, one_line):
    backs = [line for line in LINES.splitlines(keepends=True) if ",-1,-1,-1,-1,5" in line]
    with one_line("none of its 2 people has a face with a box", tmp_path):
        lagenda(write(tmp_path, "".join(backs)))


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("", "cannot be read as a table"),
        (HEADER, "lists no image"),
        (
            "img_name,age,gender\n",
            "starts with 'img_name, age, gender'; expected the columns img_name, age, gender, fa",
        ),
        (HEADER + "a.jpg,old,M,1,2,3,4,1,2,3,4\n", "age 'old' is no number; expected years or -1, or an empty cell"),
        (HEADER + "a.jpg,inf,M,1,2,3,4,1,2,3,4\n", "age 'inf' is no number"),
        (HEADER + "a.jpg,30,0,1,2,3,4,1,2,3,4\n", "gender '0' is unknown; expected one of M, F, -1"),
        (HEADER.encode() + b"\xff.jpg,30,M,1,2,3,4,1,2,3,4\n", "is not in UTF-8; save it anew"),
    ],
)
def test_broken_lists_are_one_line_errors(tmp_path, one_line, contents, message):
    write(tmp_path)
    (tmp_path / LIST).write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with one_line(message, tmp_path / LIST):
        lagenda(tmp_path)


def write(folder: Path, lines: str = LINES, place: str = "", images: str = "lag_benchmark") -> Path:
    (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / place / LIST).write_text(HEADER + lines)
    (folder / images).mkdir(parents=True, exist_ok=True)
    for line in lines.splitlines():
        (folder / images / line.split(",")[0].split("/")[1]).touch()
    return folder
