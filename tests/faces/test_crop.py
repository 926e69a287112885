"""Folders of face crops: which faces, with which labels, and that no photo and no work is lost."""

import errno
import io
import json
import os
import runpy
import shutil
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config, register_parallel_backend
from joblib.parallel import ThreadingBackend
from PIL import Image
from skimage import data

from mtl_keras.data import images
from mtl_keras.datasets import utkface
from mtl_keras.errors import UserError
from mtl_keras.faces import crop, cut, folder
from mtl_keras.faces.crop import crop_faces, photo_table
from mtl_keras.faces.cut import CropSettings, settings_for
from mtl_keras.faces.detectors import DETECTORS
from mtl_keras.faces.folder import read_crops
from mtl_keras.faces.geometry import LANDMARKS, UTKFACE_CROP, Face
from mtl_keras.faces.mtcnn import FaceDetector
from mtl_keras.tasks import AGE, HEAD_POSE, Task

ROOT = Path(__file__).parents[2]


class Squares(FaceDetector):
    """Finds the squares that `write_photo` drew, and remembers the shapes of the images of each call."""

    calls: list[list[tuple]] = []
    stop_after = 1000

    def detect(self, images):
        if len(self.calls) >= self.stop_after:
            raise KeyboardInterrupt
        self.calls.append([image.shape for image in images])
        return [[square_face(*image[0, 1 + number]) for number in range(image[0, 0, 0])] for image in images]


class Broken(FaceDetector):
    """Stands for a process that the system ended."""

    def detect(self, images):
        raise BrokenProcessPool("killed")


class One(FaceDetector):
    """Finds a face in one place of every image."""

    def detect(self, images):
        return [[square_face(4, 2, 18)] for _ in images]


class Points(FaceDetector):
    """Finds a face whose landmarks all lie in one point."""

    def detect(self, images):
        return [[Face((0, 0, 9, 9), 1.0, dict.fromkeys(LANDMARKS, (5.0, 5.0)))] for _ in images]


def square_face(x: np.uint8, y: np.uint8, side: np.uint8) -> Face:
    """A face of which the square is the crop of UTKFace; its numbers are numpy's, as mtcnn's once were."""
    points = np.array([x, y], np.float32) + UTKFACE_CROP.points.astype(np.float32) * side
    box = tuple(np.int64(number) for number in (x, y, side, side))
    return Face(box, np.float32(0.99), dict(zip(LANDMARKS, map(tuple, points), strict=True)))


def small_gif() -> bytes:
    """A GIF image of one pixel."""
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "GIF")
    return file.getvalue()


def write_photo(path: Path, *squares: tuple[int, int, int, int], width: int = 64, height: int = 48) -> str:
    """Write a black PNG with grey squares (x, y, side, grey); the pixels of the first row say where they are."""
    image = np.zeros((height, width, 3), np.uint8)
    for x, y, side, grey in squares:
        image[y : y + side, x : x + side] = grey
    image[0, 0] = len(squares)
    for number, square in enumerate(squares, 1):
        image[0, number] = square[:3]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, "PNG")
    return str(path)


def grey_of(path: str) -> int:
    """The grey in the middle of a crop."""
    with Image.open(path) as image:
        assert image.format == "JPEG"
        return round(np.asarray(image)[8:-8, 8:-8].mean())


def cropped(table: pd.DataFrame, out: Path, detector: type[FaceDetector] = Squares, **settings) -> pd.DataFrame:
    return crop_faces(table, out, CropSettings(**{"size": 32, **settings}), n_jobs=1, detector=detector())


def files_in(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*.jpg"))


@pytest.fixture(autouse=True)
def fresh():
    Squares.calls, Squares.stop_after = [], 1000


@pytest.fixture
def photos(tmp_path) -> pd.DataFrame:
    """A photo with one face, with two, with none, one that is damaged, one that is missing, and one of another size."""
    paths = [
        write_photo(tmp_path / "photos" / "one.png", (10, 8, 24, 200)),
        write_photo(tmp_path / "photos" / "two.png", (2, 16, 30, 90), (36, 12, 26, 180)),
        write_photo(tmp_path / "photos" / "none.png"),
        str(tmp_path / "photos" / "damaged.png"),
        str(tmp_path / "photos" / "missing.png"),
        write_photo(tmp_path / "photos" / "below" / "one.png", (20, 20, 40, 60), width=100, height=100),
    ]
    Path(paths[3]).write_bytes(Path(paths[0]).read_bytes()[:60])
    table = pd.DataFrame({"path": paths, "source": "squares", "group": [4, 4, 5, 6, 7, 8], "image": range(6)})
    table["split"] = ["train", "test", None, None, None, "train"]
    table["age"] = [1.0, 2.0, 3.0, 4.0, 5.0, np.nan]
    table["smile"] = ["smiling", "not_smiling", "smiling", None, None, "smiling"]
    table.attrs = {
        "skipped": [{"path": "earlier.jpg", "reason": "no age"}],
        "deviations": [{"path": "x", "reason": "y"}],
    }
    return table


# === Which faces, with which labels ===


def test_labels_go_with_the_largest_face_and_nothing_is_lost(photos, tmp_path):
    crops = cropped(photos, tmp_path / "crops")
    assert crops["path"].tolist() == [str(tmp_path / "crops" / f"{name}.jpg") for name in ("one", "two", "below/one")]
    assert crops["photo"].tolist() == photos["path"][[0, 1, 5]].tolist()
    assert crops["age"].tolist()[:2] == [1, 2] and np.isnan(crops["age"][2])
    assert crops["smile"].tolist() == ["smiling", "not_smiling", "smiling"]
    assert crops["split"].fillna("").tolist() == ["train", "test", "train"]
    assert crops["group"].tolist() == [4, 4, 8] and crops["image"].tolist() == [0, 1, 5]
    assert crops["faces"].tolist() == [1, 2, 1] and crops["confidence"].tolist() == [0.99] * 3
    assert [grey_of(path) for path in crops["path"]] == pytest.approx([200, 90, 60], abs=2)
    names = [os.path.basename(entry["path"]) for entry in crops.attrs["skipped"]]
    assert names == ["earlier.jpg", "none.png", "damaged.png", "missing.png"]
    reasons = [entry["reason"] for entry in crops.attrs["skipped"]]
    assert reasons[1] == "no face found" and "damaged" in reasons[2] and reasons[3] == "No such file or directory"
    assert crops.attrs["deviations"] == photos.attrs["deviations"]
    assert len(photos) == 6 and len(photos.attrs["skipped"]) == 1


def test_of_several_faces_nobody_knows_whose_the_labels_are(photos, tmp_path):
    crops = cropped(photos, tmp_path / "crops", faces="all")
    assert [os.path.relpath(path, tmp_path / "crops") for path in crops["path"]] == [
        "one-1.jpg", "two-1.jpg", "two-2.jpg", "below/one-1.jpg",
    ]  # fmt: skip
    assert [grey_of(path) for path in crops["path"]] == pytest.approx([200, 90, 180, 60], abs=2)
    assert crops["age"].isna().tolist() == [False, True, True, True]
    assert crops["smile"].isna().tolist() == [False, True, True, False]
    assert crops["source"].tolist() == ["squares"] * 4 and crops["group"].tolist() == [4, 4, 4, 8]
    assert crops["image"].is_unique, "two people are not copies of one image"


@pytest.fixture
def boxed(photos) -> pd.DataFrame:
    """Of the photo of two faces both, one that nobody finds and one outside; the damaged photo; one without a box."""
    one, two, damaged = photos["path"][[0, 1, 3]]
    boxes = ["36 12 26 26", "2 16.5 30 30", "20 2 16 20", "70 2 16 20", "1 1 9 9", None]
    table = pd.DataFrame({"path": [*[two] * 4, damaged, one], "box": boxes, "source": "squares"})
    return table.assign(age=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])


@pytest.mark.parametrize("faces", ["largest", "all"])
def test_given_faces_are_cut_out_each_with_its_own_labels(boxed, tmp_path, faces):
    crops = cropped(boxed, tmp_path / "crops", faces=faces)
    names = [os.path.relpath(path, tmp_path / "crops") for path in crops["path"]]
    assert names == ["two-3.jpg", "two-1.jpg", "two-2.jpg", "one-1.jpg"]
    assert crops["age"].tolist() == [1, 2, 3, 6]
    assert crops["photo_box"].fillna("").tolist() == ["36 12 26 26", "2 16.5 30 30", "20 2 16 20", ""]
    assert "box" not in crops and crops["group"].nunique() == 2 and crops["group"][:3].nunique() == 1
    assert [grey_of(path) for path in crops["path"][[0, 1, 3]]] == pytest.approx([180, 90, 200], abs=2)
    # That which was not found is cut out by its box, in which are parts of both.
    assert crops["confidence"].tolist() == [0.99, 0.99, 0, 0.99] and crops["faces"].tolist() == [2, 2, 2, 1]
    reasons = [(os.path.basename(entry["path"]), entry["reason"]) for entry in crops.attrs["skipped"]]
    assert reasons[0] == ("two.png", "less than 10% or 8 pixels a side of its box 70 2 16 20 lie in the photo")
    assert len(reasons) == 2 and reasons[1][0] == "damaged.png" and "damaged" in reasons[1][1]
    pd.testing.assert_frame_equal(read_crops(tmp_path / "crops"), crops)


def test_the_order_of_rows_changes_no_crop(boxed, tmp_path):
    there, back = (cropped(rows, tmp_path / name) for rows, name in ((boxed, "a"), (boxed[::-1], "b")))
    names = [dict(zip(rows["age"], map(os.path.basename, rows["path"]), strict=True)) for rows in (there, back)]
    assert names[0] == names[1] == {1: "two-3.jpg", 2: "two-1.jpg", 3: "two-2.jpg", 6: "one-1.jpg"}
    for name in names[0].values():
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_given_faces_are_kept_until_a_box_changes(boxed, tmp_path, capsys):
    first = cropped(boxed[:2], tmp_path / "crops")
    Squares.calls = []
    pd.testing.assert_frame_equal(cropped(boxed[:2], tmp_path / "crops"), first)
    assert not Squares.calls and "other settings" not in capsys.readouterr().err
    more = cropped(boxed[:3], tmp_path / "crops")
    assert len(Squares.calls) == 1 and more["age"].tolist() == [1, 2, 3]
    # A table without boxes has other names, so none of these may be left.
    assert len(cropped(boxed[5:].drop(columns="box"), tmp_path / "crops")) == 1
    assert "other settings" in capsys.readouterr().err and files_in(tmp_path / "crops") == ["one.jpg"]


def test_boxes_count_in_the_photos_own_pixels_however_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MOST_KEPT", 2000)  # in place of 50 million
    photo = write_photo(tmp_path / "photos" / "1.png", (8, 4, 36, 200))
    # The second is too narrow once the photo is halved.
    table = pd.DataFrame({"path": [photo] * 2, "box": ["8 4 36 36", "50 4 12 20"]})
    assert cropped(table, tmp_path / "out", One)["confidence"].tolist() == [0.99]
    (line,) = map(json.loads, (tmp_path / "out" / "crops.jsonl").read_text().splitlines())
    assert line["crops"][0]["box"] == [8, 4, 36, 36]


def test_central_face_weighs_place_and_size():
    def faces(*squares):
        return [square_face(*map(np.uint8, square)) for square in squares]

    middle, corner = faces((90, 40, 20), (0, 0, 36))
    assert CropSettings("largest").choose([middle, corner], 100, 200) == [corner]
    assert CropSettings("central").choose([middle, corner], 100, 200) == [middle]
    # A speck in the very middle is not the person of whom the photo is.
    speck, beside = faces((98, 48, 4), (60, 30, 40))
    assert CropSettings("central").choose([speck, beside], 100, 200) == [beside]
    for how in ("largest", "central", "all"):
        assert CropSettings(how).choose([], 100, 200) == []


def test_margin_widens_the_crop_and_size_is_its_side(tmp_path):
    table = pd.DataFrame({"path": [write_photo(tmp_path / "a.png", (20, 20, 40, 250), width=80, height=80)]})
    (path,) = cropped(table, tmp_path / "crops", margin=0.5, size=80)["path"]
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L")).astype(int)
    # The square is now the middle half of each side.
    assert pixels.shape == (80, 80) and (pixels[24:56, 24:56] > 240).all()
    assert (pixels[:16, 4:] < 10).all() and (pixels[66:] < 10).all()
    written = json.loads((tmp_path / "crops" / "crops.json").read_text())
    assert written["crop"]["landmarks"]["left_eye"] == pytest.approx([(0.3 + 0.5) / 2, (0.292 + 0.5) / 2])


def test_heads_are_turned_unless_roll_is_kept():
    turn = np.radians(25)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = (UTKFACE_CROP.points - 0.5) * 60 @ rotation.T + (70, 50)
    face = Face((40, 20, 60, 60), 1.0, dict(zip(LANDMARKS, map(tuple, points), strict=True)))
    unturned = cut._unturned(face, UTKFACE_CROP)
    np.testing.assert_allclose(list(unturned.landmarks.values()), (UTKFACE_CROP.points - 0.5) * 60 + (70, 50), atol=2.0)
    np.testing.assert_allclose(np.mean(list(unturned.landmarks.values()), axis=0), points.mean(axis=0))
    x, y = np.meshgrid(np.arange(140), np.arange(100))
    along = (np.stack([x, y], axis=-1) - (70, 50)) @ rotation  # a photo of stripes along the turned eyes
    stripes = np.where(along[:, :, 1] > 0, 255, 0).astype(np.uint8)
    upright = CropSettings(size=40).cut(stripes, face)[:, :, 0].astype(int)
    kept = CropSettings(size=40, keep_roll=True).cut(stripes, face)[:, :, 0].astype(int)
    assert np.abs(upright - upright[:, :1]).mean() < 10 < np.abs(kept - kept[:, :1]).mean()


def test_a_label_of_roll_is_said_to_be_untrue(photos, tmp_path, capsys):
    cropped(photos.assign(**{"head_pose.roll": 3.0}), tmp_path / "kept", keep_roll=True)
    assert "note:" not in capsys.readouterr().err
    cropped(photos.assign(**{"head_pose.roll": 3.0}), tmp_path / "turned")
    assert "note: heads are turned upright, so head_pose.roll do not hold" in capsys.readouterr().err


def test_face_that_cannot_be_cut_out_is_named(photos, tmp_path):
    with pytest.raises(UserError, match="none of 6 photos gives a crop; the first is .*one.png: align: the landmarks"):
        cropped(photos, tmp_path / "crops", Points)
    assert len(pd.read_csv(tmp_path / "crops" / "skipped.csv")) == 7
    with pytest.raises(UserError, match="holds no table.csv"):
        read_crops(tmp_path / "crops")


# === The folder ===


def test_folder_can_be_moved_and_read_again(photos, tmp_path):
    crops = cropped(photos, tmp_path / "crops")
    again = read_crops(tmp_path / "crops")
    pd.testing.assert_frame_equal(again, crops)
    assert again.attrs["skipped"] == crops.attrs["skipped"]
    shutil.move(tmp_path / "crops", tmp_path / "elsewhere")
    moved = read_crops(tmp_path / "elsewhere")
    assert all(Path(path).is_file() for path in moved["path"])
    pd.testing.assert_frame_equal(moved.drop(columns="path"), crops.drop(columns="path"))
    assert not pd.read_csv(tmp_path / "elsewhere" / "table.csv")["path"].str.startswith("/").any()


def test_crops_keep_the_names_that_carry_labels(tmp_path):
    name = "25_1_2_20170116174525125.jpg"
    write_photo(tmp_path / "photos" / name, (4, 8, 30, 100))
    cropped(utkface(tmp_path / "photos"), tmp_path / "crops")
    crops = utkface(tmp_path / "crops")
    assert crops[["age", "gender", "ethnicity"]].values.tolist() == [[25.0, "female", "asian"]]


def test_names_never_collide(tmp_path):
    names = [
        "a.png",
        "a.jpg",
        "A.png",
        "b/a.png",
        "a_2.png",
        "ü ñ.png",
        f"{'x' * 251}.png",
        f"{'x' * 251}.bmp",
        "a.b.png",
        "c/.d.png",
    ]
    table = pd.DataFrame({"path": [write_photo(tmp_path / "photos" / name, (4, 8, 30, 100)) for name in names]})
    table["age"] = np.arange(len(names), dtype=float)
    crops = cropped(table, tmp_path / "crops")
    assert crops["path"].str.casefold().is_unique and crops["age"].tolist() == table["age"].tolist()
    assert files_in(tmp_path / "crops") == sorted(os.path.relpath(path, tmp_path / "crops") for path in crops["path"])
    names = [os.path.relpath(path, tmp_path / "crops") for path in crops["path"]]
    assert names[:2] == ["a.jpg", "a_2.jpg"] and names[3] == "b/a.jpg" and names[5] == "ü ñ.jpg"
    # The same photos in another order, together with more, find their own crops again.
    more = pd.DataFrame({"path": [write_photo(tmp_path / "a.png", (4, 8, 30, 100)), *table["path"][::-1]]})
    Squares.calls = []
    again = cropped(more, tmp_path / "crops")
    assert sum(map(len, Squares.calls)) == 1
    assert again.set_index("photo")["path"][table["path"]].tolist() == crops["path"].tolist()


def test_what_could_overwrite_files_is_refused(photos, tmp_path):
    for out, message in [
        (tmp_path / "photos", "photos of the table lie in it"),
        (tmp_path, "photos of the table lie in it"),
        (tmp_path / "file", "is a file"),
        (tmp_path / "full", "holds other files than crops \\(such as notes.txt\\)"),
    ]:
        (tmp_path / "file").touch()
        (tmp_path / "full").mkdir(exist_ok=True)
        (tmp_path / "full" / "notes.txt").touch()
        with pytest.raises(UserError, match=message) as caught:
            cropped(photos, out)
        assert "\n" not in str(caught.value)
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    with pytest.raises(UserError, match="photos of the table lie in it"):
        cropped(photos, tmp_path / "link")
    assert not Squares.calls and os.listdir(tmp_path / "full") == ["notes.txt"]


def test_mistakes_are_one_line_errors(photos, tmp_path):
    twice = pd.concat([photos[:1], photos[:1]])
    for table, message in [(photos[:0], "has no rows"), (twice, "one.png is in two rows; keep one of them, or")]:
        with pytest.raises(UserError, match=message):
            cropped(table, tmp_path / "crops")
    with pytest.raises(UserError, match="0 jobs: expected 1 or more"):
        crop_faces(photos, tmp_path / "crops", n_jobs=0)
    for wrong in ({"faces": "best"}, {"size": 0}, {"size": 5000}, {"margin": -0.4}, {"margin": float("nan")}):
        with pytest.raises(UserError, match="expected"):
            CropSettings(**wrong)
    with pytest.raises(UserError, match="no such folder; expected the folder of crops"):
        read_crops(tmp_path / "gone")
    with pytest.raises(UserError, match="ended, mostly for want of memory; call again with fewer jobs"):
        cropped(photos, tmp_path / "crops", Broken)
    cropped(photos, tmp_path / "crops")
    (tmp_path / "crops" / "skipped.csv").write_text("cat\n1\n")
    with pytest.raises(UserError, match="skipped.csv: damaged"):
        read_crops(tmp_path / "crops")


def test_full_disk_is_told_and_what_is_done_is_kept(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(crop, "BATCH_IMAGES", 1)
    written, save = [], Image.Image.save

    def full_after_one(image, path, *rest, **settings):
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(path)
        save(image, path, *rest, **settings)

    monkeypatch.setattr(Image.Image, "save", full_after_one)
    with pytest.raises(UserError, match="jpg: cannot be written .No space left on device.; make room, then call again"):
        cropped(photos, tmp_path / "crops")
    monkeypatch.undo()
    Squares.calls = []
    assert len(cropped(photos, tmp_path / "crops")) == 3
    assert sum(map(len, Squares.calls)) < 4


# === Going on after a stop ===


def test_what_is_done_is_not_done_again(photos, tmp_path):
    crops = cropped(photos, tmp_path / "crops")
    assert sum(map(len, Squares.calls)) == 4
    Squares.calls = []
    again = cropped(photos, tmp_path / "crops")
    assert sum(map(len, Squares.calls)) == 0
    pd.testing.assert_frame_equal(again, crops)
    assert again.attrs == crops.attrs


def test_what_has_changed_is_done_again(photos, tmp_path):
    crops = cropped(photos, tmp_path / "crops")
    write_photo(Path(photos["path"][0]), (10, 8, 24, 120), (36, 12, 26, 50))
    write_photo(Path(photos["path"][5]), width=99)
    write_photo(Path(photos["path"][4]), (10, 8, 24, 33))
    Path(crops["path"][1]).write_bytes(b"")
    Squares.calls = []
    again = cropped(photos, tmp_path / "crops")
    assert sum(map(len, Squares.calls)) == 4
    assert [os.path.basename(path) for path in again["path"]] == ["one.jpg", "two.jpg", "missing.jpg"]
    assert [grey_of(path) for path in again["path"]] == pytest.approx([50, 90, 33], abs=2)
    assert files_in(tmp_path / "crops") == ["missing.jpg", "one.jpg", "two.jpg"], "no crop of an older photo is left"


@pytest.mark.parametrize("stop_after", [0, 1, 3])
def test_a_stopped_run_goes_on(photos, tmp_path, monkeypatch, stop_after):
    monkeypatch.setattr(crop, "BATCH_IMAGES", 1)
    whole = cropped(photos, tmp_path / "whole")
    Squares.calls, Squares.stop_after = [], stop_after
    with pytest.raises(KeyboardInterrupt):
        cropped(photos, tmp_path / "crops")
    assert not (tmp_path / "crops" / "table.csv").exists()
    Squares.stop_after = 1000
    crops = cropped(photos, tmp_path / "crops")
    pd.testing.assert_frame_equal(crops.drop(columns="path"), whole.drop(columns="path"))
    assert files_in(tmp_path / "crops") == files_in(tmp_path / "whole")
    # Photos that could not be read are tried once more, those that could are looked at once.
    assert sum(map(len, Squares.calls)) == 4


def test_other_settings_start_anew_and_say_so(photos, tmp_path, capsys):
    cropped(photos, tmp_path / "crops", faces="all")
    (tmp_path / "crops" / "mine.txt").write_text("kept")
    assert "other settings" not in capsys.readouterr().err
    crops = cropped(photos, tmp_path / "crops", size=40)
    assert (
        f"{tmp_path / 'crops'}: cropped with other settings before; these crops are removed" in capsys.readouterr().err
    )
    assert files_in(tmp_path / "crops") == ["below/one.jpg", "one.jpg", "two.jpg"]
    assert Image.open(crops["path"][0]).size == (40, 40) and (tmp_path / "crops" / "mine.txt").exists()
    before = len(Squares.calls)
    crop_faces(photos, tmp_path / "crops", CropSettings(size=40), n_jobs=1, detector=Squares(minimum_size=30))
    assert len(Squares.calls) > before and "other settings" in capsys.readouterr().err
    (tmp_path / "crops" / "crops.json").write_text("{")
    cropped(photos, tmp_path / "crops", size=40)
    assert "other settings" in capsys.readouterr().err


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_torn_journal_is_mended(photos, tmp_path, kept):
    crops = cropped(photos, tmp_path / "crops")
    journal = tmp_path / "crops" / "crops.jsonl"
    contents = journal.read_bytes()
    journal.write_bytes(contents[: int(kept * len(contents))])
    pd.testing.assert_frame_equal(cropped(photos, tmp_path / "crops"), crops)
    assert sorted(journal.read_bytes().split(b"\n")) == sorted(contents.split(b"\n"))


CROP = {"file": "a.jpg", "confidence": 1}
FIELDS = {"photo": "/a.png", "name": "a", "stamp": [1, 2], "faces": 1, "crops": [CROP], "reason": ""}
LINE = json.dumps(FIELDS).encode() + b"\n"


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(LINE)), st.binary(max_size=4))
def test_any_journal_can_be_read(tmp_path_factory, noise, place, inserted):
    path = tmp_path_factory.mktemp("journal") / "crops.jsonl"
    path.write_bytes(noise + b"\n" + LINE[:place] + inserted + LINE[place:] + LINE + noise)
    done = folder._read_journal(path)
    assert done["/a.png"]["crops"][0]["file"] == "a.jpg"
    folder.append([done["/a.png"] | {"photo": "/b.png"}], path.parent)
    assert "/b.png" in folder._read_journal(path)


@pytest.mark.parametrize(
    "change",
    [{"name": "../a"}, {"name": 3}, {"photo": None}, {"stamp": 5}, {"faces": "x"}, {"crops": [{"file": "/etc/a"}]},
     {"crops": [{"file": "../../a", "confidence": 1}]}, {"crops": {"file": 1}}, {"name": "a\0"}, {"name": "\ud800"}],
    ids=repr,
)  # fmt: skip
def test_journal_names_no_file_elsewhere(tmp_path, change):
    (tmp_path / "crops.jsonl").write_text(json.dumps(FIELDS | change) + "\n[1]\nnull\n")
    assert folder._read_journal(tmp_path / "crops.jsonl") == {}


# === Many photos, many processes ===


def many(tmp_path: Path, count: int) -> pd.DataFrame:
    paths = [
        write_photo(tmp_path / "photos" / f"{number:03}.png", (4, 8, 30, number), width=(64, 70, 90)[number % 3])
        for number in range(count)
    ]
    return pd.DataFrame({"path": paths, "age": np.arange(count, dtype=float)})


def test_memory_is_bounded_and_like_sizes_come_together(tmp_path, monkeypatch):
    monkeypatch.setattr(crop, "BATCH_IMAGES", 8)
    monkeypatch.setattr(crop, "WINDOW", 40)
    table = many(tmp_path, 60)
    cropped(table, tmp_path / "crops")
    assert sum(map(len, Squares.calls)) == 60 and max(map(len, Squares.calls)) <= 8
    assert sum(len(set(shapes)) for shapes in Squares.calls) <= len(Squares.calls) + 4
    monkeypatch.setattr(crop, "BATCH_PIXELS", 10_000)
    Squares.calls = []
    cropped(table, tmp_path / "small")
    assert max(sum(height * width for height, width, _ in shapes) for shapes in Squares.calls) <= 10_000
    assert sum(map(len, Squares.calls)) == 60


class GivesAllTogether(ThreadingBackend):
    """A back end that gives its results only when all are there, as Ray's does."""

    supports_return_generator = False


@pytest.mark.parametrize("backend", ["sequential", "threading", "all together"])
def test_every_back_end_gives_the_rows_in_order(tmp_path, monkeypatch, backend):
    register_parallel_backend("all together", GivesAllTogether)
    monkeypatch.setattr(crop, "BATCH_IMAGES", 3)
    monkeypatch.setattr(crop, "WINDOW", 20)
    table = many(tmp_path, 50)
    with parallel_config(backend, n_jobs=2):
        crops = crop_faces(table, tmp_path / "crops", CropSettings(size=32), detector=Squares())
    assert crops["photo"].tolist() == table["path"].tolist()
    assert crops["age"].tolist() == [grey_of(path) for path in crops["path"]] == list(range(50))
    assert sum(map(len, Squares.calls)) == 50


def test_a_pipe_is_not_waited_for(photos, tmp_path):
    os.mkfifo(tmp_path / "photos" / "pipe.jpg")
    photos.loc[4, "path"] = str(tmp_path / "photos" / "pipe.jpg")
    assert cropped(photos, tmp_path / "crops").attrs["skipped"][-1]["reason"] == "not a regular file"


def test_nothing_is_written_through_links_in_the_folder(tmp_path):
    (tmp_path / "precious").write_text("torn")
    for name in ("a.jpg", folder.JOURNAL):
        (tmp_path / name).symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match="a.jpg: cannot be written .Too many levels of symbolic links"):
        cut._write(np.zeros((8, 8, 3), np.uint8), tmp_path / "a.jpg")
    assert folder._read_journal(tmp_path / folder.JOURNAL) == {}
    with pytest.raises(UserError, match=f"{folder.JOURNAL}: cannot be written .Too many levels of symbolic links"):
        folder.append([FIELDS], tmp_path)
    assert (tmp_path / "precious").read_text() == "torn"


# === Real faces ===


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    """The photo of Eileen Collins that scikit-image ships (NASA, public domain) in many forms, and its crops."""
    place, photo = tmp_path_factory.mktemp("real"), Image.fromarray(data.astronaut()).crop((100, 0, 356, 256))
    (place / "photos").mkdir()
    photo.save(place / "photos" / "colour.png")
    photo.convert("L").save(place / "photos" / "grey.png")
    photo.convert("RGBA").save(place / "photos" / "alpha.png")
    photo.convert("CMYK").save(place / "photos" / "print.jpg", quality=95)
    sideways = Image.Exif()
    sideways[0x0112] = 6
    photo.transpose(Image.Transpose.ROTATE_90).save(place / "photos" / "sideways.jpg", quality=95, exif=sideways)
    both = Image.new("RGB", (400, 256))
    both.paste(photo)
    both.paste(photo.resize((144, 144)), (256, 40))
    both.save(place / "photos" / "two.png")
    Image.new("RGB", (256, 256), "navy").save(place / "photos" / "nobody.png")
    (place / "photos" / "broken.jpg").write_bytes((place / "photos" / "print.jpg").read_bytes()[:2000])
    settings = CropSettings("all", size=120, margin=0.25)
    return place, crop_faces(photo_table(place / "photos"), place / "crops", settings, n_jobs=1)


def test_real_faces_are_found_and_stand_where_they_should(real):
    place, crops = real
    names = [os.path.basename(path) for path in crops["path"]]
    assert names == [
        f"{name}.jpg" for name in ("alpha-1", "colour-1", "grey-1", "print-1", "sideways-1", "two-1", "two-2")
    ]
    assert crops["faces"].tolist() == [1, 1, 1, 1, 1, 2, 2]
    skipped = {os.path.basename(entry["path"]): entry["reason"] for entry in crops.attrs["skipped"]}
    assert skipped.keys() == {"broken.jpg", "nobody.png"} and skipped["nobody.png"] == "no face found"
    images = [np.asarray(Image.open(path)) for path in crops["path"]]
    assert {image.shape for image in images} == {(120, 120, 3)}
    for image in images:
        assert np.abs(image.mean(axis=2) - images[1].mean(axis=2)).mean() < 12
    ((face,),) = FaceDetector().detect(images[1:2])
    expected = (UTKFACE_CROP.points + 0.25) / 1.5 * 120
    np.testing.assert_allclose(list(face.landmarks.values()), expected, atol=6)


def test_processes_give_what_one_gives(real, monkeypatch):
    place, expected = real
    monkeypatch.setattr(crop, "BATCH_IMAGES", 4)
    settings = CropSettings("all", size=120, margin=0.25)
    crops = crop_faces(photo_table(place / "photos"), place / "by processes", settings, n_jobs=2)
    pd.testing.assert_frame_equal(crops.drop(columns="path"), expected.drop(columns="path"), atol=1e-3)
    for mine, other in zip(crops["path"], expected["path"], strict=True):
        difference = np.asarray(Image.open(mine)).astype(int) - np.asarray(Image.open(other))
        assert np.abs(difference).mean() < 1


def test_faces_of_a_very_large_photo_are_noted_in_its_own_pixels(tmp_path, monkeypatch):
    """Here one of more than 2,000 pixels, in place of 50 million."""
    monkeypatch.setattr(images, "MOST_KEPT", 2000)
    cropped(
        photo_table(Path(write_photo(tmp_path / "photos" / "1.png", (8, 4, 36, 200))).parent), tmp_path / "out", One
    )
    (line,) = map(json.loads, (tmp_path / "out" / "crops.jsonl").read_text().splitlines())
    assert line["crops"][0]["box"] == [8, 4, 36, 36]
    left_eye = (np.array([4, 2]) + 18 * UTKFACE_CROP.points[0]) * 2
    np.testing.assert_allclose(line["crops"][0]["landmarks"]["left_eye"], left_eye, atol=0.01)
    # It is cut out of the smaller image, where the face has the same place.
    assert np.asarray(Image.open(tmp_path / "out" / "1.jpg"))[2:-2, 2:-2].min() > 180


# === A folder of photos, and the command ===


def test_folder_of_photos_is_a_table_without_labels(photos, tmp_path):
    table = photo_table(tmp_path / "photos")
    assert table["path"].tolist() == sorted(photos["path"].drop(4)) and table["source"].unique() == ["photos"]
    inside = tmp_path / "photos" / "crops"
    cropped(table, inside)
    pd.testing.assert_frame_equal(photo_table(tmp_path / "photos", leave_out=inside), table)
    assert len(cropped(photo_table(tmp_path / "photos", leave_out=inside), inside)) == 3
    for name, contents in (("notes.txt", b"notes"), ("dot.gif", small_gif())):
        (tmp_path / "photos" / name).write_bytes(contents)
    table = photo_table(tmp_path / "photos", leave_out=inside)
    assert [Path(item["path"]).name for item in table.attrs["skipped"]] == ["notes.txt"]
    skipped = {Path(item["path"]).name: item["reason"] for item in cropped(table, inside).attrs["skipped"]}
    assert skipped["notes.txt"].startswith("its name ends in none of .jpg")
    assert skipped["dot.gif"] == "1 x 1 pixels are too few; expected at least 8 a side"
    for gone, message in [("gone", "no such folder"), ("empty", "holds no images")]:
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(UserError, match=message):
            photo_table(tmp_path / gone)


@pytest.fixture
def command(monkeypatch, capsys):
    """Call data_tools/crop_faces.py in this process and return its exit code and what it printed."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["crop_faces.py", *map(str, arguments)])
        monkeypatch.setitem(DETECTORS, "mtcnn", Squares)
        code = 0
        try:
            runpy.run_path(str(ROOT / "data_tools" / "crop_faces.py"), run_name="__main__")
        except SystemExit as stopped:
            code = stopped.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_command_crops_a_folder_or_a_data_set(command, photos, tmp_path):
    out = tmp_path / "crops"
    code, printed, errors = command("--images", tmp_path / "photos", "--out", out, "--faces", "all", "--jobs", 1)
    assert code == 1 and "error: 1 of 5 images could not be used; the others are done; the first is" in errors
    assert printed == f"4 crops of 5 photos in {out}, 2 skipped\n"
    name = "25_1_2_20170116174525125.jpg"
    write_photo(tmp_path / "set" / name, (4, 8, 30, 100))
    arguments = ("--dataset", "utkface", "--data", tmp_path / "set", "--size", 64, "--margin", 0.2, "--jobs", 1)
    code, printed, _ = command(*arguments, "--out", tmp_path / "labelled")
    assert code == 0 and printed == f"1 crops of 1 photos in {tmp_path / 'labelled'}, 0 skipped\n"
    assert read_crops(tmp_path / "labelled")["age"].tolist() == [25.0]


def test_command_tells_mistakes(command, photos, tmp_path):
    out = ("--out", tmp_path / "crops")
    for arguments in [
        (),
        ("--dataset", "utkface"),
        ("--data", tmp_path),
        ("--images", tmp_path, "--dataset", "utkface"),
    ]:
        code, _, errors = command(*arguments, *out)
        assert code == 2 and errors.startswith("error: expected either --dataset NAME")
    code, _, errors = command("--dataset", "cats", "--data", tmp_path, *out)
    assert code == 2 and errors.startswith("error: unknown dataset 'cats'")
    code, _, errors = command("--images", tmp_path / "gone", *out)
    assert code == 2 and errors.count("\n") == 1 and "no such folder" in errors
    assert command("--help")[0] == 0


def test_heads_of_an_oriented_task_are_not_turned():
    for tasks, kept in (([AGE, HEAD_POSE], True), ([AGE], False), ([Task("tilt", "angle", oriented=True)], True)):
        geometry = UTKFACE_CROP.for_tasks(tasks)
        assert settings_for(geometry) == CropSettings(keep_roll=kept) and geometry.for_tasks([]) == geometry
