"""Rendered faces: portraits that a program draws, with every label known.

They are cartoons: good for trying, testing and teaching, and they say nothing about people (see `mtl_keras.portraits`).
"""

import os
from pathlib import Path

import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import decode, header_notes, numbers, present, read_columns, refuse
from mtl_keras.errors import LayoutError, UserError
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
        raise LayoutError(f"{folder}: no such folder; draw one with: python data_tools/render_faces.py --out {folder}")
    source = folder / ATTRIBUTES
    if not source.is_file():
        raise LayoutError(f"{folder}: holds no {ATTRIBUTES}; expected a folder that render_faces.py wrote")
    columns = [column for task in LABELS for column in task.columns]
    read, header = read_columns(source, ["file", *columns], optional=["seed"])
    paths = [os.path.join(folder, file) for file in read["file"]]
    read, skipped, deviations = present(read.assign(path=paths), image_files(folder), source)
    deviations = [*header_notes(source, header), *deviations]
    labels = {}
    for task in LABELS:
        for column in task.columns:
            classes = dict(zip(task.classes, task.classes, strict=True))
            cells = decode(read[column], classes, source) if classes else numbers(read[column], source, "a number")
            if cells.isna().any():
                raise UserError(f"{source}: {column} is empty in some rows; draw the faces anew")
            labels[column] = cells
    if strict:
        refuse([*skipped, *deviations])
    # A seed is a person: one who is in several images stays in one part of a split.
    person = read["seed"].mask(read["seed"] == "") if "seed" in read else None
    return label_table("rendered", read["path"], labels, None, person, skipped, deviations)
