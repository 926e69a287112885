"""Cut a label table into training, validation and test rows."""

import os

import numpy as np
import pandas as pd

from mtl_keras.data.table import SPLITS, complete, label_columns
from mtl_keras.errors import UserError
from mtl_keras.files import TEXT


def split(
    table: pd.DataFrame,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    stratify: str | None = "age",
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Cut a table into training, validation and test rows, never through a group.

    Every part gets its share of each age decade, or of each class of another `stratify` column, and of each source.
    Rows whose `split` is given keep it, and the rest of their group follows them. The same seed gives the same parts
    whatever the order of the rows and wherever the files lie.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UserError(f"fractions {tuple(fractions)}: expected three numbers from 0 to 1 that add up to 1")
    table = complete(table)
    if stratify is not None and stratify not in {*label_columns(table), "age"}:
        raise UserError(f"stratify {stratify!r}: expected None or one of {', '.join(label_columns(table))}")
    # By name, then source, then path; faster and in less memory than pandas' sort_values with three columns.
    keys = [table["path"], pd.factorize(table["source"], sort=True)[0], table["path"].map(os.path.basename)]
    table = table.iloc[np.lexsort([np.asarray(key) for key in keys])].reset_index(drop=True)
    del keys
    group, groups = pd.factorize(table["group"])
    part = table["split"].map({name: float(number) for number, name in enumerate(SPLITS)}).astype(np.float64)
    part = part.fillna(part.groupby(group).transform("min")).to_numpy()
    first, sizes = np.unique(group, return_index=True)[1], np.bincount(group, minlength=len(groups))
    stratum = pd.factorize(_strata(table, stratify), sort=True)[0]
    source = pd.factorize(table["source"], sort=True)[0]
    # Each source has an order of its own, so that a data set more leaves the parts of the others as they were.
    shuffled = np.zeros(len(groups), np.int64)
    for members in (np.flatnonzero(source[first] == number) for number in np.unique(source)):
        shuffled[members] = np.random.default_rng(seed).permutation(len(members))
    dealt = np.lexsort((shuffled, source[first], stratum[first]))
    dealt = dealt[np.isnan(part[first][dealt])]
    part_of_group = np.full(len(groups), -1)
    part_of_group[dealt] = _deal(sizes[dealt], fractions)
    part = np.where(np.isnan(part), part_of_group[group], part).astype(np.int64)
    for number, fraction in enumerate(fractions):
        if len(dealt) and fraction and not (part == number).any():
            few = f"{len(table)} rows in {len(groups)} groups are too few"
            raise UserError(f"{few} for a {SPLITS[number]} part of {fraction:g}; add images or set its fraction to 0")
    table["split"] = pd.array(np.array(SPLITS)[part], dtype=TEXT)
    train, validation, test = (table[part == number].reset_index(drop=True) for number in range(3))
    return train, validation, test


def _strata(table: pd.DataFrame, stratify: str | None) -> pd.Series:
    """Return what each row's share is counted by: the decade of a number, or a class name."""
    if stratify is None or stratify not in table:
        return pd.Series(0, table.index)
    cells = table[stratify]
    return cells // 10 if pd.api.types.is_numeric_dtype(cells) else cells


def _deal(sizes: np.ndarray, fractions: tuple[float, float, float]) -> np.ndarray:
    """Give each group in turn to the part that is furthest behind its share, and return the parts (G,)."""
    seen, got, parts, (train, validation, test) = 0, [0.0, 0.0, 0.0], [], fractions
    # Each step depends on the one before it, so this is a loop over the groups.
    for size in sizes.tolist():
        seen += size
        behind = train * seen - got[0], validation * seen - got[1], test * seen - got[2]
        chosen = behind.index(max(behind))
        got[chosen] += size
        parts.append(chosen)
    return np.array(parts, np.int64)
