"""Whether tables of different sets mean the same by the same column, before they are joined into one."""

from collections.abc import Iterable

import pandas as pd

from mtl_keras.errors import UserError
from mtl_keras.tasks import TASKS

# Columns that every table has, and that are no labels.
OWN = ("path", "source", "split", "group", "image", "times")
UNITS = {column: task.unit for task in TASKS.values() for column in task.columns}
CLASSES = {column: task.classes for task in TASKS.values() for column in task.columns if task.classes}


def agree(tables: Iterable[pd.DataFrame]) -> None:
    """Refuse tables of which a column has other class names, another unit, or text in one and numbers in another.

    The error names both sets, and both meanings. A unit that differs from the task's stands in `attrs["units"]` of a
    table, as {column: unit}. What is at odds with its task alone is left to `mtl_keras.data.table.complete`.
    """
    first: dict[str, tuple[str, pd.DataFrame]] = {}
    for number, table in enumerate(tables, 1):
        name = named(table, number)
        for column in table.columns.difference(list(OWN)):
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
        unit = table.attrs.get("units", {}).get(column, UNITS.get(column))
        if column in UNITS and unit != UNITS[column]:
            raise UserError(f"combine: {column} is in {unit} in {name!r}; convert it to {UNITS[column]} first")


def named(table: pd.DataFrame, number: int) -> str:
    """Return what a table is called in a message: its source, or its number."""
    sources = table["source"].dropna().unique() if "source" in table else []
    return str(sources[0]) if len(sources) and sources[0] else f"table {number}"


def meaning(column: str, table: pd.DataFrame) -> str:
    """Return what a label column holds: its unit, its classes where they are not the task's, or text or numbers."""
    cells = table[column].dropna()
    if not pd.api.types.is_numeric_dtype(cells):
        classes = CLASSES.get(column)
        if classes is None or cells.isin(classes).all():
            return "text" if classes is None else " or ".join(classes)
        return " or ".join(map(str, list(cells.drop_duplicates())[:9]))
    unit = table.attrs.get("units", {}).get(column, UNITS.get(column, ""))
    return f"in {unit}" if unit else "a number"
