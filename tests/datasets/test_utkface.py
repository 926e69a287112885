"""The reader of UTKFace: what each file name means, and which files of a folder are read."""

import os
import re
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_keras.data.split import split
from mtl_keras.data.table import combine
from mtl_keras.datasets.utkface import ParsedName, parse_name, utkface
from mtl_keras.errors import UserError
from mtl_keras.files import NO_IMAGE
from mtl_keras.tasks import ETHNICITY, GENDER

TIME = "20170116174525125"
# The names of the published data that deviate from the documented form, and what they still say.
PUBLISHED_DEVIATIONS = {
    "14_0_0_2017011022340900.jpg.chip.jpg": (14, "male", "white"),
    "24_0_1_20170116220224657 .jpg.chip.jpg": (24, "male", "black"),
    "28_1_2_201701161846515488.jpg.chip.jpg": (28, "female", "asian"),
    "38_0_1_201701162330572788.jpg.chip.jpg": (38, "male", "black"),
    "39_1_20170116174525125.jpg.chip.jpg": (39, "female", None),
    "55_0_0_20170116232725357jpg.chip.jpg": (55, "male", "white"),
    "61_1_20170109142408075.jpg.chip.jpg": (61, "female", None),
    "61_1_20170109150557335.jpg.chip.jpg": (61, "female", None),
}


@given(
    age=st.integers(0, 116),
    gender=st.integers(0, 1),
    race=st.integers(0, 4),
    time=st.text("0123456789", min_size=17, max_size=17),
    ending=st.sampled_from([".jpg", ".jpg.chip.jpg", ".JPG", ".jpeg", ".png"]),
)
def test_every_valid_name_is_read_back(age, gender, race, time, ending):
    parsed = parse_name(f"{age}_{gender}_{race}_{time}{ending}")
    assert parsed == ParsedName(age, GENDER.classes[gender], ETHNICITY.classes[race])


@given(st.text() | st.text("0123456789_.jpgchi -", max_size=60))
def test_any_text_gives_labels_or_a_one_line_reason(name):
    parsed = parse_name(name)
    if isinstance(parsed, str):
        assert parsed and "\n" not in parsed and len(parsed) < 160
    else:
        assert 0 <= parsed.age <= 116
        assert parsed.gender in (*GENDER.classes, None)
        assert parsed.ethnicity in (*ETHNICITY.classes, None)


@pytest.mark.parametrize(("name", "labels"), PUBLISHED_DEVIATIONS.items())
def test_published_deviations_are_read_as_far_as_they_go(name, labels):
    parsed = parse_name(name)
    assert (parsed.age, parsed.gender, parsed.ethnicity) == labels
    assert parsed.deviation


@pytest.mark.parametrize(
    ("name", "labels", "deviation"),
    [
        (f"26_1_7_{TIME}.jpg", (26, "female", None), "race '7' is not 0 to 4"),
        (f"53__0_{TIME}.jpg", (53, None, "white"), "gender is missing"),
        (f"53_1__{TIME}.jpg", (53, "female", None), "race is missing"),
        ("25_1_2.jpg", (25, "female", "asian"), "date and time '' are not 17 digits"),
        (f"44_1_4_{TIME}.pg.chip.jpg", (44, "female", "others"), "the name has unusual spaces or endings"),
    ],
)
def test_one_bad_field_leaves_the_others(name, labels, deviation):
    parsed = parse_name(name)
    assert (parsed.age, parsed.gender, parsed.ethnicity) == labels
    assert parsed.deviation == deviation


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("portrait.jpg", "the name is not"),
        (f"117_0_0_{TIME}.jpg", "age '117'"),
        (f"-1_0_0_{TIME}.jpg", "age '-1'"),
        (f"_0_0_{TIME}.jpg", "age ''"),
        (f"²_0_0_{TIME}.jpg", "age '²'"),
        (f"{'9' * 5000}_0_0_{TIME}.jpg", "age '999"),
        (f"20_3_0_{TIME}.jpg", "gender '3'"),
        ("1_0_17.jpg", "neither a race nor a date"),
        ("1_0.jpg", "the name is not"),
    ],
)
def test_what_cannot_be_read_is_named(name, reason):
    assert parse_name(name).startswith(reason)


REGULAR = st.builds(
    "{}_{}_{}_{}{}".format,
    st.integers(0, 130),
    st.integers(0, 2),
    st.integers(0, 5),
    st.sampled_from([TIME, "20170109150557335", TIME[1:]]),
    st.sampled_from([".jpg", ".jpg.chip.jpg", ".JPG", " .jpg", ".pg.chip.jpg"]),
)


@given(st.lists(REGULAR | st.sampled_from([*PUBLISHED_DEVIATIONS]) | st.text("019_.jpg ", max_size=30) | st.text()))
def test_a_folder_says_what_its_names_say(names):
    paths = [os.path.join("/fäces", name) for name in [*names, f"5_0_1_{TIME}.jpg"]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["mtl_keras.datasets.utkface"], "image_files", lambda folder: iter(paths))
        patch.setattr(sys.modules["mtl_keras.datasets.utkface"], "other_files", lambda folder: [])
        table = utkface(os.curdir)
    answers = [(path, parse_name(os.path.basename(path))) for path in sorted(paths)]
    read = [(path, answer) for path, answer in answers if isinstance(answer, ParsedName)]
    columns = table[["path", "age", "gender", "ethnicity"]].astype(object)
    assert columns.where(columns.notna(), None).to_numpy().tolist() == [
        [path, answer.age, answer.gender, answer.ethnicity] for path, answer in read
    ]
    skipped = [{"path": path, "reason": answer} for path, answer in answers if isinstance(answer, str)]
    assert table.attrs["skipped"] == skipped
    deviations = [{"path": path, "reason": answer.deviation} for path, answer in read if answer.deviation]
    assert table.attrs["deviations"] == deviations


def test_memory_holds_no_images(tmp_path):
    rows = 20_000
    (tmp_path / ".image.jpg").write_bytes(bytes(100_000))
    for number in range(rows):
        os.link(tmp_path / ".image.jpg", tmp_path / f"{number % 100}_0_1_{number:017d}.jpg")
    tracemalloc.start()
    split(combine([utkface(tmp_path)]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / rows < 1000  # bytes, of which the path takes 150


def test_folder_becomes_a_label_table_with_blanks(tmp_path):
    names = [f"30_0_1_{TIME}.jpg.chip.jpg", f"39_1_{TIME}.jpg.chip.jpg", f"200_0_0_{TIME}.jpg", "notes.txt"]
    make_files(tmp_path, names)
    table = utkface(tmp_path)
    assert table.columns.tolist() == ["path", "source", "split", "group", "age", "gender", "ethnicity"]
    assert table["age"].tolist() == [30.0, 39.0]
    assert table["gender"].tolist() == ["male", "female"]
    assert table["ethnicity"].isna().tolist() == [False, True]
    assert table["group"].tolist() == [0, 1] and table["group"].dtype == "int64"
    assert table["source"].unique().tolist() == ["utkface"] and table["split"].isna().all()
    reason = "age '200' is not a whole number from 0 to 116"
    expected = [
        {"path": str(tmp_path / names[2]), "reason": reason},
        {"path": str(tmp_path / names[3]), "reason": NO_IMAGE},
    ]
    assert table.attrs["skipped"] == expected
    assert table.attrs["deviations"] == [{"path": str(tmp_path / names[1]), "reason": "race is missing"}]


@pytest.mark.parametrize("odd", [f"39_1_{TIME}.jpg", f"200_0_0_{TIME}.jpg"])
def test_strict_makes_every_deviation_an_error(tmp_path, odd):
    make_files(tmp_path, [f"30_0_1_{TIME}.jpg", odd])
    with pytest.raises(UserError, match="race is missing|age '200'"):
        utkface(tmp_path, strict=True)
    (tmp_path / odd).unlink()
    assert len(utkface(tmp_path, strict=True)) == 1


def test_part_folders_are_read_and_hidden_files_are_not(tmp_path):
    names = [f"part{part}/{part}_0_1_{TIME}.jpg" for part in (1, 2, 3)]
    make_files(tmp_path, [*names, f"part1/._5_0_1_{TIME}.jpg", f".hidden/5_0_1_{TIME}.jpg"])
    table = utkface(tmp_path)
    assert table["path"].tolist() == [str(tmp_path / name) for name in names]
    assert not table.attrs["skipped"]


def test_linked_folders_are_followed_and_loops_end(tmp_path):
    make_files(tmp_path, [f"elsewhere/7_0_1_{TIME}.jpg", f"faces/8_0_1_{TIME}.jpg"])
    (tmp_path / "faces" / "loop").symlink_to(tmp_path / "faces")
    (tmp_path / "faces" / "more").symlink_to(tmp_path / "elsewhere")
    assert utkface(tmp_path / "faces")["age"].tolist() == [8.0, 7.0]


@pytest.mark.realdata
def test_the_real_set_is_read_whole(real_data):
    names = os.listdir(real_data / "UTKFace")
    table = utkface(real_data / "UTKFace")
    assert sorted(map(os.path.basename, table["path"])) == sorted(names) and table.attrs["skipped"] == []
    documented = re.compile(r"\d{1,3}_[01]_[0-4]_\d{17}\.jpg\.chip\.jpg")
    odd = {name for name in names if not documented.fullmatch(name)}
    assert {os.path.basename(entry["path"]) for entry in table.attrs["deviations"]} == odd <= set(PUBLISHED_DEVIATIONS)
    without_race = sum(PUBLISHED_DEVIATIONS[name][2] is None for name in odd)
    assert table.isna().sum()[["age", "gender", "ethnicity"]].tolist() == [0, 0, without_race]
    with pytest.raises(UserError, match=re.escape(min(odd))):
        utkface(real_data / "UTKFace", strict=True)


def make_files(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_whole_photos_in_three_parts_are_one_set(tmp_path):
    names = [f"part{part}/{part}0_{part % 2}_1_{TIME}.jpg" for part in (1, 2, 3)]
    make_files(tmp_path / "in the wild", names)
    table = utkface(tmp_path / "in the wild", strict=True)
    assert table["age"].tolist() == [10, 20, 30] and table["gender"].tolist() == ["female", "male", "female"]
