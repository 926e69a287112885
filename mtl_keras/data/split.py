"""Cut a label table into training, validation and test rows."""

import os
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd

from mtl_keras.data.leaks import leak_note
from mtl_keras.data.table import SPLITS, complete, label_columns
from mtl_keras.errors import UserError
from mtl_keras.files import TEXT

# A group of more than this share of the rows is dealt before the smaller ones, which make up for its size.
LARGE = 0.01
# A set of fewer groups would have none left for validation or test.
FEWEST_GROUPS = 10


def split(
    table: pd.DataFrame,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    stratify: str | None = "age",
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Cut a table into training, validation and test rows, never through a group.

    Every part gets its share of each source, and in it of each age decade, or of each class of another `stratify`
    column. Rows whose `split` is given keep it, and the rest of their group follows them. A source that comes with some
    of the parts only gives its fraction of its training rows to each part that it lacks; if it lacks only the test
    part, its validation rows are the test rows, and training rows take their place. The same seed gives the same parts
    whatever the order of the rows and wherever the files lie. A source more does not change the parts of the others,
    unless they have groups in common; those of fewer than ten groups are dealt as if they were one.

    Copies of one image that `split` itself puts into several parts are told of in a printed line.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UserError(f"fractions {tuple(fractions)}: expected three numbers from 0 to 1 that add up to 1")
    table = complete(table)
    if stratify is not None and stratify not in {*label_columns(table), "age"}:
        raise UserError(f"stratify {stratify!r}: expected None or one of {', '.join(label_columns(table))}")
    if note := leak_note(table):
        print(note, file=sys.stderr)
    # By name, then source, then path; faster and in less memory than pandas' sort_values with three columns.
    keys = [table["path"], pd.factorize(table["source"], sort=True)[0], table["path"].map(os.path.basename)]
    table = table.iloc[np.lexsort([np.asarray(key) for key in keys])].reset_index(drop=True)
    del keys
    group, source = pd.factorize(table["group"])[0], pd.factorize(table["source"], sort=True)[0]
    given = table["split"].map({name: float(number) for number, name in enumerate(SPLITS)}).astype(np.float64)
    if fractions[2]:
        given = _validation_as_test(given, source)
    part = given.fillna(given.groupby(group).transform("min")).to_numpy()
    groups = _in_dealing_order(table, group, source, stratify, seed)
    part_of_group = np.full(len(groups), -1)
    for dealt in _by_set(groups[np.isnan(part[groups["first"]])]):
        part_of_group[dealt.index] = _deal(dealt["size"].to_numpy(), fractions)
    part = np.where(np.isnan(part), part_of_group[group], part).astype(np.int64)
    part = _held_out(part, group, source, groups, np.unique(source[given.notna()]), fractions)
    for number, fraction in enumerate(fractions):
        if fraction and not (part == number).any():
            raise UserError(_lacking(table, number, fraction))
    table["split"] = pd.array(np.array(SPLITS)[part], dtype=TEXT)
    train, validation, test = (table[part == number].reset_index(drop=True) for number in range(3))
    return train, validation, test


def _validation_as_test(given: pd.Series, source: np.ndarray) -> pd.Series:
    """Return the given parts (N,), 2 in place of 1 in sources that come as training and validation rows alone."""
    parts = given.fillna(2).groupby(source)
    return given.mask((parts.transform("min") == 0) & (parts.transform("max") == 1) & (given == 1), 2.0)


def _in_dealing_order(
    table: pd.DataFrame, group: np.ndarray, source: np.ndarray, stratify: str | None, seed: int
) -> pd.DataFrame:
    """Return the groups, by number, in the order in which they are dealt: their `source`, `size` and `first` row."""
    first, size = np.unique(group, return_index=True, return_counts=True)[1:]
    source = source[first]
    cells = table.get(stratify, pd.Series(0, table.index))
    # A share is counted by the decade of a number, or by a class.
    strata = cells // 10 if pd.api.types.is_numeric_dtype(cells) else cells
    # Each source has an order of its own, so that a data set more leaves the parts of the others as they were.
    shuffled = np.zeros(len(first), np.int64)
    for members in (np.flatnonzero(source == number) for number in np.unique(source)):
        shuffled[members] = np.random.default_rng(seed).permutation(len(members))
    order = np.lexsort((shuffled, source, pd.factorize(strata, sort=True)[0][first]))
    return pd.DataFrame({"source": source, "size": size, "first": first}).iloc[order]


def _by_set(groups: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Give the groups of each source, those of small sources together."""
    few = groups["source"].map(groups["source"].value_counts()) < FEWEST_GROUPS
    return (members for _, members in groups.groupby(groups["source"].mask(few, -1)))


def _deal(sizes: np.ndarray, fractions: tuple[float, float, float]) -> np.ndarray:
    """Return the part (G,) of each group of these sizes (G,), large ones first, so that small ones fill what they left.

    Groups of about the same size, up to twice as large, are dealt in their order.
    """
    parts, left = np.zeros(len(sizes), np.int64), np.array(fractions) * sizes.sum()
    large = np.where(sizes > LARGE * sizes.sum(), np.log2(sizes).astype(np.int64), 0)
    for about in np.unique(large)[::-1]:
        members = np.flatnonzero(large == about)
        parts[members] = _deal_alike(sizes[members], fractions)
        left -= np.bincount(parts[members], sizes[members], 3)
        fractions = tuple((left.clip(0) / max(1, left.clip(0).sum())).tolist())
    return parts


def _deal_alike(sizes: np.ndarray, fractions: tuple[float, float, float]) -> np.ndarray:
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


def _held_out(
    part: np.ndarray,
    group: np.ndarray,
    source: np.ndarray,
    groups: pd.DataFrame,
    sources: np.ndarray,
    fractions: tuple[float, float, float],
) -> np.ndarray:
    """Return the parts (N,) in which each of these sources has given training rows to the parts that it lacked."""
    latest = pd.Series(part).groupby(group).max()
    # A group that has rows in several parts already stays as it is.
    training, moved = groups[latest[groups.index].to_numpy() == 0], np.zeros(len(groups), np.int64)
    for number in sources:
        own, present = training[training["source"] == number], np.unique(part[source == number])
        validation, test = (0.0 if each in present else fractions[each] for each in (1, 2))
        moved[own.index] = _deal(own["size"].to_numpy(), (1 - validation - test, validation, test))
    return np.maximum(part, moved[group])


def _lacking(table: pd.DataFrame, number: int, fraction: float) -> str:
    """Say why a part has no rows, and how to mend it."""
    if table.empty:
        return "the table has no row; expected one for each image"
    if number == 0 and table["split"].notna().all():
        here = " and ".join(name for name in SPLITS if (table["split"] == name).any())
        return f"no row to train on: `split` says {here} in all {len(table)}; empty some cells, or add training rows"
    few = f"{len(table)} rows in {table['group'].nunique()} groups are too few"
    return f"{few} for a {SPLITS[number]} part of {fraction:g}; add images or set its fraction to 0"
