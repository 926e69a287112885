"""The reader of IMDB-WIKI: ages from dates of birth, rules that leave photos out, and people as groups."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from mtl_keras.datasets.imdb_wiki import age_of, imdb_wiki
from mtl_keras.errors import UserError

NAN = float("nan")
GOOD = {"dob": date(1980, 5, 17), "taken": 2010, "gender": 1.0, "name": "A B", "score": 3.5, "second": NAN}


def day(born: date | float) -> float:
    """MATLAB counts days from the year 0, a leap year; Python from the year 1."""
    return born.toordinal() + 366 if isinstance(born, date) else born


def write_mat(path: Path, photos: dict[str, dict], images: bool = True, **fields) -> Path:
    """Write imdb.mat or wiki.mat with photos of these paths, their images, and `fields` instead of what is there."""
    rows = [GOOD | photo for photo in photos.values()]
    cells = {"full_path": list(photos), "name": [row["name"] for row in rows]}
    box = np.array([[1.0, 2.0, 30.0, 40.0]])
    struct = {
        "dob": np.array([day(row["dob"]) for row in rows]),
        "photo_taken": np.array([row["taken"] for row in rows], np.uint16),
        "gender": np.array([row["gender"] for row in rows]),
        "face_location": np.array([box] * len(rows) + [None], dtype=object)[:-1],
        "face_score": np.array([row["score"] for row in rows]),
        "second_face_score": np.array([row["second"] for row in rows]),
    }
    struct |= {field: np.array([*texts, None], dtype=object)[:-1] for field, texts in cells.items()}
    struct = {field: value for field, value in (struct | fields).items() if value is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {path.stem: struct}, oned_as="row", do_compression=True)
    for name in photos if images else ():
        (path.parent / name).parent.mkdir(exist_ok=True)
        (path.parent / name).touch()
    return path


@pytest.mark.parametrize(
    ("born", "taken", "age"),
    [
        (date(1980, 5, 17), 2010, 30),
        (date(1980, 6, 30), 2010, 30),
        (date(1980, 7, 1), 2010, 30),
        (date(1980, 7, 2), 2010, 29),
        (date(1980, 12, 31), 2010, 29),
        (date(1899, 5, 10), 1968, 69),
        (date(1970, 1, 1), 1970, 0),
        (date(2000, 2, 29), 2012, 12),
        (723671.0, 2009, 28),  # 5 May 1981
        (723671.75, 2009, 28),
        (date(2010, 7, 2), 2010, -1),
        (366.0, 2010, NAN),
        (-5.0, 2010, NAN),
        (1e300, 2010, NAN),
        (NAN, 2010, NAN),
        (date(1980, 5, 17), 0, NAN),
        (date(1980, 5, 17), np.inf, NAN),
    ],
)
def test_age_is_whole_years_on_the_first_of_july(born, taken, age):
    np.testing.assert_equal(age_of(np.array([day(born)]), np.array([taken])), [age])


@settings(max_examples=50)
@given(st.dates(date(1, 1, 1), date(9999, 12, 31)), st.integers(1, 9999))
def test_age_agrees_with_the_calendar(born, taken):
    expected = taken - born.year - ((born.month, born.day) > (7, 1))
    assert age_of(np.array([day(born)]), np.array([taken])) == [expected]


@settings(max_examples=50)
@given(st.floats(), st.floats())
def test_any_numbers_give_an_age_or_none(born, taken):
    (age,) = age_of(np.array([born]), np.array([taken]))
    assert np.isnan(age) or age == round(age)


def test_both_files_become_one_label_table(tmp_path):
    write_mat(
        tmp_path / "imdb_crop" / "imdb.mat",
        {
            "01/nm0000001_rm1_1980-5-17_2010.jpg": {},
            "01/nm0000001_rm2_1980-5-17_1999.jpg": {"taken": 1999},
            "02/nm0000002_rm3_1950-11-28_2007.jpg": {
                "dob": date(1950, 11, 28),
                "taken": 2007,
                "name": "C",
                "gender": 0,
            },
        },
        celeb_names=np.array(["A B", "C"], dtype=object),
    )
    write_mat(
        tmp_path / "wiki_crop" / "wiki.mat",
        {
            "17/10000217_1981-05-05_2009.jpg": {"dob": 723671.0, "taken": 2009, "gender": NAN, "name": ""},
            "18/10000218_1981-05-05_2010.jpg": {"dob": 723671.0, "gender": 0, "name": ""},
            "19/10000219_1980-05-17_2011.jpg": {"taken": 2011},
        },
    )
    table = imdb_wiki(tmp_path, strict=True)
    assert table.columns.tolist() == ["path", "source", "split", "group", "age", "gender"]
    assert table["path"].iloc[0] == str(tmp_path / "imdb_crop" / "01/nm0000001_rm1_1980-5-17_2010.jpg")
    assert table["age"].tolist() == [30, 19, 56, 28, 29, 31]
    assert table["gender"].fillna("").tolist() == ["male", "male", "female", "", "female", "male"]
    # The person of the last photo is also in the other file.
    assert table["group"].tolist() == [0, 0, 1, 2, 2, 0]
    assert table["source"].unique().tolist() == ["imdb_wiki"] and table["split"].isna().all()
    assert table.attrs == {"skipped": [], "deviations": []}


def test_rules_leave_photos_out_and_say_how_many(tmp_path):
    left_out = {
        "a.jpg": {"score": -np.inf},
        "b.jpg": {"score": np.inf},
        "c.jpg": {"score": NAN},
        "d.jpg": {"score": 0.99},
        "e.jpg": {"second": 1.5},
        "f.jpg": {"dob": date(1880, 1, 1)},
        "g.jpg": {"dob": date(2015, 1, 1)},
    }
    kept = {"h.jpg": {"score": 1.0}, "i.jpg": {"dob": date(1910, 1, 1)}, "j.jpg": {"dob": date(2010, 1, 1)}}
    path = write_mat(tmp_path / "wiki.mat", left_out | kept)
    table = imdb_wiki(tmp_path, strict=True)
    assert [Path(name).name for name in table["path"]] == list(kept) and table["age"].tolist() == [30, 100, 0]
    assert sorted(entry["reason"] for entry in table.attrs["skipped"]) == [
        "1 photos: a second face was found (first 'e.jpg')",
        "1 photos: face_score is below 1 (first 'd.jpg')",
        "2 photos: age is not 0 to 100 (first 'f.jpg')",
        "3 photos: no face was found (first 'a.jpg')",
    ]
    assert {entry["path"] for entry in table.attrs["skipped"]} == {str(path)}
    assert len(imdb_wiki(tmp_path, min_face_score=0.5)) == 4 and len(imdb_wiki(tmp_path, min_face_score=3)) == 2


@pytest.mark.parametrize(
    ("photo", "reason"),
    [
        ({"dob": 12.0}, "dob or photo_taken is damaged"),
        ({"dob": NAN}, "dob or photo_taken is damaged"),
        ({"taken": 0}, "dob or photo_taken is damaged"),
        ({"missing": True}, "the image is missing"),
    ],
)
def test_damaged_entries_are_skipped_and_strict_names_the_first(tmp_path, photo, reason):
    path = write_mat(tmp_path / "wiki.mat", {"00/a.jpg": {}, "00/b.jpg": photo})
    if "missing" in photo:
        (tmp_path / "00" / "b.jpg").unlink()
    table = imdb_wiki(tmp_path)
    assert table["path"].tolist() == [str(tmp_path / "00" / "a.jpg")]
    assert table.attrs["skipped"] == [{"path": str(path), "reason": f"1 photos: {reason} (first '00/b.jpg')"}]
    with pytest.raises(UserError, match=f"wiki.mat: 1 photos: {reason}"):
        imdb_wiki(tmp_path, strict=True)


def test_odd_paths_names_and_genders_are_no_way_out_of_the_folder(tmp_path):
    (tmp_path / "secret.jpg").touch()
    paths = np.array(["a.jpg", "../secret.jpg", "a.jpg", 7.0, "", "b.jpg"], dtype=object)
    names = np.array(["A", "A", "A", "A", "A", 5.0], dtype=object)
    photos = {name: {} for name in ("a.jpg", "x.jpg", "y.jpg", "z.jpg", "w.jpg")} | {"b.jpg": {"gender": 2.0}}
    write_mat(tmp_path / "crops" / "imdb.mat", photos, full_path=paths, name=names)
    table = imdb_wiki(tmp_path)
    assert [Path(path).name for path in table["path"]] == ["a.jpg", "b.jpg"]
    assert table["gender"].fillna("").tolist() == ["male", ""] and table["group"].tolist() == [0, 1]
    assert sorted(entry["reason"] for entry in table.attrs["skipped"]) == [
        "1 photos: the image is listed before (first 'a.jpg')",
        "1 photos: the image is missing (first '../secret.jpg')",
        "2 photos: full_path is damaged (first '')",
    ]
    (deviation,) = table.attrs["deviations"]
    assert deviation["reason"] == "1 photos: gender is neither 0, 1 nor NaN (first 'b.jpg')"


def test_file_with_a_single_photo_or_without_names_is_read(tmp_path):
    write_mat(tmp_path / "one" / "wiki.mat", {"00/a.jpg": {}})
    assert imdb_wiki(tmp_path)["age"].tolist() == [30]
    write_mat(tmp_path / "one" / "wiki.mat", {"a.jpg": {}, "b.jpg": {}, "c.jpg": {"dob": date(1981, 1, 1)}}, name=None)
    assert imdb_wiki(tmp_path / "one")["group"].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dob": None}, "has no field dob"),
        ({"full_path": None}, "has no field full_path"),
        ({"gender": np.array([1.0])}, "the field gender has 1 values for 2 photos"),
        ({"face_score": np.array(["a", "b"], dtype=object)}, "the field face_score holds no numbers"),
    ],
)
def test_file_of_another_layout_is_an_error(tmp_path, one_line, fields, message):
    path = write_mat(tmp_path / "imdb.mat", {"a.jpg": {}, "b.jpg": {}}, **fields)
    with one_line(message, path):
        imdb_wiki(tmp_path)


def test_folder_mistakes_are_one_line_errors(tmp_path, one_line):
    for name in ("twice/imdb/imdb.mat", "twice/imdb_crop/imdb.mat"):
        write_mat(tmp_path / name, {"a.jpg": {}})
    write_mat(tmp_path / "none" / "imdb.mat", {})
    write_mat(tmp_path / "too" / "deep" / "to" / "find" / "imdb.mat", {"a.jpg": {}})
    for folder, contents in [("damaged", {"imdb": 1.0}), ("other", {"pose": 1.0}), ("cut", {"imdb": 1.0})]:
        (tmp_path / folder).mkdir()
        savemat(tmp_path / folder / "imdb.mat", contents)
    (tmp_path / "cut" / "imdb.mat").write_bytes(b"MATLAB")
    for folder, message in [
        ("too", "holds no imdb.mat or wiki.mat"),
        ("twice", "list the same photos; name the folder of one of them"),
        ("none", "no photo can be used: none"),
        ("damaged", "the struct imdb has no field dob"),
        ("other", "has no variable imdb; expected the file of IMDB-WIKI"),
        ("cut", "is damaged or no MATLAB file"),
    ]:
        with one_line(message, tmp_path / folder):
            imdb_wiki(tmp_path / folder)
    with one_line("min_face_score nan: expected a number"):
        imdb_wiki(tmp_path / "twice" / "imdb", min_face_score=NAN)
