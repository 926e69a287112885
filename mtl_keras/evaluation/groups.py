"""What answers are worth by group of people: the fairness table."""

from collections.abc import Iterable

import pandas as pd

from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.tasks import Task

AGE_BANDS = (0, 10, 20, 30, 40, 50, 60, 117)
GROUPS = ("gender", "ethnicity", "age_band")


def by_group(answered_table: pd.DataFrame, tasks: Iterable[Task], keys: Iterable[str] = GROUPS) -> pd.DataFrame:
    """Return each task's metrics by gender, ethnicity and age band, as far as those are labelled: the fairness table.

    `keys` are the labels to group by; a row that lacks one of them is in no group.
    """
    bands = [f"{low}-{high - 1}" for low, high in zip(AGE_BANDS[:-1], AGE_BANDS[1:], strict=True)]
    table = answered_table.copy()
    if "age" in table:
        table["age_band"] = pd.cut(table["age"], AGE_BANDS, right=False, labels=bands).astype(object)
    keys = [key for key in keys if key in table and table[key].notna().any()]
    if not keys:
        return pd.DataFrame(columns=["n"])
    rows = []
    for group, members in table.groupby(keys, sort=True):
        plain = metrics_with_intervals(members, tasks, resamples=0)
        rows.append(
            {
                **dict(zip(keys, group, strict=True)),
                "n": len(members),
                **{k: v for k, v in plain.items() if not k.endswith(".n")},
            }
        )
    return pd.DataFrame(rows)
