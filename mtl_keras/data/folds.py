"""Folds of a label table, for cross-validation."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from mtl_keras.data.table import complete, label_columns
from mtl_keras.errors import UserError


def folds(
    table: pd.DataFrame, count: int, seed: int = 0, stratify: tuple[str, ...] = (), source: str = ""
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield (the other rows, a fold's rows) for each of `count` folds; every row is in one fold, groups stay together.

    Each fold has its share of every combination of the `stratify` columns' classes. With a `source`, only its rows are
    dealt to folds: those of other sources are in every fold's other rows.
    """
    table = complete(table)
    unknown = [column for column in stratify if column not in label_columns(table)]
    if unknown:
        raise UserError(f"folds: no label {unknown[0]!r} to stratify by; expected {', '.join(label_columns(table))}")
    if source and source not in set(table["source"]):
        raise UserError(f"folds: no source {source!r}; the table has {', '.join(sorted(set(table['source'])))}")
    dealt = np.flatnonzero(table["source"] == source) if source else np.arange(len(table))
    groups = table["group"].iloc[dealt]
    if not 2 <= count <= groups.nunique():
        where = f" of source {source!r}" if source else ""
        raise UserError(f"{count} folds: expected 2 to {groups.nunique()}, the number of groups of images{where}")
    cells = table.iloc[dealt].reindex(columns=list(stratify)).astype(object).fillna("")
    strata = cells.agg(" ".join, axis=1) if stratify else pd.Series("", cells.index)
    for _, fold in StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(cells, strata, groups):
        held = np.zeros(len(table), bool)
        held[dealt[fold]] = True
        # What the set's own split says does not count here.
        yield tuple(table[part].assign(split=np.nan).reset_index(drop=True) for part in (~held, held))
