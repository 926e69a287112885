"""The reader of Adience: its five folds, its odd ages, its two kinds of images, and mistakes in its folder."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_keras.data.table import combine
from mtl_keras.datasets.adience import LISTS, adience, age_ranges
from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE_RANGE

HEADER = "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\ttilt_ang\tfiducial_yaw_angle\tfiducial_score\n"
BOX = "\t0\t414\t1086\t1383\t-115\t30\t17"
FOLDS = [
    [("30601258@N03", "10399646885_o.jpg", 1, "(25, 32)", "f"), ("30601258@N03", "10424815813_o.jpg", 2, "2", "m")],
    [("101515718@N03", "9521_o.jpg", 113, "(60, 100)", "u"), ("101515718@N03", "9521_o.jpg", 114, "None", "")],
    [("7153718@N04", "11_o.jpg", 1, "(8, 23)", "m")],
    [("7153719@N04", "12_o.jpg", 1, "(38, 42)", "f")],
    [("7153720@N04", "13_o.jpg", 1, "(0, 2)", "f")],
]


def test_every_label_is_read(tmp_path):
    table = adience(write(tmp_path))
    assert table.columns.tolist() == [
        "path",
        "source",
        "split",
        "group",
        "age_range",
        "gender",
        "fold",
        "age.low",
        "age.high",
    ]
    first = tmp_path / "aligned/30601258@N03/landmark_aligned_face.1.10399646885_o.jpg"
    assert table["path"][0] == str(first) and table["path"].is_unique
    assert table["source"].unique().tolist() == ["adience"] and table["split"].isna().all()
    assert table["group"].tolist() == [0, 0, 1, 1, 2, 3, 4]
    assert table["age_range"].fillna("").tolist() == ["25-32", "0-2", "60-100", "", "", "38-43", "0-2"]
    assert table["age.low"].fillna(-1).tolist() == [25, 0, 60, -1, -1, 38, 0]
    assert table["gender"].fillna("").tolist() == ["female", "male", "", "", "male", "female", "female"]
    assert table["fold"].tolist() == [0, 0, 1, 1, 2, 3, 4]
    assert table.attrs["skipped"] == []
    reason = "age (8, 23) lies in none of the eight bins"
    assert table.attrs["deviations"] == [{"path": table["path"][4], "reason": reason}]
    together = combine([table])
    assert together["fold"].tolist() == table["fold"].tolist() and together["group"].nunique() == 5


@pytest.mark.parametrize(
    ("age", "name"),
    [(f"({low}, {high})", f"{low}-{high}") for low, high in (name.split("-") for name in AGE_RANGE.classes)]
    + [("(27, 32)", "25-32"), ("(38, 42)", "38-43"), ("2", "0-2"), ("29", "25-32"), ("32", "25-32"), ("42", "38-43")]
    # All other ages of the published folds lie between two bins or in several.
    + [(age, None) for age in ("(38, 48)", "(8, 23)", "3", "13", "22", "23", "34", "35", "36", "45", "46", "55", "57")]
    + [("None", None), ("", None), ("(32, 25)", None)],
)
def test_odd_ages_are_read_where_they_lie_in_one_bin(age, name):
    assert age_ranges(pd.Series([age], dtype=str), "fold").fillna("").tolist() == [name or ""]


@given(st.integers(0, 120), st.integers(0, 120))
@settings(max_examples=50, deadline=None)
def test_any_two_ages_give_the_bin_around_them(low, high):
    bins = [name for name in AGE_RANGE.classes if all(age in bin_of(name) for age in (low, high)) and low <= high]
    assert age_ranges(pd.Series([f"({low}, {high})"], dtype=str), "fold").dropna().tolist() == bins


@given(st.text(max_size=20) | st.text("(),0123456789 ", max_size=12))
@settings(max_examples=50, deadline=None)
def test_any_text_of_an_age_is_read_or_refused(text):
    try:
        read = age_ranges(pd.Series([text], dtype=str), "fold")
    except UserError as error:
        assert "\n" not in str(error) and "expected two ages" in str(error)
    else:
        assert read.isna().iloc[0] or read.iloc[0] in AGE_RANGE.classes


def test_coarsely_aligned_faces_are_read_without_the_aligned_ones(tmp_path):
    table = adience(write(tmp_path, "faces", "coarse_tilt_aligned_face"))
    first = tmp_path / "faces/30601258@N03/coarse_tilt_aligned_face.1.10399646885_o.jpg"
    assert table["path"][0] == str(first) and len(table) == 7


def test_strict_refuses_an_age_in_no_bin(tmp_path):
    write(tmp_path)
    with pytest.raises(UserError, match=r"age \(8, 23\) lies in none"):
        adience(tmp_path, strict=True)
    file = tmp_path / LISTS[2]
    file.write_text(file.read_text().replace("(8, 23)", "(8, 12)"))
    assert len(adience(tmp_path, strict=True)) == 7


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (HEADER, "lists no image"),
        ("", "cannot be read as a table"),
        (HEADER.replace("\t", ","), "starts with"),
        (HEADER.replace("gender", "sex"), "expected the columns user_id, original_image, face_id, age, gender"),
        (HEADER + "a\tb.jpg\t1\told\tm\n", "age 'old' is unknown"),
        (HEADER + "a\tb.jpg\t1\t(4, 6)\tx\n", "gender 'x' is unknown; expected one of m, f, u"),
        (HEADER.encode() + b"\xff\tb.jpg\t1\t(4, 6)\tm\n", "is not in UTF-8; save it anew"),
    ],
)
def test_broken_folds_are_one_line_errors(tmp_path, one_line, contents, message):
    write(tmp_path)
    file = tmp_path / LISTS[4]
    file.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with one_line(message, file):
        adience(tmp_path)


def test_all_five_folds_are_needed(tmp_path, one_line):
    (write(tmp_path) / LISTS[3]).unlink()
    with one_line("holds no fold_3_data.txt", tmp_path):
        adience(tmp_path)


def bin_of(name: str) -> range:
    low, high = map(int, name.split("-"))
    return range(low, high + 1)


def write(folder: Path, images: str = "aligned", prefix: str = "landmark_aligned_face") -> Path:
    for name, rows in zip(LISTS, FOLDS, strict=True):
        for user, image, face, _, _ in rows:
            path = folder / images / user / f"{prefix}.{face}.{image}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        lines = ["\t".join(map(str, row)) + BOX + "\n" for row in rows]
        (folder / name).write_text(HEADER + "".join(lines))
    return folder
