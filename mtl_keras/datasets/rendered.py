"""Rendered faces: portraits that a program draws, with every label known.

They are cartoons: good for trying, testing and teaching, and they say nothing about people (see `mtl_keras.portraits`).
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import present, refuse
from mtl_keras.errors import UserError
from mtl_keras.files import image_files
from mtl_keras.tasks import AGE, ETHNICITY, EXPRESSION, EYEGLASSES, GENDER, HEAD_POSE, SMILE

ATTRIBUTES, MANIFEST = "attributes.csv", "rendered.json"
LABELS = (AGE, GENDER, ETHNICITY, SMILE, EXPRESSION, EYEGLASSES, HEAD_POSE)


def rendered(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a folder of rendered faces into a label table with all their labels.

    Images that are listed but not there, or there but not listed, are in `attrs["skipped"]`; with `strict` the first
    is an error.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; draw one with: python data_tools/render_faces.py --out {folder}")
    source = folder / ATTRIBUTES
    if not source.is_file():
        raise UserError(f"{folder}: holds no {ATTRIBUTES}; expected a folder that render_faces.py wrote")
    try:
        read = pd.read_csv(source)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{source}: cannot be read as CSV ({' '.join(str(error).split())}); draw the faces anew"
        ) from None
    columns = [column for task in LABELS for column in task.columns]
    missing = [column for column in ["file", *columns] if column not in read]
    if missing:
        raise UserError(f"{source}: has no column {missing[0]!r}; draw the faces anew")
    paths = [os.path.join(folder, file) for file in read["file"].astype(str)]
    read, skipped, deviations = present(read.assign(path=paths), image_files(folder), source)
    labels = {}
    for task in LABELS:
        for column in task.columns:
            cells = read[column]
            valid = cells.isin(task.classes) if task.classes else pd.to_numeric(cells, errors="coerce").notna()
            if not valid.all():
                expected = f"one of {', '.join(task.classes)}" if task.classes else "a number"
                raise UserError(
                    f"{source}: {column} {cells[~valid].iloc[0]!r}: expected {expected}; draw the faces anew"
                )
            labels[column] = cells.astype(np.float64) if not task.classes else cells
    if strict:
        refuse([*skipped, *deviations])
    # A seed is a person: one who is in several images stays in one part of a split.
    return label_table("rendered", read["path"], labels, None, read.get("seed"), skipped, deviations)
