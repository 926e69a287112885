"""Whether tables of different sets mean the same by the same column, before they are joined into one."""

from collections.abc import Iterable

import pandas as pd

from mtl_keras.errors import UserError
from mtl_keras.tasks import TABLE_COLUMNS, TASKS, Task


def agree(tables: Iterable[pd.DataFrame]) -> None:
    """Refuse tables of which a column has other class names, another unit, or text in one and numbers in another.

    The error names both sets, and both meanings. A unit that differs from the task's stands in `attrs["units"]` of a
    table, as {column: unit}. What is at odds with its task alone is left to `mtl_keras.data.table.complete`.
    """
    first: dict[str, tuple[str, pd.DataFrame]] = {}
    for number, table in enumerate(tables, 1):
        name = named(table, number)
        for column in table.columns.difference(list(TABLE_COLUMNS)):
            if not table[column].notna().any():
                continue
            if column not in first:
                first[column] = name, table
                continue
            other, known = first[column]
            ours, theirs = meaning(column, table), meaning(column, known)
            if ours != theirs:
                raise UserError(
                    f"combine: {column} is {theirs} in {other!r} and {ours} in {name!r}; bring both to the same first"
                )
    for column, (name, table) in first.items():
        task, unit = task_of(column), table.attrs.get("units", {}).get(column)
        if task and unit is not None and unit != task.unit:
            raise UserError(f"combine: {column} is in {unit} in {name!r}; convert it to {task.unit} first")


def task_of(column: str) -> Task | None:
    """Return the task whose labels a column holds; None where it holds no labels."""
    return next((task for task in TASKS.values() if column in task.columns), None)


def named(table: pd.DataFrame, number: int) -> str:
    """Return what a table is called in a message: its source, or its number."""
    sources = table["source"].dropna().unique() if "source" in table else []
    return str(sources[0]) if len(sources) and sources[0] else f"table {number}"


def meaning(column: str, table: pd.DataFrame) -> str:
    """Return what a label column holds: its unit, its classes where they are not the task's, or text or numbers."""
    cells, task = table[column].dropna(), task_of(column)
    if not pd.api.types.is_numeric_dtype(cells):
        classes = task.classes if task else ()
        if not classes or cells.isin(classes).all():
            return " or ".join(classes) or "text"
        return " or ".join(map(str, list(cells.drop_duplicates())[:9]))
    unit = table.attrs.get("units", {}).get(column, task.unit if task else "")
    return f"in {unit}" if unit else "a number"
