"""Labels that are known up to an interval: "20-29" or "70+" in the place of a number, such as an age.

In a label table the ends of an interval stand in two columns beside that of the number, `age.low` and `age.high`, both
inclusive; a blank end is open. The number itself is blank then: whatever needs a number takes the row for unlabelled,
and only training, whose losses know what to do with an interval, looks at it. Where both are known the number counts.
"""

import re

import numpy as np
import pandas as pd

from mtl_keras.errors import UserError
from mtl_keras.files import as_numbers
from mtl_keras.tasks import TASKS, Task

_INTERVAL = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(?:[-\u2013]\s*(\d+(?:\.\d+)?)|\+)\s*$")


def end_columns(task: Task) -> tuple[str, ...]:
    """Return the names of the columns of an interval's ends; none of a task that does not answer one number."""
    return () if task.classes or task.outputs else (f"{task.name}.low", f"{task.name}.high")


def ends_of(cells: pd.Series) -> pd.DataFrame:
    """Return the lower and the upper end, columns 0 and 1, of cells (N,) that are intervals; NaN where one is none.

    The upper end of "70+" is NaN as well.
    """
    texts = cells.where(cells.map(lambda cell: isinstance(cell, str))).astype("string")
    return texts.str.extract(_INTERVAL).astype("Float64").astype(np.float64)


def with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the intervals among its numbers moved into columns of their own; else the table itself."""
    for task in TASKS.values():
        if not end_columns(task) or task.name not in table or pd.api.types.is_numeric_dtype(table[task.name]):
            continue
        cells = table[task.name]
        found = ends_of(cells)
        given = found[0].notna()
        if not given.any():
            continue
        ends = {}
        for column, end in zip(end_columns(task), (found[0], found[1]), strict=True):
            known = table.get(column, pd.Series(np.nan, table.index))
            if (wrong := end.notna() & known.notna() & (end != as_numbers(known))).any():
                row = wrong.idxmax()
                other = f"{known[row]} in column {column!r}"
                raise UserError(f"column {task.name!r}: got {cells[row]!r} beside {other}; leave one of them empty")
            ends[column] = end.fillna(known)
        rest = cells.where(~given)
        numbers = as_numbers(rest)
        whole = (numbers.notna() == rest.notna()).all()
        numbers = {task.name: numbers if whole else rest}
        # A column of nothing but blanks would say that the set should have such labels.
        table = table.assign(**numbers, **ends) if rest.notna().any() else table.drop(columns=task.name).assign(**ends)
    return table
