"""The reader of CelebA: attributes, partitions and identities, as text and as CSV."""

from pathlib import Path

import pytest

from mtl_keras.data.table import complete
from mtl_keras.datasets.celeba import celeba

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
    (folder / "identity_CelebA.txt").write_text("000001.jpg 77\n000003.jpg 77\n")
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
    with one_line("000002.jpg: an attribute in list_attr_celeba.txt is not 1 or -1"):
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
