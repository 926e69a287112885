"""CelebA: faces of celebrities with 40 attributes (Liu et al., ICCV 2015, https://arxiv.org/abs/1411.7766).

`img_align_celeba/000001.jpg`; `list_attr_celeba.txt` has the number of images in its first line, the attributes' names
in the second and then a line an image, 1 for yes and -1 for no (as CSV, with a column image_id, elsewhere). Used are
Male, Eyeglasses and Smiling. `list_eval_partition.txt` gives 0 train, 1 validation, 2 test, `identity_CelebA.txt` the
person; both may be missing. The data (non-commercial research) are at https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import notes, present, quoted, read_columns, refuse
from mtl_keras.errors import UserError
from mtl_keras.files import folder_of, image_files
from mtl_keras.tasks import EYEGLASSES, GENDER, SMILE

ATTRIBUTES, PARTITION, IDENTITY = "list_attr_celeba", "list_eval_partition", "identity_CelebA"
IMAGES = ("img_align_celeba/img_align_celeba", "img_align_celeba", "img_celeba")
# The attribute that each task is, and its classes for -1 and 1.
TASKS = {
    "gender": ("Male", {"-1": GENDER.classes[1], "1": GENDER.classes[0]}),
    "eyeglasses": ("Eyeglasses", {"-1": EYEGLASSES.classes[0], "1": EYEGLASSES.classes[1]}),
    "smile": ("Smiling", {"-1": SMILE.classes[0], "1": SMILE.classes[1]}),
}
SPLITS = {0: "train", 1: "validation", 2: "test"}


def celeba(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a CelebA folder into a label table of gender, eyeglasses and smile, with its partition as the split.

    One person's images are one group. An attribute other than 1 and -1 is an empty cell and listed in
    `attrs["deviations"]`, as is an image with several lines; images without a line, and lines without an image, are in
    `attrs["skipped"]`. With `strict` the first of these is an error.
    """
    folder = folder_of(folder, f"CelebA, with {ATTRIBUTES}.txt and img_align_celeba/")
    path, lines = read_attributes(folder)
    images = next((folder / place for place in IMAGES if (folder / place).is_dir()), None)
    if images is None:
        raise UserError(f"{folder}: has no folder img_align_celeba; unpack the images there")
    lines["path"] = os.path.join(images, "") + lines["file"]
    table, skipped, deviations = present(lines, image_files(images), path)
    labels, wrong = {}, pd.Series(False, table.index)
    for task, (attribute, classes) in TASKS.items():
        labels[task] = table[attribute].map(classes)
        wrong |= labels[task].isna()
    deviations += notes(table["path"][wrong], f"an attribute in {path.name} is not 1 or -1")
    if strict:
        refuse([*skipped, *deviations])
    split = numbers_of(folder, PARTITION, table["file"]).map(SPLITS)
    person = numbers_of(folder, IDENTITY, table["file"])
    # An image without a known person is alone.
    person = person.fillna(pd.Series(-1.0 - np.arange(len(table)), table.index))
    return label_table("celeba", table["path"], labels, split, person, skipped, deviations)


def file_of(folder: Path, name: str) -> Path | None:
    """Return the path of a label file, as text or as CSV, or None where neither is there."""
    return next((path for end in (".txt", ".csv") if (path := folder / (name + end)).is_file()), None)


def read_attributes(folder: Path) -> tuple[Path, pd.DataFrame]:
    """Return the attribute file's path, and its lines with the columns `file` and the attributes of `TASKS`."""
    path = file_of(folder, ATTRIBUTES)
    if path is None:
        raise UserError(f"{folder}: has neither {ATTRIBUTES}.txt nor {ATTRIBUTES}.csv; put CelebA's attributes there")
    used = [attribute for attribute, _ in TASKS.values()]
    if path.suffix == ".csv":
        return path, read_columns(path, ["image_id", *used]).rename(columns={"image_id": "file"})
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        file.readline()
        names = file.readline().split()
    if not set(used) <= set(names):
        raise UserError(
            f"{path}: its second line is {quoted(' '.join(names), 80)}; expected names of attributes with "
            + ", ".join(used)
        )
    return path, read_columns(path, ["file", *used], r"\s+", ["file", *names], skip=2)


def numbers_of(folder: Path, name: str, files: pd.Series) -> pd.Series:
    """Return the number that a file of lines `image number` gives each image, NaN where it or its line is missing."""
    path = file_of(folder, name)
    if path is None:
        return pd.Series(np.nan, files.index)
    lines = read_columns(path, ["file", "number"], "," if path.suffix == ".csv" else r"\s+", ["file", "number"])
    known = lines.drop_duplicates("file").set_index("file")["number"]
    return pd.to_numeric(files.map(known), errors="coerce").astype(np.float64)
