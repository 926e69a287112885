"""The commands that prepare data, each from its command line to what it leaves."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import skimage.data
from PIL import Image, ImageOps

from mtl_keras.datasets import DATASETS, PHOTOS
from mtl_keras.datasets.csv_file import LEFT_OUT, csv_file
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.portraits.scenes import SCENES, one_by_one
from mtl_keras.serving.people.video import Video

# A set that is not there, so that what is wrong beside it must be told first.
SET = ("--dataset", "utkface", "--data", "nowhere")


def test_audit_writes_and_prints_its_report(run, faces_folder, tmp_path):
    code, out, _ = run("audit", "--dataset", "utkface", "--data", faces_folder, "--out", tmp_path / "audit")
    assert code == 0 and "images: 30" in out and str(tmp_path / "audit" / "report.html") in out
    assert (tmp_path / "audit" / "report.html").stat().st_size > 1000


def test_pack_leaves_shards(run, faces_folder, tmp_path):
    command = ("pack", "--dataset", "rendered", "--data", faces_folder, "--out", tmp_path / "shards")
    code, out, _ = run(*command, "--rows-per-shard", 16)
    assert code == 0 and "30 images in 2 shards" in out
    assert len(list((tmp_path / "shards").glob("*.tfrecord"))) == 2


def test_copies_across_parts_are_told_of_and_not_packed_on_request(run, faces_folder, tmp_path):
    faces = sorted(faces_folder.glob("*.jpg"))[:4]
    rows = [(path, "train" if path == faces[0] else "test") for path in faces]
    with Image.open(faces[1]) as image:
        ImageOps.mirror(image).save(tmp_path / "again.png")
    table = pd.DataFrame([*rows, (tmp_path / "again.png", "train")], columns=["path", "split"])
    table.assign(gender="male").to_csv(tmp_path / "t.csv", index=False)
    command = ("pack", "--dataset", "csv_file", "--data", tmp_path / "t.csv", "--out")
    note = "in several parts (train, test) of csv_file: 1 photo,"
    for how, images in (((), 5), (("--leaks", "drop"), 4)):
        code, out, errors = run(*command, tmp_path / f"shards-{images}", *how)
        assert code == 0 and note in errors and f"{images} images in 1 shards" in out
    assert "again.png: a copy of this train image is a test image" in errors
    _, _, errors = run("audit", "--dataset", "csv_file", "--data", tmp_path / "t.csv", "--out", tmp_path / "audit")
    assert note in errors


def test_crop_leaves_a_folder_that_is_a_data_set_again(run, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "photos" / "a.png")
    Image.new("RGB", (90, 90)).save(tmp_path / "photos" / "black.png")
    pd.DataFrame({"path": ["a.png", "black.png"], "gender": "female"}).to_csv(
        tmp_path / "photos" / "t.csv", index=False
    )
    command = ("crop", "--dataset", "csv_file", "--data", tmp_path / "photos", "--out", tmp_path / "crops", "--jobs", 1)
    code, out, _ = run(*command)
    assert code == 0 and "1 crops of 2 photos" in out and "1 skipped" in out
    crops = csv_file(tmp_path / "crops" / "table.csv")
    assert crops["gender"].tolist() == ["female"] and Image.open(crops["path"][0]).size == (200, 200)


def test_boxes_that_hold_no_face_are_told_of(run, tmp_path):
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "a.png")
    boxes = ["170 60 110 150", "300 300 100 100", "5000 5000 50 50", "0.1 0.1 0.3 0.3"]
    pd.DataFrame({"path": "a.png", "box": boxes, "gender": "female"}).to_csv(tmp_path / "t.csv", index=False)
    command = ("crop", "--dataset", "csv_file", "--data", tmp_path / "t.csv", "--out", tmp_path / "crops", "--jobs", 1)
    _, out, _ = run(*command)
    assert "2 crops of 1 photos" in out
    assert "2 skipped; 1 cut by the `box` alone, since no face was found in it" in out
    run("audit", "--dataset", "csv_file", "--data", tmp_path / "t.csv", "--out", tmp_path / "audit")
    odd = pd.read_csv(tmp_path / "audit" / "suspicious.csv")["reason"].tolist()
    assert odd == ["its box is smaller than 8 pixels", "more than half of its box lies outside the photo"]


@pytest.mark.parametrize("command", ["audit", "pack", "crop", "evaluate"])
def test_what_is_odd_in_a_set_is_said_once(run, faces_folder, tiny_folder, tmp_path, command):
    labels = pd.read_csv(faces_folder / "attributes.csv")[["file", "age", "gender"]].assign(gender="male", cars=1)
    labels["file"] = [str(faces_folder / name) for name in labels["file"]]
    labels[:4].rename(columns={"file": "path", "age": " Age"}).to_csv(tmp_path / "faces.csv", index=False)
    arguments = [tiny_folder] if command == "evaluate" else ["--out", tmp_path / "out"]
    arguments += ["--jobs", 1] if command == "crop" else []
    _, _, errors = run(command, *arguments, "--dataset", "csv_file", "--data", tmp_path / "faces.csv")
    for said in (
        f"{tmp_path / 'faces.csv'}: columns read as they are meant: ' Age' as age",
        f"{LEFT_OUT}: 'cars'",
        "csv_file: all 4 labels of gender are male: there is nothing to tell apart",
    ):
        assert errors.count(said) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("audit", "--dataset", "cats", "--data", "."), "unknown dataset 'cats'"),
        (("pack", "--dataset", "utkface", "--data", "nowhere", "--out", "o"), "nowhere: no such folder"),
        (("crop", "--out", "o"), "either --dataset NAME with --data DIR, or --images DIR"),
        (("crop", "--images", "nowhere", "--out", "o"), "nowhere"),
        (("audit", *SET, "--out", "file"), "file: cannot be written (is a file; expected a folder)"),
        (("pack", *SET, "--out", "file"), "file: cannot be written (is a file; expected a folder)"),
        (("pack", *SET, "--out", "."), ".: holds other files than these shards (such as file)"),
        (("pack", *SET, "--out", "gs://o"), "expected a local folder"),
        (("pack", *SET, "--out", "o", "--rows-per-shard", "0"), "rows_per_shard 0"),
        (("pack", *SET, "--out", "o", "--seed", "-1"), "seed -1 is negative"),
        (("crop", "--images", "nowhere", "--out", "file/o"), "file/o: cannot be written (Not a directory)"),
        (("crop", "--images", "nowhere", "--out", "o", "--size", "0"), "size 0"),
        (("render", "--out", "file", "--count", "3"), "file: cannot be written (is a file;"),
        (("render", "--out", "file/o", "--count", "3"), "file/o: cannot be written (Not a directory)"),
    ],
)
def test_mistakes_are_one_line(run, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    code, _, errors = run(*arguments)
    (line,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert code == 2 and says in line and "Traceback" not in errors


def test_a_scene_is_written_as_a_video(run, tmp_path, monkeypatch):
    short = one_by_one(1)
    monkeypatch.setitem(SCENES, "one by one", lambda seed: replace(short, scene=replace(short.scene, seconds=0.25)))
    code, out, errors = run("render", "--scene", "one-by-one", "--out", tmp_path / "shop.mp4")
    assert (code, out) == (0, f"3 people, 0.25 seconds: {tmp_path / 'shop.mp4'}\n"), errors
    assert Video(tmp_path / "shop.mp4", 1).length == 3
    for option, value in (("--count", 7), ("--size", 64), ("--layout", "celeba")):
        code, _, errors = run("render", "--scene", "one-by-one", option, value, "--out", tmp_path / "other.mp4")
        assert code == 2 and f"{option}: a scene has people, a size and a form of its own" in errors


def test_sets_of_photos_are_data_sets():
    # A name that no reader has would never be looked up, and faces not be cut out.
    assert set(PHOTOS) < set(DATASETS) and len(set(PHOTOS)) == len(PHOTOS)
    assert "genki4k" in PHOTOS and "utkface" not in PHOTOS


@pytest.mark.parametrize("name", DATASETS)
def test_every_reader_tells_of_a_missing_and_of_an_empty_folder(name, tmp_path):
    # An empty one may be for another reader.
    for folder, kind in ((tmp_path / "nowhere", UserError), (tmp_path, LayoutError)):
        with pytest.raises(kind) as error:
            DATASETS[name](folder)
        assert "\n" not in str(error.value)
