"""Labels that follow from others: the class of an age, where a task's classes are ranges of years."""

import re

import numpy as np
import pandas as pd

from mtl_keras.files import TEXT
from mtl_keras.intervals import end_columns
from mtl_keras.tasks import TASKS, Task

AGE = "age"
_RANGE = re.compile(r"(\d+)(?:-(\d+)|\+)")


def derived(table: pd.DataFrame, tasks: list[Task]) -> pd.DataFrame:
    """Return a copy of a label table in which ages fill the empty cells of tasks whose classes are ranges of ages.

    Whole years count: 13.9 is in "1-13". An age that is in no range, such as 0 or 81 for the groups 1-13 to 56-80,
    leaves the cell empty, and so does an interval of ages that is not within one.
    """
    table = table.copy()
    for task in tasks:
        bounds = ranges(task)
        if not bounds or not {AGE, *end_columns(TASKS[AGE])} & {*table.columns}:
            continue
        years, classes = (
            np.floor(table.get(AGE, pd.Series(np.nan, table.index)).astype(np.float64)),
            pd.Series(np.nan, table.index, TEXT),
        )
        first, last = (np.floor(years.fillna(table[end])) if end in table else years for end in end_columns(TASKS[AGE]))
        for name, (low, high) in zip(task.classes, bounds, strict=True):
            classes = classes.mask((first >= low) & (last <= high), name)
        table[task.name] = table[task.name].fillna(classes) if task.name in table else classes
    return table


def ranges(task: Task) -> list[tuple[float, float]]:
    """Return the first and last year of each class ("4-6", "70+"), or nothing where a class is no range of ages."""
    matches = [_RANGE.fullmatch(name) for name in task.classes]
    if task.unit != "years" or not all(matches):
        return []
    return [(float(match[1]), float(match[2] or np.inf)) for match in matches]
