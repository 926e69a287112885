"""The reader of LAGENDA: photos of one person, their labels and the box of the face, and mistakes in its folder."""

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
lag_benchmark/f.jpg,-1,-1,60,20,90,80,55,5,99,190
lag_benchmark/f.jpg,70,M,-1,-1,-1,-1,5,5,90,190
"""
BOX = ["box.x", "box.y", "box.width", "box.height"]
COUNTED = ["1 photos show several people", "1 photos of one person show no face"]


def test_photos_of_one_person_are_read(tmp_path):
    table = lagenda(write(tmp_path))
    assert table.columns.tolist() == ["path", "source", "split", "group", "age", "gender", *BOX]
    assert table["path"].tolist() == [str(tmp_path / f"lag_benchmark/{name}.jpg") for name in "abcd"]
    assert table["source"].unique().tolist() == ["lagenda"] and table["split"].isna().all()
    assert table["age"].fillna(-1).tolist() == [31, 4.5, -1, -1]
    assert table["gender"].fillna("").tolist() == ["male", "female", "", ""]
    assert table[BOX].to_numpy().tolist() == [[10, 20, 40, 60], [0, 0, 33, 44], [10, 20, 40, 60], [10, 20, 40, 60]]
    assert table.attrs["skipped"] == [{"path": str(tmp_path / LIST), "reason": reason} for reason in COUNTED]
    assert table.attrs["deviations"] == []
    assert combine([table])["box.height"].tolist() == [60, 44, 60, 60]


def test_what_is_left_out_by_rule_is_no_error_with_strict(tmp_path):
    assert len(lagenda(write(tmp_path), strict=True)) == 4


@pytest.mark.parametrize("images", ["lag_benchmark", "images", "images/lag_benchmark"])
@pytest.mark.parametrize("place", ["", "annotations", "annotation"])
def test_list_and_images_are_found_where_they_may_lie(tmp_path, place, images):
    table = lagenda(write(tmp_path, place=place, images=images))
    assert table["path"][0] == str(tmp_path / images / "a.jpg") and len(table) == 4


def test_an_age_beyond_116_is_blank_and_strict_refuses_it(tmp_path, one_line):
    table = lagenda(write(tmp_path, LINES.replace(",31,", ",117,")))
    old = {"path": str(tmp_path / "lag_benchmark/a.jpg"), "reason": "the age is beyond 116"}
    assert table["age"].fillna(-1).tolist() == [-1, 4.5, -1, -1] and table.attrs["deviations"] == [old]
    with one_line("the age is beyond 116", tmp_path):
        lagenda(tmp_path, strict=True)


def test_photos_of_a_crowd_alone_are_one_line(tmp_path, one_line):
    crowd = [line for line in LINES.splitlines(keepends=True) if "/e.jpg" in line or "/f.jpg" in line]
    with one_line("none of its 2 images shows one person with a face", tmp_path):
        lagenda(write(tmp_path, "".join(crowd)))


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
        (HEADER.encode() + b"\xff.jpg,30,M,1,2,3,4,1,2,3,4\n", "cannot be read as a table"),
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
