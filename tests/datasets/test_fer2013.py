"""The reader of FER2013: class folders, and the published CSV file with its pixels."""

import os

import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.images import read_image
from mtl_keras.data.table import complete
from mtl_keras.datasets.fer2013 import fer2013
from mtl_keras.errors import UserError


def pixels(value: int) -> str:
    return " ".join(str((value + index) % 256) for index in range(48 * 48))


def write_csv(folder, rows, header="emotion,pixels,Usage"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fer2013.csv").write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    return folder


ROWS = [("0", pixels(3), "Training"), ("3", pixels(5), "PublicTest"), ("6", pixels(7), "PrivateTest")]


def test_a_csv_file_becomes_images_with_expression_and_split(tmp_path):
    folder = write_csv(tmp_path / "FER 2013", ROWS)
    table = fer2013(folder).sort_values("path")
    by_split = table.set_index("split")["expression"].to_dict()
    assert by_split == {"train": "angry", "validation": "happy", "test": "neutral"}
    image = read_image(table.set_index("split").loc["train", "path"])
    assert image.shape == (48, 48, 3) and image[0, :4, 0].tolist() == [3, 4, 5, 6] and image[1, 0, 0] == 51
    assert len(complete(table)) == 3 and set(table["source"]) == {"fer2013"}
    written = {path: os.stat(path).st_mtime_ns for path in table["path"]}
    assert {path: os.stat(path).st_mtime_ns for path in fer2013(folder)["path"]} == written


def test_a_corrected_file_is_read_anew(tmp_path, capsys):
    fer2013(write_csv(tmp_path, ROWS))
    source = tmp_path / "fer2013.csv"
    before = os.stat(source)
    # As long as before, and with its time.
    source.write_text(source.read_text().replace("\n0,", "\n5,"))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert fer2013(tmp_path)["expression"].tolist() == ["neutral", "surprise", "happy"]
    assert "fer2013_images: not what fer2013.csv holds now; written anew" in capsys.readouterr().err
    assert sum(len(files) for _, _, files in os.walk(tmp_path / "fer2013_images")) == 4


@pytest.mark.parametrize("damage", ["image", "note", "older version"])
def test_images_that_are_not_whole_are_written_anew(tmp_path, damage):
    whole = fer2013(write_csv(tmp_path, ROWS))
    images = tmp_path / "fer2013_images"
    if damage == "image":
        os.remove(whole["path"][0])
    elif damage == "note":
        (images / ".written_from.json").write_text("[1]")
    else:
        (images / ".written_from.json").unlink()
    assert fer2013(tmp_path).equals(whole) and os.path.isfile(whole["path"][0])


def test_what_was_odd_is_told_at_each_reading(tmp_path):
    rows = [*ROWS, ("7", pixels(0), "Training")]
    first = fer2013(write_csv(tmp_path / "set", rows, "Emotion,pixels,Usage"))
    reasons = [entry["reason"] for name in ("skipped", "deviations") for entry in first.attrs[name]]
    assert reasons == ["emotion '7' is not 0 to 6", "columns read as they are meant: 'Emotion' as emotion"]
    assert fer2013(tmp_path / "set").attrs == first.attrs
    with pytest.raises(UserError, match="fer2013.csv, row 3: emotion '7' is not 0 to 6"):
        fer2013(tmp_path / "set", strict=True)
    (tmp_path / "set").rename(tmp_path / "moved")
    assert fer2013(tmp_path / "moved").attrs["skipped"][0]["path"] == f"{tmp_path / 'moved' / 'fer2013.csv'}, row 3"


def test_the_file_as_the_competition_gives_it_out_is_read(tmp_path):
    write_csv(tmp_path, [(emotion, usage, cells) for emotion, cells, usage in ROWS], "emotion, Usage, pixels")
    (tmp_path / "fer2013.csv").rename(tmp_path / "icml_face_data.csv")
    table = fer2013(tmp_path, strict=True)
    by_split = table.set_index("split")["expression"].to_dict()
    assert by_split == {"train": "angry", "validation": "happy", "test": "neutral"}
    assert table.attrs == {"skipped": [], "deviations": []}


def test_a_file_that_cannot_be_read_is_named_and_not_the_place_for_the_images(tmp_path, one_line, monkeypatch):
    write_csv(tmp_path, ROWS)

    def read_csv(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pd, "read_csv", read_csv)
    with one_line("fer2013.csv: cannot be read .*Permission denied", tmp_path):
        fer2013(tmp_path)


def test_class_folders_are_read_too(tmp_path):
    for name in ("train/happy/1.png", "test/surprise/2.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    table = fer2013(tmp_path)
    assert table.set_index("split")["expression"].to_dict() == {"test": "surprise", "train": "happy"}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("7", pixels(0), "Training"), "emotion '7' is not 0 to 6"),
        (("1", "1 2 3", "Training"), "pixels are not 2304 numbers"),
        (("1", pixels(0).replace("255", "256"), "Training"), "pixels are not 2304 numbers"),
        (("1", pixels(0), "Holiday"), "Usage 'Holiday' is not"),
    ],
)
def test_rows_that_are_no_image_are_listed(tmp_path, row, says):
    folder = write_csv(tmp_path, [*ROWS, row])
    table = fer2013(folder)
    assert len(table) == 3 and says in table.attrs["skipped"][0]["reason"]
    with pytest.raises(UserError, match=f"row 3: {says}"):
        fer2013(write_csv(tmp_path / "strict", [*ROWS, row]), strict=True)
    assert not (tmp_path / "strict" / "fer2013_images").exists()


@pytest.mark.parametrize(
    ("rows", "header", "says"),
    [
        ([], "emotion,pixels,Usage", "none of its rows is an image"),
        (ROWS, "label,pixels,Usage", "has no column 'emotion'"),
        ([("1", "2 3", "Training")], "emotion,pixels,Usage", "none of its rows is an image"),
    ],
)
def test_a_csv_file_of_something_else_is_one_line(tmp_path, one_line, rows, header, says):
    folder = write_csv(tmp_path, rows, header)
    with one_line(says, folder):
        fer2013(folder)
    assert os.listdir(folder) == ["fer2013.csv"]


def test_bytes_that_are_no_csv_are_one_line(tmp_path, one_line):
    (tmp_path / "fer2013.csv").write_bytes(np.random.default_rng(0).bytes(2000))
    with one_line():
        fer2013(tmp_path)


@pytest.mark.realdata
def test_the_real_set_is_read_whole(real_data):
    folder = real_data / "FER2013"
    table = fer2013(folder)
    assert len(table) == sum(len(files) for _, _, files in os.walk(folder)) and not table.attrs["skipped"]
    assert set(table["split"]) == set(os.listdir(folder))
    for (part, expression), rows in table.groupby(["split", "expression"]):
        assert len(rows) == len(os.listdir(folder / part / expression))


def test_class_folders_of_something_else_are_another_set(tmp_path, one_line):
    for name in ("male", "female"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").touch()
    with one_line("its folders name classes of gender; expected expression alone", tmp_path):
        fer2013(tmp_path)
