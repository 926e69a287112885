"""The reader of RAF-DB: its label list, its two kinds of images, its manual annotations, and mistakes in its folder."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtl_keras.data.table import combine
from mtl_keras.datasets.raf_db import raf_db
from mtl_keras.errors import UserError
from mtl_keras.tasks import EXPRESSION

LIST = "EmoLabel/list_patition_label.txt"
LINES = """train_00001.jpg 5
train_00002.jpg 1
train_00003.jpg 2
train_00004.jpg 3
test_0001.jpg 4
test_0002.jpg 6
test_0003.jpg 7
"""
EXPRESSIONS = ["sad", "surprise", "fear", "disgust", "happy", "angry", "neutral"]
NAMES = [line.split(".")[0] for line in LINES.splitlines()]
LANDMARKS = "77.2\t104.5\n139.9\t108.4\n110.5\t150.0\n82.2\t172.5\n130.1\t175.2\n"
MANUAL = "Annotation/manual/{}_manu_attri.txt"


def test_every_label_is_read(tmp_path):
    table = raf_db(write(tmp_path))
    assert table.columns.tolist() == ["path", "source", "split", "group", "expression"]
    assert table["path"].tolist() == [str(tmp_path / f"Image/aligned/{name}_aligned.jpg") for name in NAMES]
    assert table["source"].unique().tolist() == ["raf_db"]
    assert table["split"].tolist() == ["train"] * 4 + ["test"] * 3
    assert table["expression"].tolist() == EXPRESSIONS and set(EXPRESSIONS) == set(EXPRESSION.classes)
    assert table.attrs == {"skipped": [], "deviations": []}
    assert len(combine([table])) == 7


def test_manual_annotations_are_read_where_they_are(tmp_path):
    write(tmp_path)
    for name, attributes in zip(NAMES, ["0\n0\n2\n", "1\n1\n0\n", "2\n2\n4\n", "1\r\n0\r\n3\r\n"], strict=False):
        write_text(tmp_path / MANUAL.format(name), LANDMARKS + attributes)
    write_text(tmp_path / MANUAL.format(NAMES[4]), LANDMARKS + "1\n7\n2\n")
    write_text(tmp_path / MANUAL.format(NAMES[5]), LANDMARKS)
    table = raf_db(tmp_path)
    assert table["gender"].fillna("").tolist() == ["male", "female", "", "female", "female", "", ""]
    assert table["ethnicity"].fillna("").tolist() == ["white", "black", "asian", "white", "", "", ""]
    unread = [entry["path"] for entry in table.attrs["deviations"]]
    assert unread == [str(tmp_path / MANUAL.format(name)) for name in NAMES[4:6]]
    assert combine([table])["expression"].tolist() == EXPRESSIONS
    with pytest.raises(UserError, match="test_0001_manu_attri.txt: not five landmarks"):
        raf_db(tmp_path, strict=True)


@pytest.mark.parametrize(
    "name",
    [
        "list_patition_label.txt",
        "list_partition_label.txt",
        "EmoLabel/list_partition_label.txt",
        "basic/list_patition_label.txt",
        "basic/EmoLabel/list_patition_label.txt",
    ],
)
@pytest.mark.parametrize("images", ["Image", "basic/Image"])
def test_list_and_images_are_found_where_they_may_lie(tmp_path, name, images):
    write_text(tmp_path / name, LINES)
    for image in NAMES:
        write_text(tmp_path / images / f"original/{image}.jpg", "")
    table = raf_db(tmp_path)
    assert table["path"][4] == str(tmp_path / images / "original/test_0001.jpg")
    assert table["expression"].tolist() == EXPRESSIONS


def test_aligned_images_come_before_original_ones(tmp_path):
    write(tmp_path)
    write_text(tmp_path / "Image/original/train_00001.jpg", "")
    assert raf_db(tmp_path, strict=True)["path"][0].endswith("train_00001_aligned.jpg")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b"", "the file is empty"),
        (b"train_00001.jpg\n", "got the line 'train_00001.jpg'; expected lines such as"),
        (b"train_00001.jpg 5 5\n", "got the line 'train_00001.jpg 5 5'"),
        (b"validation_1.jpg 5\n", "got the line 'validation_1.jpg 5'"),
        (b"train_00001.jpg 8\n", "expression '8' is unknown; expected one of 1, 2, 3, 4, 5, 6, 7"),  # compound faces
        (b"train_00001.jpg 0\n", "expression '0' is unknown"),
        (b"\xff\xfe\x00", "cannot be read as text"),
    ],
)
def test_broken_lists_are_one_line_errors(tmp_path, one_line, lines, message):
    write(tmp_path)
    (tmp_path / LIST).write_bytes(lines)
    with one_line(message, tmp_path / LIST):
        raf_db(tmp_path)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.binary(max_size=60) | st.lists(st.integers(0, 9), max_size=14).map(lambda n: str(n)[1:-1].encode()))
def test_any_annotation_file_leaves_the_rest(tmp_path, contents):
    write(tmp_path)
    (tmp_path / "Annotation/manual").mkdir(parents=True, exist_ok=True)
    (tmp_path / MANUAL.format(NAMES[0])).write_bytes(contents.replace(b",", b""))
    table = raf_db(tmp_path)
    assert table["expression"].tolist() == EXPRESSIONS
    labels = table.loc[0, ["gender", "ethnicity"]]
    assert labels.notna().all() or table.attrs["deviations"] or contents.split()[10:11] == [b"2,"]


@pytest.mark.realdata
def test_the_real_set_is_read_whole(real_data):
    folder = real_data / "RAF-DB" / "basic"
    lines = [line.split() for line in (folder / LIST).read_text().splitlines()]
    images = set(os.listdir(folder / "Image" / "aligned"))
    table = raf_db(real_data / "RAF-DB")
    assert sorted(map(os.path.basename, table["path"])) == sorted(images) and table.attrs["deviations"] == []
    # Lines without an image are listed, one by one.
    assert len(table.attrs["skipped"]) == len(lines) - len(images)
    there = [(name, number) for name, number in lines if name.replace(".jpg", "_aligned.jpg") in images]
    named = ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]
    assert table["expression"].tolist() == [named[int(number) - 1] for _, number in there]
    assert table["split"].tolist() == [name.split("_")[0] for name, _ in there]


def write(folder: Path, lines: str = LINES) -> Path:
    write_text(folder / LIST, lines)
    for name in NAMES:
        write_text(folder / f"Image/aligned/{name}_aligned.jpg", "")
    return folder


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, newline="")
