"""Faces whose place in a photo is given: a column `box` of a label table, "x y width height" in pixels.

x and y are those of the upper left corner in the upright photo. A row with a box is one face, so that a photo of
several people has several rows; a row without one is a whole image. A box is there to be cut out: whatever reads the
pixels of a table's images as they are refuses such rows.
"""

import numpy as np
import pandas as pd

from mtl_keras.errors import UserError
from mtl_keras.files import TEXT

# No photo is as wide, and what is as large is a mistake.
LARGEST = 1e6
EXPECTED = 'expected "x y width height" in pixels of the upright photo, such as "10 20 40 60"'


def box_numbers(cells: pd.Series, paths: pd.Series | None = None) -> np.ndarray:
    """Return boxes as numbers (N, 4), NaN where a cell is blank; anything else is an error that names its path."""
    parts = cells.astype("string").str.extract(r"^\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*$")
    numbers = parts.apply(pd.to_numeric, errors="coerce").astype(np.float64).to_numpy()  # (N, 4)
    wrong = np.flatnonzero(~_are_boxes(numbers) & cells.notna().to_numpy())
    if len(wrong):
        of = "" if paths is None else f" ({paths.iloc[wrong[0]]})"
        raise UserError(f"column 'box': got {cells.iloc[wrong[0]]!r}{of}; {EXPECTED}")
    return numbers


def _are_boxes(numbers: np.ndarray) -> np.ndarray:
    """Return which of the numbers (N, 4) can be a box: a million pixels at most, and both sides above 0."""
    return (np.abs(numbers) <= LARGEST).all(axis=1) & (numbers[:, 2:] > 0).all(axis=1)


def box_texts(numbers: np.ndarray) -> pd.Series:
    """Return boxes (N, 4) as cells of the column `box`, blank where the numbers are no box."""
    numbers = np.asarray(numbers, np.float64)
    texts = [" ".join(f"{number:.10g}" for number in box) if there else None
             for box, there in zip(numbers.tolist(), _are_boxes(numbers), strict=True)]  # fmt: skip
    return pd.Series(pd.array(texts, dtype=TEXT))


def has_boxes(table: pd.DataFrame) -> bool:
    """Return whether a row of a table has a box."""
    return "box" in table and bool(table["box"].notna().any())


def repeated(table: pd.DataFrame) -> str:
    """Return the first path that several rows have though not each of them has a box of its own, or else ""."""
    rows = table[table["path"].duplicated(keep=False)]
    if "box" in rows:
        # In one spelling: 45.0 is 45.
        rows = rows.assign(box=box_texts(box_numbers(rows["box"], rows["path"])).array)
        rows = rows[rows["box"].isna() | rows.duplicated(["path", "box"], keep=False)]
    return str(rows["path"].iloc[0]) if len(rows) else ""


def refuse_boxes(table: pd.DataFrame) -> None:
    """Refuse rows with a box where their whole photos would be taken for the faces."""
    if has_boxes(table):
        path = table.loc[table["box"].notna(), "path"].iloc[0]
        raise UserError(
            f"{path}: has a `box`, and the whole photo would be taken for the face; cut the faces out first, with "
            "`mtl-keras crop` or mtl_keras.crop_faces"
        )
