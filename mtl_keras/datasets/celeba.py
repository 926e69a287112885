"""CelebA: faces of celebrities with 40 attributes (Liu et al., ICCV 2015, https://arxiv.org/abs/1411.7766).

`img_align_celeba/000001.jpg`; `list_attr_celeba.txt` has the number of images in its first line, the attributes' names
in the second and then a line an image, 1 for yes and -1 for no (as CSV, with a column image_id, elsewhere; 0 for no is
read too, as are True and False). Used are Male, Eyeglasses and Smiling. `list_eval_partition.txt` gives 0 train, 1
validation, 2 test, `identity_CelebA.txt` the person; both may be missing. The data (non-commercial research) are at
https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.columns import match_header
from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import header_notes, notes, present, quoted, read_columns, refuse
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.files import folder_of, image_files
from mtl_keras.tasks import EYEGLASSES, GENDER, SMILE

ATTRIBUTES, PARTITION, IDENTITY = "list_attr_celeba", "list_eval_partition", "identity_CelebA"
IMAGES = ("img_align_celeba/img_align_celeba", "img_align_celeba", "img_celeba")
# As the header of list_attr_celeba.txt has them.
NAMES = """5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose
    Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup
    High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose
    Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat
    Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young"""
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
    path, lines, unread = read_attributes(folder)
    images = next((folder / place for place in IMAGES if (folder / place).is_dir()), None)
    if images is None:
        raise LayoutError(f"{folder}: has no folder img_align_celeba; unpack the images there")
    lines["path"] = os.path.join(images, "") + lines["file"]
    table, skipped, deviations = present(lines, image_files(images), path)
    labels, wrong = {}, pd.Series(False, table.index)
    for task, (attribute, classes) in TASKS.items():
        labels[task] = table[attribute].map(classes)
        wrong |= labels[task].isna()
    blank = f"an attribute in {path.name} is neither 1 nor -1, and left blank (0 is no only where none is -1)"
    deviations = [*unread, *deviations, *notes(table["path"][wrong], blank)]
    part, without_part = numbers_of(folder, PARTITION, table, SPLITS)
    person, without_person = numbers_of(folder, IDENTITY, table)
    deviations += without_part + without_person
    if strict:
        refuse([*skipped, *deviations])
    split = part.map(SPLITS)
    return label_table("celeba", table["path"], labels, split, person, skipped, deviations)


def file_of(folder: Path, name: str) -> Path | None:
    """Return the path of a label file, as text or as CSV, or None where neither is there."""
    return next((path for end in (".txt", ".csv") if (path := folder / (name + end)).is_file()), None)


def read_attributes(folder: Path) -> tuple[Path, pd.DataFrame, list[dict]]:
    """Return the attribute file's path, its lines with `file` and the attributes of `TASKS` as 1 and -1, and notes."""
    path = file_of(folder, ATTRIBUTES)
    if path is None:
        raise LayoutError(f"{folder}: has neither {ATTRIBUTES}.txt nor {ATTRIBUTES}.csv; put CelebA's attributes there")
    used = [attribute for attribute, _ in TASKS.values()]
    if path.suffix == ".csv":
        lines, header = read_columns(path, ["image_id", *used], unused=NAMES.split())
        lines = lines.rename(columns={"image_id": "file"})
        lines[used], written = as_signs(lines[used], path)
        return path, lines, header_notes(path, header) + written
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        file.readline()
        names = file.readline().split()
    try:
        header = match_header(names, used, NAMES.split())
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if not set(used) <= set(header.places):
        raise UserError(
            f"{path}: its second line is {quoted(' '.join(names), 80)}; expected names of attributes with "
            + ", ".join(used)
        )
    known = [header.near.get(name, name) for name in names]
    lines, _ = read_columns(path, ["file", *used], r"\s+", ["file", *known], skip=2)
    lines[used], written = as_signs(lines[used], path)
    return path, lines, header_notes(path, header) + written


def as_signs(cells: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[dict]]:
    """Return attributes as 1 and -1 where a file has 0, or True and False; and a note that says so.

    Where some are -1, a 0 is neither yes nor no.
    """
    plain = cells.apply(lambda column: column.str.lower().str.removesuffix(".0"))
    signs = plain.replace({"true": "1", "false": "0"})
    if not signs.eq("-1").any(axis=None):
        signs = signs.replace("0", "-1")
    changed = signs.ne(cells) & signs.isin(["1", "-1"])
    if not changed.any(axis=None):
        return cells, []
    written = " and ".join(sorted(set(cells.to_numpy()[changed.to_numpy()])))
    return signs, notes([str(path)], f"attributes are written {written}; read as 1 for yes and -1 for no")


def numbers_of(folder: Path, name: str, table: pd.DataFrame, known: Iterable[int] = ()) -> tuple[pd.Series, list[dict]]:
    """Return the number that a file of lines `image number` gives each image, and notes on images without one.

    It is NaN where the file or an image's line is missing, and where it is none of those that are `known`.
    """
    path = file_of(folder, name)
    if path is None:
        return pd.Series(np.nan, table.index), []
    lines, _ = read_columns(path, ["file", "number"], "," if path.suffix == ".csv" else r"\s+", ["file", "number"])
    # An image may have another ending in each of the files.
    lines["file"] = lines["file"].map(_stem)
    cells = table["file"].map(_stem).map(lines.drop_duplicates("file").set_index("file")["number"])
    numbers = pd.to_numeric(cells, errors="coerce").astype(np.float64)
    wrong = ~np.isfinite(numbers) | (~numbers.isin(list(known)) if known else False)
    expected = f"one of {', '.join(map(str, known))}" if known else "a number"
    deviations = notes(table["path"][cells.isna()], f"no line in {path.name}")
    deviations += notes(table["path"][wrong & cells.notna()], f"its number in {path.name} is not {expected}")
    return numbers.mask(wrong), deviations


def _stem(file: str) -> str:
    return os.path.splitext(file)[0]
