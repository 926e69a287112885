"""Which rows of a label table a network learns from, and what of them tells its run apart from others."""

import numpy as np
import pandas as pd

from mtl_keras.data.sampling import balanced, parse_balance
from mtl_keras.data.table import encode_intervals
from mtl_keras.kinds import kind_of
from mtl_keras.studies.settings import Data, Network
from mtl_keras.tasks import TASKS, Task


def labelled_rows(table: pd.DataFrame, tasks: list[Task]) -> pd.DataFrame:
    """Return the rows that have a label of at least one of the tasks."""
    known = np.any([encode_intervals(table, task)[1] > 0 for task in tasks], axis=0)
    return table if known.all() else table[known].reset_index(drop=True)


def label_part(table: pd.DataFrame, tasks: list[Task], all_rows: bool = False) -> pd.DataFrame:
    """Return what of a label table tells runs of these tasks apart.

    Rows without a label of them are not trained on, unless a teacher labels `all_rows`: a data set more behind the
    others does not make a run start anew. Labels of oriented tasks, such as angles of a head, were turned with its
    crop, by a detector that rounds otherwise on another processor: they count only for a network that learns them.
    """
    learned = [task.name for task in tasks]
    others = [task for task in TASKS.values() if task.oriented and task.name not in learned]
    columns = [column for task in others for column in task.columns]
    rows = table if all_rows else labelled_rows(table, tasks)
    return rows.drop(columns=columns, errors="ignore")


def mirrored(table: pd.DataFrame, tasks: list[Task]) -> pd.DataFrame:
    """Return the rows with the labels of their mirrored images; those that no one knows are blank."""
    table = table.copy()
    for kind in (kind_of(task) for task in tasks if task.oriented):
        columns = [*kind.task.columns]
        if not kind.mirrors:
            table = table.drop(columns=columns, errors="ignore")
        elif {*columns} <= {*table.columns}:
            table[columns] = kind.mirrored(table[columns].to_numpy(np.float64))
    return table


def unlabelled(network: Network, table: pd.DataFrame) -> list[str]:
    """Return the names of the network's tasks that no row has a label of."""
    return [task.name for task in network.chosen_tasks() if not encode_intervals(table, task)[1].any()]


def with_balance(data: Data, table: pd.DataFrame) -> pd.DataFrame:
    """Return training rows with how often each is seen, where `balance` says it."""
    balance = parse_balance(data.balance)
    return balanced(table, balance) if balance else table
