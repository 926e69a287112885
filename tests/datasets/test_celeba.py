"""The reader of CelebA: attributes, partitions and identities, as text and as CSV."""

from pathlib import Path

import pytest

from mtl_keras.data.table import complete
from mtl_keras.datasets.celeba import celeba
from mtl_keras.errors import UserError

NAMES = "Eyeglasses Male Smiling Young"
LINES = ["000001.jpg -1 -1  1  1", "000002.jpg  1  1 -1  1", "000003.jpg -1  1  1 -1"]


def write(folder, lines=LINES, names=NAMES, images=("000001", "000002", "000003"), text=True):
    (folder / "img_align_celeba").mkdir(parents=True)
    for image in images:
        (folder / "img_align_celeba" / f"{image}.jpg").touch()
    if text:
        (folder / "list_attr_celeba.txt").write_bytes("\r\n".join([str(len(lines)), names, *lines, ""]).encode())
    return folder


def test_attributes_partition_and_identity_are_read(tmp_path):
    folder = write(tmp_path / "Celeb A")
    (folder / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n")
    (folder / "identity_CelebA.txt").write_text("000001.jpg 77\n000002.jpg 5\n000003.jpg 77\n")
    table = celeba(folder)
    assert table["gender"].tolist() == ["female", "male", "male"]
    assert table["eyeglasses"].tolist() == ["no_eyeglasses", "eyeglasses", "no_eyeglasses"]
    assert table["smile"].tolist() == ["smiling", "not_smiling", "smiling"]
    assert table["split"].tolist() == ["train", "validation", "test"]
    assert table["group"][0] == table["group"][2] != table["group"][1]
    assert len(complete(table)) == 3 and not table.attrs["deviations"]


def test_without_partition_and_identity_splits_are_empty_and_images_alone(tmp_path):
    table = celeba(write(tmp_path))
    assert table["split"].isna().all() and table["group"].nunique() == 3


def test_the_csv_form_gives_the_same(tmp_path):
    text, folder = celeba(write(tmp_path / "text")), write(tmp_path / "csv", text=False)
    rows = [line.replace("  ", " ").replace(" ", ",") for line in LINES]
    (folder / "list_attr_celeba.csv").write_text("\n".join(["image_id," + NAMES.replace(" ", ","), *rows]))
    (folder / "list_eval_partition.csv").write_text("image_id,partition\n000001.jpg,0\n000002.jpg,1\n000003.jpg,2\n")
    table = celeba(folder)
    columns = ["gender", "eyeglasses", "smile"]
    assert table[columns].equals(text[columns]) and table["split"].tolist() == ["train", "validation", "test"]


def test_odd_attributes_are_empty_cells(tmp_path, one_line):
    folder = write(tmp_path, [LINES[0], "000002.jpg 0 1 x 1", LINES[2]])
    table = celeba(folder)
    assert table["eyeglasses"].isna().tolist() == [False, True, False] and table.loc[1, "gender"] == "male"
    assert [Path(item["path"]).name for item in table.attrs["deviations"]] == ["000002.jpg"]
    with one_line("000002.jpg: an attribute in list_attr_celeba.txt is neither 1 nor -1, and left blank"):
        celeba(folder, strict=True)


@pytest.mark.parametrize(
    ("no", "yes", "written"), [("0", "1", "0"), ("False", "True", "False and True"), ("-1.0", "1.0", "-1.0 and 1.0")]
)
@pytest.mark.parametrize("text", [True, False])
def test_attributes_written_otherwise_are_read_and_told(tmp_path, no, yes, written, text):
    whole = celeba(write(tmp_path / "whole"))
    lines = [" ".join([line.split()[0], *(yes if cell == "1" else no for cell in line.split()[1:])]) for line in LINES]
    folder = write(tmp_path / "other", lines, text=text)
    if not text:
        rows = ["image_id," + NAMES.replace(" ", ","), *(line.replace(" ", ",") for line in lines)]
        (folder / "list_attr_celeba.csv").write_text("\n".join(rows))
    table = celeba(folder)
    assert table[["gender", "eyeglasses", "smile"]].equals(whole[["gender", "eyeglasses", "smile"]])
    (entry,) = table.attrs["deviations"]
    assert entry["reason"] == f"attributes are written {written}; read as 1 for yes and -1 for no"
    with pytest.raises(UserError, match="attributes are written"):
        celeba(folder, strict=True)


def test_lists_may_name_other_endings_than_the_images_have(tmp_path):
    folder = write(tmp_path, [line.replace(".jpg", ".png") for line in LINES])
    (folder / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.png 1\n000003.jpg 2\n")
    table = celeba(folder)
    assert [Path(path).name for path in table["path"]] == ["000001.jpg", "000002.jpg", "000003.jpg"]
    assert table["split"].tolist() == ["train", "validation", "test"] and not table.attrs["skipped"]
    (entry,) = table.attrs["deviations"]
    assert (
        entry["reason"] == "3 images are listed with another ending than they have, such as 000001.png for 000001.jpg"
    )


@pytest.mark.parametrize("number", ["nan", "inf", "3", "train"])
def test_a_part_or_person_that_is_none_is_blank_and_told(tmp_path, number):
    folder = write(tmp_path)
    (folder / "list_eval_partition.txt").write_text(f"000001.jpg 0\n000002.jpg {number}\n")
    (folder / "identity_CelebA.txt").write_text(f"000001.jpg {number}\n000002.jpg {number}\n000003.jpg 7\n")
    table = celeba(folder)
    assert table["split"].fillna("").tolist() == ["train", "", ""]
    assert table["group"].nunique() == (2 if number == "3" else 3)
    reasons = [entry["reason"] for entry in table.attrs["deviations"]]
    assert reasons[:2] == [
        "no line in list_eval_partition.txt",
        "its number in list_eval_partition.txt is not one of 0, 1, 2",
    ]
    assert reasons[2:] == (["its number in identity_CelebA.txt is not a number"] * 2 if number != "3" else [])
    with pytest.raises(UserError, match="no line in list_eval_partition.txt"):
        celeba(folder, strict=True)


def test_attributes_that_are_not_there_are_named(tmp_path, one_line):
    with one_line("expected names of attributes with Male", tmp_path):
        celeba(write(tmp_path, names="Eyeglasses Hat Smiling Young"))


@pytest.mark.realdata
def test_the_real_set_is_read_whole_and_no_person_is_in_two_parts(real_data):
    folder = real_data / "CelebA"
    table = celeba(folder, strict=True)
    lines = [line.split() for line in (folder / "list_attr_celeba.txt").read_text().splitlines()]
    assert len(table) == int(lines[0][0]) == len(lines) - 2
    place = 1 + lines[1].index("Eyeglasses")
    assert (table["eyeglasses"] == "eyeglasses").sum() == sum(line[place] == "1" for line in lines[2:])
    parts = [line.split()[1] for line in (folder / "list_eval_partition.txt").read_text().splitlines()]
    counts = {name: parts.count(number) for number, name in (("0", "train"), ("1", "validation"), ("2", "test"))}
    assert table["split"].value_counts().to_dict() == {name: count for name, count in counts.items() if count}
    assert (table.groupby("group")["split"].nunique() == 1).all()
