"""The reader of AffectNet: both forms in which it is given out, and mistakes in its folder."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtl_keras.data.table import combine
from mtl_keras.datasets.affectnet import affectnet
from mtl_keras.errors import UserError
from mtl_keras.tasks import EXPRESSION_8

NAMES = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt", "", "", ""]
SEVEN = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "", "", "", ""]
HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n"
LISTS, IMAGES = Path("Manually_Annotated_file_lists"), Path("Manually_Annotated_Images")


def row(name: str, code: int | str, box: tuple = (1, 2, 30, 40)) -> str:
    return f"{name},{','.join(map(str, box))},35.5;80.1;36.2;95.5,{code},-0.125,0.25\n"


# === The newer form: an array an image ===


def test_arrays_are_read(tmp_path):
    codes = [*(np.array(str(code)) for code in range(6)), np.array(6), np.array([7.0]), np.array(b"8"), np.int64(9)]
    write_arrays(tmp_path, codes, [np.array("10"), np.array("1")])
    (tmp_path / "train_set/annotations/0_val.npy").write_bytes(b"not read")
    table = affectnet(tmp_path)
    assert table.columns.tolist() == ["path", "source", "split", "group", "expression", "expression_8"]
    assert table["path"][0] == str(tmp_path / "train_set/images/0.jpg")
    assert table["source"].unique().tolist() == ["affectnet"]
    assert table["split"].tolist() == ["train"] * 10 + ["validation"]
    assert table["expression_8"].fillna("").tolist() == [*NAMES[:10], "happy"]
    assert table["expression"].fillna("").tolist() == [*SEVEN[:10], "happy"]
    non_face = {"path": str(tmp_path / "val_set/images/0.jpg"), "reason": "annotated as no face"}
    assert table.attrs == {"skipped": [non_face], "deviations": []}
    assert len(affectnet(tmp_path, strict=True)) == len(combine([table])) == 11


def test_array_form_lists_what_is_left_out(tmp_path):
    write_arrays(tmp_path, [np.array(1)] * 3, [np.array(2)])
    (tmp_path / "train_set/annotations/0_exp.npy").unlink()
    (tmp_path / "train_set/images/1.jpg").unlink()
    np.save(tmp_path / "val_set/annotations/0_exp.npy", np.array("11"))
    table = affectnet(tmp_path)
    assert table["expression"].fillna("").tolist() == ["happy", ""]
    assert table.attrs["skipped"] == [
        {"path": str(tmp_path / "train_set/images/0.jpg"), "reason": "has no file in annotations/"},
        {"path": str(tmp_path / "train_set/annotations/1_exp.npy"), "reason": "its image is missing"},
    ]
    reason = "its annotation is not a number from 0 to 10"
    assert table.attrs["deviations"] == [{"path": str(tmp_path / "val_set/images/0.jpg"), "reason": reason}]
    with pytest.raises(UserError, match="has no file in annotations/"):
        affectnet(tmp_path, strict=True)


def test_no_array_is_unpickled(tmp_path):
    write_arrays(tmp_path, [np.array(1)], [])
    np.save(tmp_path / "train_set/annotations/0_exp.npy", np.array({"code": 1}, dtype=object), allow_pickle=True)
    assert affectnet(tmp_path).attrs["deviations"]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100) | st.binary(max_size=40).map(lambda rest: np.lib.format.magic(1, 0) + rest))
def test_any_array_file_leaves_the_image(tmp_path, contents):
    write_arrays(tmp_path, [np.array(1)], [])
    (tmp_path / "train_set/annotations/0_exp.npy").write_bytes(contents)
    table = affectnet(tmp_path)
    assert table["expression"].isna().tolist() == [True] and len(table.attrs["deviations"]) == 1


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=8).filter(lambda text: "\0" not in text) | st.floats() | st.integers(-99, 99))
def test_any_value_is_a_class_or_a_blank(tmp_path, value):
    write_arrays(tmp_path, [np.array(value), np.array(0)], [])
    names = affectnet(tmp_path)["expression_8"]
    assert names.dropna().isin(EXPRESSION_8.classes).all()
    assert names.iloc[-1] == "neutral"


# === The older form: two lists ===


def test_lists_are_read(tmp_path):
    # The second list is given out without a header.
    training = [row(f"{code}/a.jpg", code, box=(code, 20, 100, 110)) for code in range(11)]
    validation = [row("1/b.jpg", 1, box=(-1, -1, -1, -1)), row("2/b.jpg", 2, box=("NULL",) * 4)]
    write_lists(tmp_path, HEADER + "".join(training), "".join(validation))
    table = affectnet(tmp_path)
    assert table.columns.tolist() == ["path", "source", "split", "group", "expression", "expression_8", "box"]
    assert table["path"][0] == str(tmp_path / IMAGES / "0/a.jpg")
    assert table["split"].tolist() == ["train"] * 10 + ["validation"] * 2
    assert table["expression_8"].fillna("").tolist() == [*NAMES[:10], "happy", "sad"]
    assert table["expression"].fillna("").tolist() == [*SEVEN[:10], "happy", "sad"]
    assert table["box"][3] == "3 20 100 110" and table["box"][10:].isna().all()
    non_face = {"path": str(tmp_path / IMAGES / "10/a.jpg"), "reason": "annotated as no face"}
    assert table.attrs == {"skipped": [non_face], "deviations": []}
    assert len(combine([table])) == 12
    assert len(affectnet(tmp_path, strict=True)) == 12


@pytest.mark.parametrize("number", ["inf", "nan", "-inf", "NULL"])
def test_a_box_with_what_is_no_number_is_blank(tmp_path, number):
    rows = [
        row(f"{place}/a.jpg", 1, box=[*(1, 2, 30, 40)[:place], number, *(1, 2, 30, 40)[place + 1 :]])
        for place in range(4)
    ]
    write_lists(tmp_path, HEADER + "".join(rows), row("4/b.jpg", 1))
    assert affectnet(tmp_path)["box"].isna().tolist() == [True] * 4 + [False]


def test_a_header_with_capitals_is_no_image(tmp_path):
    write_lists(tmp_path, HEADER.upper() + row("1/a.jpg", 3), row("1/b.jpg", 4))
    table = affectnet(tmp_path)
    assert table["expression"].tolist() == ["surprise", "fear"]
    assert "'SUBDIRECTORY_FILEPATH' as subDirectory_filePath" in table.attrs["deviations"][0]["reason"]


@pytest.mark.parametrize("place", ["", "Manually_Annotated"])
def test_lists_are_found_where_they_may_lie(tmp_path, place):
    write_lists(tmp_path / place, HEADER + row("1/a.jpg", 3), HEADER + row("1/b.jpg", 4))
    assert affectnet(tmp_path)["expression"].tolist() == ["surprise", "fear"]
    if not place:
        (tmp_path / LISTS / "training.csv").rename(tmp_path / "training.csv")
        assert affectnet(tmp_path)["expression"].tolist() == ["surprise"]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("", "cannot be read as a table"),
        (HEADER, "lists no image"),
        ("path,label\n1/a.jpg,3\n", "starts with 'path, label'; expected the columns subDirectory_filePath, face_x"),
        (HEADER.replace("expression", "emotion"), "expected the columns subDirectory_filePath, face_x"),
        (HEADER + row("1/a.jpg", 11), "expression '11' is unknown; expected one of 0, 1"),
        (row("1/a.jpg", "happy"), "expression 'happy' is unknown"),
        (HEADER.encode() + b"\xff\n", "is not in UTF-8; save it anew"),
    ],
)
def test_broken_lists_are_one_line_errors(tmp_path, one_line, contents, message):
    write_lists(tmp_path, HEADER + row("1/a.jpg", 3), row("1/b.jpg", 3))
    file = tmp_path / LISTS / "validation.csv"
    file.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with one_line(message, file):
        affectnet(tmp_path)


# === Mistakes in the folder ===


def test_folder_mistakes_are_one_line_errors(tmp_path, one_line):
    (tmp_path / "sets/train_set").mkdir(parents=True)
    write_arrays(tmp_path / "images", [np.array(1)], [])
    (tmp_path / "images/train_set/annotations/0_exp.npy").unlink()
    write_arrays(tmp_path / "others", [np.array(1)], [])
    (tmp_path / "others/train_set/images/0.jpg").rename(tmp_path / "others/train_set/images/1.jpg")
    write_arrays(tmp_path / "things", [np.array(10)], [])
    for folder, message in [
        ("sets", "none of its images has a label"),
        ("images", "has images or annotations only"),
        ("others", "none of its images has a label"),
        ("things", "none of its 1 images shows a face"),
    ]:
        with one_line(message, tmp_path / folder):
            affectnet(tmp_path / folder)


def write_lists(folder: Path, training: str, validation: str) -> None:
    (folder / LISTS).mkdir(parents=True, exist_ok=True)
    for name, lines in (("training.csv", training), ("validation.csv", validation)):
        if lines:
            (folder / LISTS / name).write_text(lines)
        for line in lines.removeprefix(HEADER).splitlines():
            image = folder / IMAGES / line.split(",")[0]
            image.parent.mkdir(parents=True, exist_ok=True)
            image.touch()


def write_arrays(folder: Path, training: list, validation: list) -> None:
    for name, codes in (("train_set", training), ("val_set", validation)):
        for number, code in enumerate(codes):
            for part in ("images", "annotations"):
                (folder / name / part).mkdir(parents=True, exist_ok=True)
            (folder / name / f"images/{number}.jpg").touch()
            np.save(folder / name / f"annotations/{number}_exp.npy", code)
