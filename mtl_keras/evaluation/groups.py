"""What answers are worth by group of people: the fairness table."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from mtl_keras.data.table import bounds
from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.tasks import AGE, Task

AGE_BANDS = (0, 10, 20, 30, 40, 50, 60, 117)
GROUPS = ("gender", "ethnicity", "age_band")


def by_group(
    answered_table: pd.DataFrame,
    tasks: Iterable[Task],
    keys: Iterable[str] = GROUPS,
    at_least: int = 0,
    resamples: int = 0,
) -> pd.DataFrame:
    """Return each task's metrics by gender, ethnicity and age band, as far as those are labelled: the fairness table.

    `keys` are the labels to group by; a row that lacks one of them is in no group. An age that is known up to an
    interval is in the band that holds all of it. `n` is the number of a group's images, `age.n` that of its images with
    a label of the task. With `at_least`, groups are made larger until half of them hold as many images: neighboring age
    bands are joined, and where a single one is left, the last of the other keys is left out. With `resamples` the
    metrics have intervals, as those of `metrics_with_intervals` have.
    """
    keys = known_keys(answered_table, keys)
    if not keys:
        return pd.DataFrame(columns=["n"])
    starts = _band_starts(answered_table)
    keys, edges = _large(answered_table.assign(age_band=starts), keys, at_least)
    bands = [f"{low}-{high - 1}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
    banded = answered_table.assign(age_band=pd.cut(starts, edges, right=False, labels=bands).astype(object))
    rows = []
    for group, members in banded.groupby(keys, sort=True, observed=True):
        plain = metrics_with_intervals(members, tasks, resamples)
        rows.append({**dict(zip(keys, group, strict=True)), "n": len(members), **plain})
    return pd.DataFrame(rows)


def known_keys(table: pd.DataFrame, keys: Iterable[str] = GROUPS) -> list[str]:
    """Return those of the keys that some rows of a table are labelled with."""
    labels = table.assign(age_band=_band_starts(table))
    return [key for key in keys if key in labels and labels[key].notna().any()]


def _band_starts(table: pd.DataFrame) -> pd.Series:
    """Return the first year (N,) of the age band of each age, and of each interval that lies in one band; else NaN."""
    ages = table.get("age", pd.Series(np.nan, table.index))
    ends = bounds(table, AGE)
    ends = pd.DataFrame(np.full((len(table), 2), np.nan) if ends is None else ends, table.index)
    low, high = (
        pd.cut(ages.fillna(ends[end]), AGE_BANDS, right=False, labels=AGE_BANDS[:-1]).astype(np.float64) for end in ends
    )
    return low.where(low == high)


def _large(table: pd.DataFrame, keys: list[str], at_least: int) -> tuple[list[str], list[int]]:
    """Return the keys to group by and the edges of the age bands, so that half of the groups hold enough images."""
    people = [key for key in keys if key != "age_band"]
    starts = table["age_band"] if "age_band" in keys else pd.Series(AGE_BANDS[0], table.index)
    bands = pd.Categorical(starts, AGE_BANDS[:-1])
    members = table.assign(band=bands, everybody=0).groupby([*people, "everybody", "band"], observed=False).size()
    counts = members.unstack("band")  # groups of people x age bands
    counts = counts[counts.sum(axis=1) > 0]
    edges, joined = [AGE_BANDS[0]], 0
    for low, high in zip(AGE_BANDS[:-1], AGE_BANDS[1:], strict=True):
        joined = joined + counts[low]
        if (joined >= at_least).mean() >= 0.5:
            edges.append(high)
            joined = 0
    if len(edges) == 1 and people and len(keys) > 1:
        return _large(table, [key for key in keys if key != people[-1]], at_least)
    # What is left over joins the band before it.
    return keys, [*edges[:-1], AGE_BANDS[-1]] if len(edges) > 1 else [AGE_BANDS[0], AGE_BANDS[-1]]
