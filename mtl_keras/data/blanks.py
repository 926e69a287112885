"""Labels taken away on purpose, to see what is learned from data sets that each label only some of the tasks."""

import numpy as np
import pandas as pd

from mtl_keras.data.table import encode_intervals
from mtl_keras.intervals import end_columns
from mtl_keras.tasks import Task


def keep_some(table: pd.DataFrame, tasks: list[Task], share: float, seed: int = 0) -> pd.DataFrame:
    """Return a label table of which each row keeps about this share of its labels of the tasks, and at least one.

    Which ones depends on the seed and the order of the rows alone. Columns of other tasks stay.
    """
    random = np.random.default_rng(seed)
    known = np.stack([encode_intervals(table, task)[1] > 0 for task in tasks], axis=1)  # (N, T)
    order = np.where(known, random.random(known.shape), 2.0)  # a label that is not there is never the last one kept
    kept = (order < share) | (order == order.min(axis=1, keepdims=True))
    blanked = table.copy()
    for task, rows in zip(tasks, (known & kept).T, strict=True):
        for column in blanked.columns.intersection([*task.columns, *end_columns(task)]):
            blanked[column] = blanked[column].where(rows)
    return blanked
