"""The reader of FairFace: its labels, the ages that a spreadsheet took for dates, and mistakes in its folder."""

import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_keras.data.table import combine
from mtl_keras.datasets.fairface import AGES, bin_of, fairface
from mtl_keras.datasets.lists import decode, read_columns
from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE_DECADE

HEADER = "file,age,gender,race,service_test\n"
TRAIN = """train/1.jpg,50-59,Male,East Asian,True
train/2.jpg,3-9,Female,Indian,False
train/3.jpg,more than 70,Female,Latino_Hispanic,False
train/4.jpg,0-2,Male,Middle Eastern,True
train/5.jpg,,,,False
"""
VAL = "val/1.jpg,10-19,Male,Black,True\nval/2.jpg,20-29,Female,Southeast Asian,False\nval/3.jpg,60-69,Male,White,True\n"
# What spreadsheet programs make of 3-9 and of 10-19, a comma between.
CHILDREN = """3-Sep,03-Sep,9-Mar,09-Mar,Sep-03,Mar-09,March-9,03. Sep,September 3,3. Sept.,9 März,9-mars,03-set,3/9,9/3,
03/09,09.03.,3.9,45178,44994,45172.0,3-Sep-23,03/09/2023,9/3/23,03.09.2023,2023-09-03,2023-03-09,
2023-09-03 00:00:00,2023-09-03T00:00:00,2024/3/9"""
TEENAGERS = """Oct-19,19-Oct,19-oct,October-19,Oct 19,19. Okt,01-Oct-19,Oct 2019,2019-10-01,2019-10-01 00:00:00,43739,
45218,10/19,19/10,10/1/2019,01.10.2019,10-2019,2019-10,19/10/23,1/10/19"""
NO_BINS = ["4-9", "9-12", "Jun-04", "2023-05-07", "10/3/2023", "12345678", "9" * 5000, "19", "3", "70-", "Sep", "0x3-9"]
IMAGES = [*(f"train/{number}.jpg" for number in range(1, 6)), *(f"val/{number}.jpg" for number in range(1, 4))]


def test_every_label_is_read(tmp_path):
    table = fairface(write(tmp_path))
    labels = ["age_decade", "gender", "ethnicity", "age.low", "age.high"]
    assert table.columns.tolist() == ["path", "source", "split", "group", *labels]
    assert table["path"].tolist() == [str(tmp_path / name) for name in IMAGES]
    assert table["source"].unique().tolist() == ["fairface"]
    assert table["split"].tolist() == ["train"] * 5 + ["validation"] * 3
    assert table["age_decade"].fillna("").tolist() == ["50-59", "3-9", "70+", "0-2", "", "10-19", "20-29", "60-69"]
    assert table["age.low"].fillna(-1).tolist() == [50, 3, 70, 0, -1, 10, 20, 60]
    assert table["age.high"].fillna(-1).tolist() == [59, 9, -1, 2, -1, 19, 29, 69]
    genders = ["male", "female", "female", "male", "", "male", "female", "male"]
    assert table["gender"].fillna("").tolist() == genders
    races = ["asian", "indian", "others", "others", "", "black", "asian", "white"]
    assert table["ethnicity"].fillna("").tolist() == races
    assert table.attrs == {"skipped": [], "deviations": []}
    assert combine([table])["age_decade"].notna().sum() == 7


def test_all_bins_have_a_class():
    assert tuple(dict.fromkeys(AGES.values())) == AGE_DECADE.classes


@pytest.mark.parametrize(
    ("date", "bin"),
    [(date, "3-9") for date in CHILDREN.replace("\n", "").split(",")]
    + [(date, "10-19") for date in TEENAGERS.replace("\n", "").split(",")]
    + [("20 - 29", "20-29"), ("20\u201329", "20-29"), ("03-09", "3-9"), ("MORE THAN 70", "70+")],
)
def test_dates_of_a_spreadsheet_are_read_back_and_told(tmp_path, date, bin):
    folder = write(tmp_path, train=TRAIN.replace("3-9", date))
    table = fairface(folder, strict=True)
    assert table["age_decade"].fillna("").tolist()[:5] == ["50-59", bin, "70+", "0-2", ""]
    (entry,) = table.attrs["deviations"]
    assert entry["path"] == str(folder / "fairface_label_train.csv")
    assert entry["reason"] == f"ages read as the bins that they were: {date!r} as {bin}"


@pytest.mark.parametrize("age", NO_BINS)
def test_what_is_no_date_of_a_bin_is_refused(tmp_path, one_line, age):
    with one_line("age .* is unknown", tmp_path):
        fairface(write(tmp_path, train=TRAIN.replace("3-9", age)))


@given(st.text(max_size=50) | st.text("0123456789-/. :TSepOctMar\u2013", max_size=12))
def test_any_text_is_a_bin_or_none(text):
    assert bin_of(text) in {None, *AGE_DECADE.classes}


@pytest.mark.parametrize("margin", ["fairface-img-margin025-trainval", "fairface-img-margin125-trainval"])
def test_images_of_either_margin_are_found(tmp_path, margin):
    make_files(tmp_path, [f"{margin}/{name}" for name in IMAGES])
    (tmp_path / "train_labels.csv").write_text(HEADER + TRAIN)
    (tmp_path / "val_labels.csv").write_text("\ufeff" + HEADER + VAL, encoding="utf-8")
    assert fairface(tmp_path)["path"].tolist() == [str(tmp_path / margin / name) for name in IMAGES]


def test_one_label_file_is_enough(tmp_path):
    write(tmp_path, val=None)
    table = fairface(tmp_path)
    assert table["split"].unique().tolist() == ["train"] and len(table.attrs["skipped"]) == 3


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (HEADER, "lists no image"),
        ("", "cannot be read as a table"),
        (
            "file,age,gender\ntrain/1.jpg,3-9,Male\n",
            "starts with 'file, age, gender'; expected the columns file, age, gender, race",
        ),
        (HEADER + "train/1.jpg,4-9,Male,White,True\n", "age '4-9' is unknown; expected one of 0-2, 3-9"),
        (HEADER + "train/1.jpg,3-9,man,White,True\n", "gender 'man' is unknown"),
        (HEADER + "train/1.jpg,3-9,Male,Martian,True\n", "race 'Martian' is unknown"),
        (HEADER + TRAIN + "train/6.jpg,3-", "age '3-' is unknown"),
        (HEADER + 'train/1.jpg,"3-9\n', "cannot be read as a table"),
        (HEADER.encode() + b"train/\xff.jpg,3-9,Male,White,True\n", "is not in UTF-8; save it anew"),
        (b"\x00\x01\x02\x00", "starts with"),
    ],
)
def test_broken_label_files_are_one_line_errors(tmp_path, one_line, train, message):
    write(tmp_path)
    file = tmp_path / "fairface_label_train.csv"
    file.write_bytes(train if isinstance(train, bytes) else train.encode())
    with one_line(message, file):
        fairface(tmp_path)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40) | st.sampled_from([*AGES, ""]))
def test_any_text_of_a_cell_is_a_class_or_refused(text):
    cells = pd.Series([text], name="age", dtype=str)
    if text in {*AGES, ""}:
        assert decode(cells, AGES, "list.csv").fillna("").tolist() == [AGES.get(text, "")]
        return
    with pytest.raises(UserError, match="expected one of") as caught:
        decode(cells, AGES, "list.csv")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_columns_of_a_file_without_header(tmp_path):
    (tmp_path / "list.csv").write_text("a, b ,c\n")
    cells, _ = read_columns(tmp_path / "list.csv", ["z", "y"], names=["x", "y", "z"])
    assert cells.iloc[0].tolist() == ["c", "b"]


@pytest.mark.realdata
def test_the_real_set_is_read_whole(real_data):
    folder = real_data / "FairFace"
    table = fairface(folder, strict=True)
    # The oldest have no upper end.
    assert table.columns[table.isna().any()].tolist() == ["age.high"]
    assert (table["age.high"].isna() == (table["age_decade"] == "70+")).all()
    for part, split in (("train", "train"), ("val", "validation")):
        rows, lines = table[table["split"] == split], pd.read_csv(folder / f"fairface_label_{part}.csv")
        assert len(rows) == len(lines) == len(os.listdir(folder / part))
        assert (rows["gender"] == "male").sum() == (lines["gender"] == "Male").sum()
        asian = lines["race"].isin(["East Asian", "Southeast Asian"])
        assert (rows["ethnicity"] == "asian").sum() == asian.sum()
        # Two ages went through a spreadsheet; the first and the last number of the others stand as they are.
        assert (rows["age_decade"] == "3-9").sum() == lines["age"].isin(["3-9", "03-Sep"]).sum() > 0


def write(folder: Path, train: str = TRAIN, val: str | None = VAL) -> Path:
    make_files(folder, IMAGES)
    (folder / "fairface_label_train.csv").write_text(HEADER + train)
    if val is not None:
        (folder / "fairface_label_val.csv").write_text(HEADER + val)
    return folder


def make_files(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
