"""The report on a label table: it finds what was planted, and its page shows it."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mtl_keras as mtl
from mtl_keras.data.audit import check_images, oddities
from mtl_keras.data.audit_page import copies, label_counts, suspicious, write_report
from mtl_keras.data.table import complete
from mtl_keras.datasets.rendered import rendered
from mtl_keras.errors import UserError
from mtl_keras.tasks import Task, add_task


@pytest.fixture
def checked(faces_folder, tmp_path):
    """Eight rendered faces, a copy with another label in another split, and a file that is no image."""
    folder = tmp_path / "faces"
    shutil.copytree(faces_folder, folder)
    table = rendered(folder).head(8)
    path = folder / "copy <b>.jpg"
    shutil.copy(table["path"][0], path)
    copy = table.head(1).assign(path=str(path), group=99, gender="male" if table["gender"][0] == "female" else "female")
    broken = copy.assign(path=str(folder / "broken.jpg"), group=100)
    (folder / "broken.jpg").write_bytes(b"no image")
    table = pd.concat([table.assign(split="train"), copy.assign(split="test"), broken], ignore_index=True)
    return check_images(table)


def test_counts_add_up_and_keep_the_order_of_classes_and_decades(checked):
    counts = label_counts(checked)
    assert (counts.groupby("task")["images"].sum() == len(checked)).all()
    ages = counts[counts["task"] == "age"]["label"].str.split(" to ").str[0].astype(int)
    assert ages.is_monotonic_increasing and (ages % 10 == 0).all()
    assert counts[counts["task"] == "gender"]["label"].tolist() == ["male", "female"]


def test_numbers_of_a_small_range_are_counted_by_tenths_of_it(no_new_tasks):
    add_task(Task("mood", "regression", range=(0, 1)))
    table = pd.DataFrame({"source": "a", "mood": [0.3, 0.35, 0.29, 1.0, np.nan]})
    counts = label_counts(table).set_index("label")["images"].to_dict()
    assert counts == {"0.2 to 0.3": 1, "0.3 to 0.4": 2, "1 to 1.1": 1, "(none)": 1}


def test_rows_without_a_label_are_counted():
    table = pd.DataFrame({"path": ["a", "b"], "source": "x", "age": [5.0, np.nan]})
    assert label_counts(table)[["label", "images"]].to_numpy().tolist() == [["0 to 9", 1], ["(none)", 1]]


def test_intervals_are_counted_as_they_are():
    table = complete(pd.DataFrame({"path": list("abcdef"), "age": ["20-29", "25", "60+", None, "3-6", "20-29"]}))
    counts = label_counts(table).set_index("label")["images"].to_dict()
    assert counts == {"3 to 6": 1, "20 to 29": 3, "60 and above": 1, "(none)": 1}
    alone = complete(pd.DataFrame({"path": list("ab"), "age": ["20-29", "60+"]}))
    assert label_counts(alone)["images"].tolist() == [1, 1]
    alike = complete(pd.DataFrame({"path": list("ab"), "age": ["20-29", "24-29"]}))
    assert not any("age.high" in line for line in oddities(alike))


def test_copies_and_whether_they_are_in_several_splits(checked):
    rows = copies(checked)
    assert len(rows) == 2 and rows["across_splits"].all()
    assert not copies(checked.assign(split="train"))["across_splits"].any()


def test_odd_labels_are_found_and_usual_ones_are_not():
    table = pd.DataFrame(
        {
            "path": list("abcde"),
            "age": [101, 100, 5, 6, 7],
            "smile": ["smiling", "smiling", "smiling", "not_smiling", None],
            "expression": ["sad", "happy", None, "sad", "sad"],
            "head_pose.yaw": [0, -91, 90, np.nan, 3],
            "gender": ["male", "male", "male", "male", "female"],
            "group": [0, 1, 2, 3, 3],
            "image": [0, 1, 2, 3, 4],
        }
    )
    assert sorted(map(tuple, suspicious(table).to_numpy().tolist())) == [
        ("a", "older than 100 years"),
        ("a", "smiles with another expression than happy or surprise"),
        ("b", "head_pose.yaw is beyond 90 degrees"),
        ("d", "images of its group carry several labels of gender"),
        ("e", "images of its group carry several labels of gender"),
    ]


def test_the_report_tells_of_everything_and_its_page_is_escaped(checked, tmp_path):
    text = write_report(checked, tmp_path / "report")
    assert "images: 9" in text and "skipped files: 1" in text and "groups of copies in several splits: 1" in text
    assert (tmp_path / "report" / "report.txt").read_text() == text + "\n"
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 4 and "copy &lt;b&gt;.jpg" in page and "<b>" not in page
    assert "not a JPEG, PNG, BMP, GIF, TIFF, WebP, AVIF or HEIC image" in page
    assert len(pd.read_csv(tmp_path / "report" / "conflicts.csv")) == 2
    assert pd.read_csv(tmp_path / "report" / "skipped.csv")["path"].tolist() == ["broken.jpg"]


def test_a_table_without_labels_has_a_report_too(faces_folder, tmp_path):
    paths = sorted(map(str, faces_folder.glob("*.jpg")))[:2]
    text = write_report(check_images(pd.DataFrame({"path": paths})), tmp_path)
    assert "images: 2" in text and "suspicious labels: 0" in text


def test_an_unchecked_table_is_one_line(faces, tmp_path):
    with pytest.raises(UserError, match="check_images"):
        write_report(faces, tmp_path)


def test_an_image_that_went_missing_is_shown_by_its_name(checked, tmp_path):
    Path(checked["path"][0]).unlink()
    write_report(checked, tmp_path / "report")
    assert Path(checked["path"][0]).name in (tmp_path / "report" / "report.html").read_text()


def test_large_pictures_become_small(tmp_path):
    for name in ("a", "b"):
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    table = pd.DataFrame({"path": [str(tmp_path / "a.png"), str(tmp_path / "b.png")], "gender": ["male", "female"]})
    write_report(check_images(table), tmp_path / "report")
    assert (tmp_path / "report" / "report.html").stat().st_size < 40_000


@pytest.mark.realdata
def test_identical_files_of_the_real_set_are_all_found(real_data):
    table = mtl.datasets.utkface(real_data / "UTKFace")
    contents = table["path"].map(lambda path: hashlib.sha256(Path(path).read_bytes()).hexdigest())
    # All identical files, and a twentieth of the others.
    sample = contents.duplicated(keep=False) | (table.index % 20 == 0)
    table = check_images(table[sample].reset_index(drop=True))
    contents = contents[sample].reset_index(drop=True)
    same = contents[contents.duplicated(keep=False)]
    assert table.attrs["audit"]["identical_groups"] == same.nunique() > 0
    assert set(table["path"][same.index]) <= set(copies(table)["path"])
