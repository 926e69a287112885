"""What the columns of a CSV file of one's own are to learn: classes, a number, or, unless that is clear, nothing.

A column of few different texts is a task of classes, one of numbers or of intervals of numbers ("160-170", "70+") a
regression, and one of few different whole numbers a task of classes as well, since those are mostly codes or counts.
All else is left out, with the reason: names and other texts of which most differ, numbers of rows or people, dates, a
single value, hardly any cells, marks such as "n/a" where a cell should be empty, one word spelled in several ways,
several answers in one cell.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.columns import form
from mtl_keras.datasets.lists import quoted, read_columns
from mtl_keras.errors import UserError
from mtl_keras.intervals import end_columns, ends_of
from mtl_keras.tasks import CROP_COLUMNS, TABLE_COLUMNS, TASKS, Task

FEWEST_LABELS = 10
MOST_CLASSES, MOST_WHOLE_NUMBERS = 30, 10
# Fewer on average are too few to learn a class from, and to have it in every part of the split.
LABELS_A_CLASS = 5
# "none" and "unknown" may be answers.
NO_LABEL = {"nan", "na", "n/a", "#n/a", "null", "nil", "?", "-", "--", "."}
# Last words of the names of columns that number or name rows, files or people.
NUMBERING = {"id", "ids", "uid", "uuid", "guid", "idx", "index", "identity", "subject", "person", "row", "name", "file",
             "filename"}  # fmt: skip
DATE = re.compile(
    r"(?:(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2\d{2,4}|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01]))"
    r"(?:[ T]\d{1,2}:\d\d.*)?|\d{1,2}:\d\d(?::\d\d)?(?: ?[AaPp][Mm])?)"
)


def unknown_columns(files: Iterable[str | Path]) -> dict[str, pd.Series]:
    """Return the cells of each column of CSV files that no task names, as text (N,), "" where a cell is empty.

    One without a name, or that is there twice, is none of them.
    """
    found: dict[str, list[pd.Series]] = {}
    for file in files:
        columns = [column for task in TASKS.values() for column in (*task.columns, *end_columns(task))]
        unused = [*TABLE_COLUMNS, *CROP_COLUMNS]
        _, header = read_columns(file, ["path"], optional=columns, unused=unused)
        names = [name for name, count in Counter(header.unknown).items() if name.strip() and count == 1]
        cells, _ = read_columns(file, ["path", *names])
        for name in names:
            found.setdefault(name, []).append(cells[name])
    return {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}


def inferred(columns: dict[str, pd.Series]) -> tuple[dict[str, Task], dict[str, str]]:
    """Return the task of each column that is clear, by the column's name, and why each other one is left out."""
    tasks, left_out = {}, {}
    known = [name for task in TASKS.values() for name in (*task.columns, *end_columns(task))]
    for column, cells in columns.items():
        try:
            # One that is written as it should be stands beside it, or this one would have been read as it.
            if near := [name for name in known if form(name) == form(column)]:
                raise UserError(f"another column is called {near[0]!r}, which means the same; keep one of them")
            task = inferred_task(column, cells[cells != ""])
            if task.name in [other.name for other in tasks.values()]:
                raise UserError(f"another column is called {task.name} as well")
            tasks[column] = task
        except UserError as error:
            left_out[column] = str(error)
    return tasks, left_out


def inferred_task(column: str, cells: pd.Series) -> Task:
    """Return the task of a column with these filled cells (N,) of text; where that is not clear an error says why."""
    name = task_name(column)
    Task(name, "regression")  # refuses a name that is none
    if re.split(r"_|(?<=[a-z])(?=[A-Z])", name)[-1].casefold() in NUMBERING:
        mend = "a column `group` keeps the images of one person in one part of the split"
        raise UserError(f"by its name it tells rows, files or people apart; {mend}")
    different = cells.unique()
    _refuse_few(cells, different)
    _refuse_marks(cells, different)
    numbers = pd.to_numeric(cells, errors="coerce").astype(np.float64)
    if (wrong := ~np.isfinite(numbers)).any():
        ends = ends_of(cells)
        # 01-02 is a date or a code.
        intervals = (ends[0] < ends[1].fillna(np.inf)) & ~cells.str.contains(r"\b0\d")
        if intervals.all() and len(different) == len(cells):
            raise UserError(f"each of its cells is another interval, as codes such as {quoted(different[0])} are")
        if (intervals | ~wrong).all():
            # The middle of an interval, or the end that it has.
            return _regression(name, numbers.fillna(ends.mean(axis=1)))
        return _classes_of_texts(name, cells, different, wrong)
    if (numbers % 1 == 0).all() and not {*different} <= {form(n) for n in numbers for form in (_whole, str)}:
        # Codes such as 01, which are to be answered as they are written.
        return _classes_of_texts(name, cells, different, wrong)
    return _task_of_numbers(name, numbers)


def task_name(column: str) -> str:
    """Return what the task of a column is called: as the column, with underscores for blanks, dots and hyphens."""
    return re.sub(r"[\s_.\-]+", "_", column).strip("_")


def _whole(number: float) -> str:
    return str(int(number))


def described(task: Task, cells: pd.Series) -> str:
    """Return a line on an inferred task, and on how many of its cells (N,), one an image, are labels."""
    whole = task.classes and all(re.fullmatch(r"-?\d+", label) for label in task.classes)
    note = "; few different whole numbers count as classes" if whole and len(task.classes) > 2 else ""
    shown = ", ".join(task.classes[:8]) + (", ..." if len(task.classes) > 8 else "")
    what = f"{len(task.classes)} classes ({shown})" if task.classes else f"a number, about {task.center:g}"
    spread = "" if task.classes else f" with a standard deviation of {task.scale:g}"
    labels, intervals = int((cells != "").sum()), 0 if task.classes else int(ends_of(cells)[0].notna().sum())
    spread += f", {intervals:,} of the labels are intervals" if intervals else ""
    return f"{task.name}: {what}{spread}, {labels:,} of {len(cells):,} images labelled{note}"


def _refuse_few(cells: pd.Series, different: np.ndarray) -> None:
    if len(cells) < FEWEST_LABELS:
        raise UserError(f"only {len(cells)} of its cells are filled; expected at least {FEWEST_LABELS}")
    if len(different) == 1:
        raise UserError(f"all its {len(cells):,} cells are {quoted(different[0])}: there is nothing to tell apart")


def _refuse_marks(cells: pd.Series, different: np.ndarray) -> None:
    """Refuse cells that say that there is no label, and cells that are dates or times."""
    if marks := [text for text in different if text.casefold() in NO_LABEL]:
        raise UserError(f"it holds {quoted(marks[0])}; leave the cells of images without a label empty")
    if cells.str.fullmatch(DATE).all():
        raise UserError(f"it holds dates or times, such as {quoted(different[0])}")


def _classes_of_texts(name: str, cells: pd.Series, different: np.ndarray, wrong: pd.Series) -> Task:
    """Return the task of a column of texts (N,), of which those are `wrong` that are no numbers."""
    commas = cells.str.fullmatch(r"-?\d+,\d+")
    if commas.any() and commas[wrong].all():
        raise UserError(f"its numbers have a comma, such as {quoted(cells[wrong].iloc[0])}; write a point in its place")
    if 0 < wrong.mean() < 0.5:
        raise UserError(f"it holds numbers, but also {quoted(cells[wrong].iloc[0])}")
    forms: dict[str, str] = {}
    for text in different:
        other = forms.setdefault(text.casefold(), text)
        if other != text:
            raise UserError(f"it spells one word as {quoted(other)} and as {quoted(text)}; write it alike")
    if lists := [text for text in different if "," in text]:
        mend = "give each its own column, or, where it is one answer, define the task"
        raise UserError(f"its cell {quoted(lists[0])} seems to hold several answers; {mend}")
    if len(different) > MOST_CLASSES or len(cells) < LABELS_A_CLASS * len(different):
        most = f"at most {MOST_CLASSES}, each of {LABELS_A_CLASS} images on average"
        raise UserError(f"its {len(cells):,} cells hold {len(different):,} different texts; expected {most}")
    return Task(name, "categorical", classes=tuple(sorted(different)))


def _task_of_numbers(name: str, numbers: pd.Series) -> Task:
    """Return the task of a column of numbers (N,)."""
    different, whole = np.unique(numbers), bool((numbers % 1 == 0).all())
    if len(different) == 1:
        raise UserError(f"all its {len(numbers):,} cells are {different[0]:g}: there is nothing to tell apart")
    if whole and len(different) == len(numbers):
        raise UserError("each of its cells is another whole number, as numbers of rows are")
    if whole and len(different) <= MOST_WHOLE_NUMBERS and len(numbers) >= LABELS_A_CLASS * len(different):
        return Task(name, "categorical", classes=tuple(map(_whole, different)))
    return _regression(name, numbers)


def _regression(name: str, numbers: pd.Series) -> Task:
    """Return the task of a number, of which these (N,) are the labels or the middles of their intervals."""
    if numbers.nunique() == 1:
        raise UserError(f"all its {len(numbers):,} cells are about {numbers.iloc[0]:g}: there is nothing to tell apart")
    center, scale = (float(f"{value:.4g}") for value in (numbers.mean(), numbers.std()))
    return Task(name, "regression", center=center, scale=scale)
