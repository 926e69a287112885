"""GENKI-4K: photos with smile and head pose (MPLab, University of California San Diego, 2009).

`files/file0001.jpg` and so on; line N of `labels.txt` belongs to file N: smile (1 or 0), then yaw, pitch and roll in
radians. Its yaw is positive where the face is turned to the right of the image, its pitch where the chin is up, its
roll where the head is tilted clockwise. The head nods first, then turns, and tilts last, so that roll is the slope of
the eyes in the image: of all signs and orders this one fits the landmarks of 395 photos best. The table has the angles
that `mtl_keras.rotations` gives the same head. The set has 4,000 photos of various sizes, some grey, each with one
face, near frontal.
The data (research use) are at https://inc.ucsd.edu/mplab/398/.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import notes, present, refuse
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.files import folder_of, image_files
from mtl_keras.rotations import tilted_first
from mtl_keras.tasks import HEAD_POSE, SMILE

LABELS = "labels.txt"
# Of yaw, pitch and roll, to the senses of turning of all tables.
SIGNS = np.array([-1.0, 1.0, 1.0])


def genki4k(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a GENKI-4K folder into a label table of smile and of head pose in degrees.

    A label that is no number of the documented range is an empty cell and listed in `attrs["deviations"]`; images
    without a line, and lines without an image, are in `attrs["skipped"]`. With `strict` the first of these is an error.
    """
    folder = folder_of(folder, "GENKI-4K, with labels.txt and files/")
    lines = read_lines(folder / LABELS)
    images = os.path.join(folder, "files", "")
    lines["path"] = [f"{images}file{number:04d}.jpg" for number in range(1, len(lines) + 1)]
    table, skipped, _ = present(lines, image_files(images), folder / LABELS)
    deviations = notes(table["path"][table.isna().any(axis=1)], f"{LABELS} gives no valid label")
    if strict:
        refuse([*skipped, *deviations])
    labels = {"smile": table["smile"].map({0.0: SMILE.classes[0], 1.0: SMILE.classes[1]})}
    labels |= {column: table[column] for column in HEAD_POSE.columns}
    return label_table("genki4k", table["path"], labels, skipped=skipped, deviations=deviations)


def read_lines(path: Path) -> pd.DataFrame:
    """Return smile (0, 1) and yaw, pitch, roll in degrees of every line; NaN where a line does not say."""
    if not path.is_file():
        raise LayoutError(f"{path}: no such file; expected a line `smile yaw pitch roll` for each image")
    # An empty line must count too, or every later one would go to the wrong image.
    lines = pd.Series(path.read_text(encoding="utf-8", errors="replace").splitlines(), dtype=object)
    fields = lines.str.split(n=4, expand=True).reindex(columns=range(4))
    numbers = fields.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    if not len(numbers) or numbers.isna().all(axis=None):
        raise UserError(f"{path}: holds no line `smile yaw pitch roll`; expected the label file of GENKI-4K")
    numbers.columns = ["smile", *HEAD_POSE.columns]
    numbers["smile"] = numbers["smile"].where(numbers["smile"].isin([0, 1]))
    angles = numbers[list(HEAD_POSE.columns)]
    # Each of the table's angles depends on all three.
    known = (angles.abs() <= np.pi).all(axis=1)
    numbers[angles.columns] = tilted_first(np.degrees(angles.where(known, axis=0).to_numpy()) * SIGNS)
    return numbers
