"""What the readers share: finding a set's files, and the label table that each of them returns."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.errors import UserError

TEXT = pd.StringDtype(na_value=np.nan)
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp")


def image_files(folder: str | Path) -> Iterator[str]:
    """Yield every image file at any depth, hidden ones left out and each linked folder visited once."""
    visited = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        start = os.path.join(place, "")
        for name in files:
            if name.lower().endswith(EXTENSIONS) and not name.startswith("."):
                yield start + name


def folder_of(path: str | Path, what: str) -> Path:
    """Return the path if it is a folder; what is missing, or a file, is an error that says `what` was expected."""
    folder = Path(path)
    if not folder.exists():
        raise UserError(f"{folder}: no such folder; expected the folder of {what}")
    if not folder.is_dir():
        raise UserError(f"{folder}: is a file; expected the folder of {what}")
    return folder


def label_table(
    source: str,
    paths: Sequence[str],
    labels: Mapping[str, Sequence],
    split: Sequence | None = None,
    group: Sequence | None = None,
    skipped: Iterable[dict] = (),
    deviations: Iterable[dict] = (),
) -> pd.DataFrame:
    """Return a label table of one source, with a column for each of `labels`: float64 for numbers, else text.

    A missing label is NaN among numbers, and None or NaN among names. Rows of one `group` (any values) never part;
    without groups each row is alone.
    """
    table = pd.DataFrame({"path": pd.array(paths, dtype=TEXT)})
    table["source"] = pd.array([source], dtype=TEXT).repeat(len(table))
    table["split"] = pd.array([np.nan], dtype=TEXT).repeat(len(table)) if split is None else pd.array(split, dtype=TEXT)
    table["group"] = np.arange(len(table), dtype=np.int64) if group is None else pd.factorize(np.asarray(group))[0]
    for column, cells in labels.items():
        cells = pd.Series(cells)
        numeric = pd.api.types.is_numeric_dtype(cells)
        table[column] = cells.to_numpy(np.float64) if numeric else pd.array(cells, dtype=TEXT)
    table.attrs = {"skipped": list(skipped), "deviations": list(deviations)}
    return table
