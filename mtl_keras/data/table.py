"""The label table: one row an image, an empty cell where a label is missing.

Columns: `path` (text), `source` (name of the dataset), `split` ("train", "validation", "test" or empty),
`group` (int64; rows of one group never part), then one column a task or task output, as `Task.columns` names them.
Cells of a task of classes hold the class name, all others a number. Of a label that is known up to an interval the ends
stand in `age.low` and `age.high`, and `age` is blank (`mtl_keras.intervals`).
`box` ("x y width height", `mtl_keras.boxes`) is there where rows are faces that are to be cut out of their photos. The
rows of one photo have one group.
`image` (int64) is there once `mtl_keras.data.audit.check_images` has run: copies of one image share its number.
`table.attrs["skipped"]` lists what is not in the table, `table.attrs["deviations"]` what was odd and read all the same,
each as {"path", "reason"}.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.boxes import box_numbers, box_texts, repeated
from mtl_keras.columns import match_header
from mtl_keras.data.agreement import agree
from mtl_keras.data.copies import connected
from mtl_keras.data.sampling import balanced
from mtl_keras.errors import UserError
from mtl_keras.files import TEXT, as_numbers, escaped, open_regular, replacing, unescaped
from mtl_keras.intervals import end_columns, with_intervals
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import CROP_COLUMNS, TABLE_COLUMNS, TASKS, Task

SPLITS = ("train", "validation", "test")
NOTES = ("skipped", "deviations")


class Notes(list):
    """A list in `attrs` that stays one: pandas deep-copies `attrs` at every step, seconds for 100,000 notes."""

    def __deepcopy__(self, memo: dict) -> "Notes":
        return self


def combine(tables: Iterable[pd.DataFrame], balance: str | dict[str, float] | None = None) -> pd.DataFrame:
    """Join label tables into one, with blanks where a table has no such label, and group numbers kept apart.

    `balance` says how often training sees which rows: {source: times}, "sources", or the name of a task whose classes
    are to be seen equally often; see `mtl_keras.data.sampling.balanced`.
    The tables' `attrs` are joined: `skipped` and `deviations` one after the other, `units` together, counts of `audit`
    added up where every table has them; of anything else what the first table says is kept.
    An unknown class name, a number outside the task's range, an image that two rows name without a `box` of their own,
    and a column that means different things in two tables (`mtl_keras.data.agreement`) are errors.
    """
    if isinstance(tables, (pd.DataFrame, Mapping)):
        raise UserError(f"tables: got a {type(tables).__name__}; expected a list of label tables")
    tables, parts, first_free = [with_intervals(table) for table in tables], [], {"group": 0, "image": 0}
    agree(tables)
    for table in tables:
        part = complete(table)
        for column in part.columns.intersection(list(first_free)):
            part[column] = pd.factorize(part[column], sort=True)[0] + first_free[column]
            first_free[column] += len(part)
        part.attrs = {}
        parts.append(part)
    if not parts:
        raise UserError("combine: got no label table; expected at least one")
    together = complete(pd.concat(parts, ignore_index=True))
    if twice := repeated(together):
        mend = "pass each dataset only once, and give each of several faces of one photo a `box`"
        raise UserError(f"combine: {twice!r} is in the tables twice; {mend}")
    together.attrs = _joined([table.attrs for table in tables])
    return together if balance is None else balanced(together, balance)


def _joined(attrs: list[dict]) -> dict:
    """Return what stands in the `attrs` of tables that become one."""
    joined = {name: value for each in reversed(attrs) for name, value in each.items()}
    for note in NOTES:
        entries = [entry for each in attrs for entry in each.get(note, [])]
        joined[note] = Notes({(entry["path"], entry["reason"]): entry for entry in entries}.values())
    if "units" in joined:
        joined["units"] = {column: unit for each in attrs for column, unit in each.get("units", {}).items()}
    if "audit" in joined:
        audits = [each.get("audit", {}) for each in attrs]
        # Without the counts of one table, the sums would say that its images had been checked.
        names = [name for name in joined.pop("audit") if all(name in audit for audit in audits)]
        joined |= {"audit": {name: sum(audit[name] for audit in audits) for name in names}} if names else {}
    return joined


def complete(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with every documented column present and of its type, after checking each label.

    A row without a group gets one of its own.
    """
    attrs = {name: Notes(value) if isinstance(value, list) else value for name, value in table.attrs.items()}
    table = with_intervals(pd.DataFrame(table).reset_index(drop=True))  # without attrs
    if "path" not in table.columns or table["path"].isna().any():
        raise UserError("a label table needs a column `path` with a file in every row")
    table["path"] = table["path"].astype(TEXT)
    table["source"] = table["source"].astype(TEXT).fillna("") if "source" in table else pd.Series("", table.index, TEXT)
    table["split"] = table["split"].astype(TEXT) if "split" in table else pd.Series(np.nan, table.index, TEXT)
    unknown = table["split"][table["split"].notna() & ~table["split"].isin(SPLITS)]
    if len(unknown):
        raise UserError(f"column 'split': got {unknown.iloc[0]!r}, expected {', '.join(SPLITS)} or an empty cell")
    for column in {"group", "image"} & {*table.columns, "group"}:
        cells = table.get(column, pd.Series(np.nan, table.index))
        numbers, own = as_numbers(cells), cells.isna()
        # Beyond that, whole numbers next to each other are one as float64.
        wrong = cells[~own & ~((numbers.abs() < 2**53) & (numbers % 1 == 0))]
        if len(wrong):
            got, expected = wrong.iloc[0], "a whole number below 2^53 or an empty cell"
            raise UserError(f"column {column!r}: got {got!r}, expected {expected}")
        free = 0 if own.all() else int(numbers.max()) + 1
        table[column] = numbers.mask(own, np.arange(free, free + len(table))).astype(np.int64)
    if "box" in table:
        table["box"] = box_texts(box_numbers(table["box"], table["path"]))
        table["group"] = _groups_of_photos(table)
    for task in TASKS.values():
        for column in table.columns.intersection(list(task.columns)):
            numbers = _numbers(table, column, task)
            if kind_of(task).names:
                # Each class in one spelling.
                cells = kind_of(task).cells(np.where(np.isnan(numbers), -1, numbers).astype(np.int64))
                table[column] = pd.Series(cells, table.index, TEXT)
            else:
                table[column] = table[column].astype(np.float64)
        if (known := bounds(table, task)) is not None:
            ends = [column for column in end_columns(task) if column in table]
            table[ends] = table[ends].astype(np.float64)
            numbers = table.get(task.name, pd.Series(np.nan, table.index, np.float64))
            if (outside := np.flatnonzero((numbers < known[:, 0]) | (numbers > known[:, 1]))).size:
                low, high = known[outside[0]]
                got = f"{numbers.iloc[outside[0]]:g} beside {low:g} and {high:g} ({table['path'].iloc[outside[0]]})"
                raise UserError(f"column {task.name!r}: got {got}; leave the number or its interval empty")
            if (single := known[:, 0] == known[:, 1]).any():
                # An interval of one number is that number.
                table[task.name] = numbers.fillna(pd.Series(known[:, 0], table.index).where(single))
    labels = label_columns(table)
    first = [name for name in ("path", "box", "source", "split", "group", "image") if name in table]
    table = table[first + labels + [name for name in table.columns if name not in {*first, *labels}]]
    table.attrs = attrs
    return table


def _groups_of_photos(table: pd.DataFrame) -> pd.Series:
    """Return group numbers (N,) by which all faces of one photo stay together; ones in several parts are an error."""
    photos = table["path"].map(os.path.normpath)  # one photo may have been written in two ways
    parted = table["split"].groupby(photos).transform("nunique") > 1
    if parted.any():
        path = photos[parted].iloc[0]
        parts = " and ".join(sorted(set(table["split"][photos == path].dropna())))
        raise UserError(f"{path}: its faces are in several parts ({parts}); give all of them one `split`")
    if not photos.duplicated().any():
        return table["group"]
    groups = pd.factorize(table["group"])[0]
    joined = connected(groups, len(table) + pd.factorize(photos)[0], 2 * len(table))[groups]
    # Of the groups that are joined the first number stays.
    return table["group"].groupby(joined).transform("min")


def label_columns(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns that hold labels, in the order of the tasks."""
    columns = (column for task in TASKS.values() for column in (*task.columns, *end_columns(task)))
    return [column for column in columns if column in table.columns]


def missing_outputs(table: pd.DataFrame, task: Task) -> list[str]:
    """Return the columns of a task that have no label though others of it have: its rows are as good as unlabelled."""
    filled = {column for column in task.columns if column in table and table[column].notna().any()}
    return [column for column in task.columns if filled and column not in filled]


def encode(table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Return the task's labels as numbers, and a mask that is 1 where there is one.

    Labels are (N,) int32 class indices for a task of classes, else float32 of shape (N,), or (N, D) for a task
    with D > 1 outputs. The mask is (N,) float32. Where the mask is 0 the label is 0; a row of which only some
    outputs are known is masked.
    """
    columns = [_numbers(table, name, task) if name in table else np.full(len(table), np.nan) for name in task.columns]
    numbers = np.stack(columns, axis=-1)  # (N, D)
    mask = ~np.isnan(numbers).any(axis=-1)
    labels = np.where(mask[:, None], numbers, 0).astype(kind_of(task).dtype)
    return (labels[:, 0] if len(columns) == 1 else labels), mask.astype(np.float32)


def bounds(table: pd.DataFrame, task: Task) -> np.ndarray | None:
    """Return the ends (N, 2) of a task's intervals, NaN where a row has none; None where the table has none at all.

    An open end is that of the task's range. Ends outside of it, a lower one above an upper one, and intervals of a task
    whose kind knows none are errors.
    """
    columns, kind = [column for column in end_columns(task) if column in table], kind_of(task)
    if not columns or table[columns].isna().all(axis=None):
        return None
    if not kind.intervals:
        raise UserError(
            f"column {columns[0]!r}: a label of kind {task.kind!r} cannot be an interval; expected a number"
        )
    ends = np.stack(
        [
            _numbers(table, column, task) if column in table else np.full(len(table), np.nan)
            for column in end_columns(task)
        ],
        axis=1,
    )
    given = np.isfinite(ends).any(axis=1)
    ends = np.where(np.isnan(ends) & given[:, None], kind.range, ends)
    if (wrong := np.flatnonzero(ends[:, 0] > ends[:, 1])).size:
        low, high = ends[wrong[0]]
        got = f"{low:g} and {high:g}" + (f" ({table['path'].iloc[wrong[0]]})" if "path" in table else "")
        raise UserError(
            f"column {task.name!r}, or {' and '.join(end_columns(task))}: got {got}; expected the lower end first"
        )
    return ends


def encode_intervals(table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and mask as `encode` does, for training: where a table has intervals of the task, labels (N, 2).

    Those are the ends of each interval, which of a number are the same.
    """
    (labels, mask), found = encode(table, task), bounds(table, task)
    if found is None:
        return labels, mask
    interval = np.isfinite(found[:, 0]) & (mask == 0)
    ends = np.where(interval[:, None], found, labels[:, None]).astype(kind_of(task).dtype)
    return ends, np.where(interval, 1, mask).astype(np.float32)


def _numbers(table: pd.DataFrame, column: str, task: Task) -> np.ndarray:
    """Return one label column as float64 (N,), class names as their index and blanks as NaN."""
    cells, kind = table[column], kind_of(task)
    numbers = kind.numbers(cells)
    wrong = np.flatnonzero(numbers.isna() & cells.notna())
    if len(wrong):
        cell = cells.iloc[wrong[0]]
        got = repr(cell) if isinstance(cell, str) else str(cell)
        got += f" ({table['path'].iloc[wrong[0]]})" if "path" in table else ""
        interval = ", an interval such as 20-29 or 60+" if end_columns(task) and kind.intervals else ""
        raise UserError(f"column {column!r}: got {got}, expected {kind.expected}{interval}, or an empty cell")
    return numbers.to_numpy(np.float64)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a label table from a CSV file and check it; columns that no task names are kept as they are.

    A name that is nearly a column's is read as that, and told in `attrs["deviations"]`.
    """
    columns = [column for task in TASKS.values() for column in (*task.columns, *end_columns(task))]
    texts = {column for task in TASKS.values() if kind_of(task).names for column in task.columns}
    texts |= {"path", "box", "source", "split"}
    try:
        with open_regular(path) as file:
            names = pd.read_csv(file, nrows=0).columns.tolist()
        near = (header := match_header(names, [*columns, *TABLE_COLUMNS, *CROP_COLUMNS])).near
        types = {name: TEXT for name in names if near.get(name, name) in texts}
        with open_regular(path) as file:
            table = pd.read_csv(file, dtype=types, keep_default_na=False, na_values=[""])
        table = complete(unescaped(table).rename(columns=near))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a label table in CSV ({' '.join(str(error).split())})") from None
    if near:
        table.attrs["deviations"] = Notes([{"path": str(path), "reason": header.read_as}])
    return table


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a label table, or any other, as CSV; an old file stays whole until the new one is complete."""
    with replacing(path) as temporary:
        escaped(table).to_csv(temporary, index=False)
