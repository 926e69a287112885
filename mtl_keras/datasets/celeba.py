"""CelebA: faces of celebrities with 40 attributes (Liu et al., ICCV 2015, https://arxiv.org/abs/1411.7766).

`img_align_celeba/000001.jpg`; `list_attr_celeba.txt` has the number of images in its first line, the attributes' names
in the second and then a line an image, 1 for yes and -1 for no (as CSV, with a column image_id, elsewhere). Used are
Male, Eyeglasses and Smiling. `list_eval_partition.txt` gives 0 train, 1 validation, 2 test, `identity_CelebA.txt` the
person; both may be missing. The data (non-commercial research) are at https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.files import folder_of, label_table, with_images
from mtl_keras.errors import UserError
from mtl_keras.tasks import EYEGLASSES, GENDER, SMILE

ATTRIBUTES, PARTITION, IDENTITY = "list_attr_celeba", "list_eval_partition", "identity_CelebA"
IMAGES = ("img_align_celeba/img_align_celeba", "img_align_celeba", "img_celeba")
# The attribute that each task is, and its classes for -1 and 1.
TASKS = {
    "gender": ("Male", {-1: GENDER.classes[1], 1: GENDER.classes[0]}),
    "eyeglasses": ("Eyeglasses", {-1: EYEGLASSES.classes[0], 1: EYEGLASSES.classes[1]}),
    "smile": ("Smiling", {-1: SMILE.classes[0], 1: SMILE.classes[1]}),
}
SPLITS = {0: "train", 1: "validation", 2: "test"}


def celeba(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a CelebA folder into a label table of gender, eyeglasses and smile, with its partition as the split.

    One person's images are one group. An attribute other than 1 and -1 is an empty cell and listed in
    `attrs["deviations"]`; images without a line, and lines without an image, are in `attrs["skipped"]`. With `strict`
    the first of these is an error.
    """
    folder = folder_of(folder, f"CelebA, with {ATTRIBUTES}.txt and img_align_celeba/")
    lines, name = read_attributes(folder)
    images = next((folder / place for place in IMAGES if (folder / place).is_dir()), None)
    if images is None:
        raise UserError(f"{folder}: has no folder img_align_celeba; unpack the images there")
    table, skipped = with_images(images, lines, name, strict)
    labels, wrong = {}, pd.Series(False, table.index)
    for task, (attribute, classes) in TASKS.items():
        labels[task] = pd.to_numeric(table[attribute], errors="coerce").map(classes)
        wrong |= labels[task].isna()
    deviations = [{"path": path, "reason": f"an attribute in {name} is not 1 or -1"} for path in table["path"][wrong]]
    if deviations and strict:
        raise UserError(f"{deviations[0]['path']}: {deviations[0]['reason']}; mend its line, or read without strict")
    split = numbers_of(folder, PARTITION, table["file"]).map(SPLITS)
    person = numbers_of(folder, IDENTITY, table["file"])
    # An image without a known person is alone.
    person = person.fillna(pd.Series(-1.0 - np.arange(len(table)), table.index))
    return label_table("celeba", table["path"], labels, split, person, skipped, deviations)


def read_attributes(folder: Path) -> tuple[pd.DataFrame, str]:
    """Return the lines of the attribute file with the columns `file` and those of `TASKS`, and the file's name."""
    path = next((p for end in (".txt", ".csv") if (p := folder / (ATTRIBUTES + end)).is_file()), None)
    if path is None:
        raise UserError(f"{folder}: has neither {ATTRIBUTES}.txt nor {ATTRIBUTES}.csv; put CelebA's attributes there")
    try:
        if path.suffix == ".csv":
            table = pd.read_csv(path, dtype=str).rename(columns={"image_id": "file"})
        else:
            # The header has one name less than the lines have fields: pandas takes the first field for an index.
            table = pd.read_csv(path, sep=r"\s+", skiprows=1, dtype=str).rename_axis("file").reset_index()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())}); copy the file anew") from None
    lacking = [name for name in ("file", *(attribute for attribute, _ in TASKS.values())) if name not in table]
    if lacking or not len(table):
        raise UserError(f"{path}: has no column {lacking[0]!r}" if lacking else f"{path}: has no lines")
    repeated = table["file"][table["file"].duplicated()]
    if len(repeated):
        raise UserError(f"{path}: has two lines for {repeated.iloc[0]!r}; copy the file anew")
    return table, path.name


def numbers_of(folder: Path, name: str, files: pd.Series) -> pd.Series:
    """Return the number that a file of lines `image number` gives each image, NaN where it or its line is missing."""
    path = next((p for end in (".txt", ".csv") if (p := folder / (name + end)).is_file()), None)
    if path is None:
        return pd.Series(np.nan, files.index)
    try:
        lines = pd.read_csv(path, sep=r"[\s,]+", engine="python", header=None, names=["file", "number"], dtype=str)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())}); copy the file anew") from None
    known = lines.drop_duplicates("file").set_index("file")["number"]
    return pd.to_numeric(files.map(known), errors="coerce").astype(np.float64)
