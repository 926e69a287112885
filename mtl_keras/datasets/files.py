"""The label table that each reader returns."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from mtl_keras.files import TEXT
from mtl_keras.intervals import with_intervals


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

    A missing label is NaN among numbers, and None or NaN among names; of an interval, such as the age "20-29", the ends
    get columns of their own (`mtl_keras.intervals`). Rows of one `group` (any values) never part;
    a row whose group is missing is alone.
    """
    table = pd.DataFrame({"path": pd.array(paths, dtype=TEXT)})
    table["source"] = pd.array([source], dtype=TEXT).repeat(len(table))
    table["split"] = pd.array([np.nan], dtype=TEXT).repeat(len(table)) if split is None else pd.array(split, dtype=TEXT)
    known = np.full(len(table), -1) if group is None else pd.factorize(np.asarray(group))[0]
    table["group"] = pd.factorize(np.where(known < 0, len(table) + np.arange(len(table)), known))[0]
    for column, cells in labels.items():
        cells = pd.Series(cells)
        numeric = pd.api.types.is_numeric_dtype(cells)
        table[column] = cells.to_numpy(np.float64) if numeric else pd.array(cells, dtype=TEXT)
    table = with_intervals(table)
    table.attrs = {"skipped": list(skipped), "deviations": list(deviations)}
    return table
