"""Figures of runs on disk: `runs.csv`, the Markdown table made from it, and `run.json` on how they came about."""

import re
from collections.abc import Container, Iterable
from pathlib import Path

import pandas as pd

from mtl_keras.errors import UserError
from mtl_keras.files import replacing, write_rows
from mtl_keras.kinds import kind_of, metric_of
from mtl_keras.kinds.kind import WITHIN_INTERVAL
from mtl_keras.state_files import read_csv
from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.stages import Group, Stage, group_of
from mtl_keras.tasks import Task

RUN_COLUMNS = (
    "run", "tasks", "backbone", "stage", "seed", "seconds", "images_per_second", "device", "parameters", "megabytes",
)  # fmt: skip
DIFFERENCE_COLUMNS = ("run", "baseline", "metric", "difference", "low", "high")
SETS, SET_COLUMNS = "sets.csv", ("run", "source", "images")
MISSING = "–"


def _merge(rows: list[dict], path: Path, keys: tuple[str, ...], first: tuple[str, ...]) -> Path:
    """Add rows to a CSV file; one with the keys of an old one takes its place, and old cells stay to the digit."""
    old = read_csv(path, keys, as_text=True).to_dict("records") if path.exists() else []
    merged = {tuple(row[key] for key in keys): row for row in old}
    for row in rows:
        cells = {column: _text(value) for column, value in row.items()}
        merged[tuple(cells[key] for key in keys)] = cells
    used = {column for row in merged.values() for column, cell in row.items() if cell}
    # Plain columns, then figures by task and metric, each before its lower and upper bound.
    columns = [*first, *sorted(used.difference(first), key=lambda name: ("." in name, name.replace(".low", ".")))]
    write_rows([{column: row.get(column, "") for column in columns} for row in merged.values()], columns, path)
    return path


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return "" if pd.isna(value) else str(value)


def write_runs(rows: list[dict], folder: Path | str) -> Path:
    """Add rows to `runs.csv` in this folder and return its path; a row takes the place of an earlier one of that `run`.

    Cells of other runs stay as they are. Accuracies are fractions between 0 and 1; missing figures are None or NaN.
    """
    for row in rows:
        for column, value in row.items():
            if re.search(r"\.accuracy(\.low|\.high)?$", column) and _text(value) and not 0 <= float(value) <= 1:
                raise UserError(f"run {row['run']!r}: {column} is {value}; expected a fraction: divide percents by 100")
    return _merge(rows, Path(folder) / "runs.csv", ("run",), RUN_COLUMNS)


def read_runs(folder: Path | str) -> pd.DataFrame:
    """Read `runs.csv` of this folder: one row a run; an empty cell is NaN."""
    return read_csv(Path(folder) / "runs.csv", RUN_COLUMNS[:4], texts=("device", "method"))


def write_differences(rows: list[dict], folder: Path | str) -> Path:
    """Add rows to `differences.csv` in this folder and return its path: `run` minus `baseline`, for one `metric` each.

    `metric` is a column of `runs.csv`, and `difference` is in its unit, as are the bounds `low` and `high` (95 %).
    """
    return _merge(rows, Path(folder) / "differences.csv", DIFFERENCE_COLUMNS[:3], DIFFERENCE_COLUMNS)


def write_sets(rows: list[dict], folder: Path | str) -> Path:
    """Add rows to `sets.csv` in this folder and return its path: figures of a `run` on the `images` of one `source`."""
    return _merge(rows, Path(folder) / SETS, SET_COLUMNS[:2], SET_COLUMNS)


# === The table ===


def figure_columns(tasks: Iterable[Task]) -> list[str]:
    """Columns of `runs.csv` that are shown of these tasks, as their kinds say."""
    return [f"{task.name}.{metric.name}" for task in tasks for metric in kind_of(task).shown]


def shown_columns(tasks: Iterable[Task], known: Container[str]) -> list[str]:
    """Return the columns of figures that are shown, and those of answers within intervals that are `known`."""
    columns = []
    for task in tasks:
        within = f"{task.name}.{WITHIN_INTERVAL.name}"
        columns += [*figure_columns([task]), *([within] if within in known else [])]
    return columns


def heading(column: str) -> str:
    """Heading of a column of figures: "age RMSE" for "age.rmse", "gender %" for "gender.accuracy"."""
    return f"{column.rpartition('.')[0].replace('_', ' ')} {metric_of(column).heading}"


def write_markdown(folder: Path | str, tasks: list[Task], notes: Iterable[str] = (), more: Iterable[str] = ()) -> str:
    """Write `table.md` from `runs.csv` and, if there, `differences.csv` of this folder; return its Markdown text.

    The first table has a row a run. The best figure of a column is bold; figures reported elsewhere do not compete.
    `more` are lines that come before the `notes`.
    """
    runs = read_runs(folder)
    columns = shown_columns(tasks, runs)
    bounds = [f"{column}.{bound}" for column in columns for bound in ("low", "high")]
    runs = runs.reindex(columns=dict.fromkeys([*runs, *RUN_COLUMNS, *columns, *bounds]))
    own = runs[runs["stage"] != Stage.REPORTED].agg(
        {c: "min" if metric_of(c).lower_is_better else "max" for c in columns}
    )
    # The best is compared as it is shown: of two figures that read the same, both are bold.
    best = {column: figure([own[column]] * 3, metric_of(column).factor)[0] for column in columns}
    headings = ["run", "tasks", *map(heading, columns), "parameters (millions)", "size (MB)", "seconds", "images/s"]
    rows, groups = [], pd.Categorical([group_of(run) for _, run in runs.iterrows()], list(Group))
    for group, members in runs.groupby(groups, observed=True):
        rows.append([f"*{group}*", *[""] * (len(headings) - 1)])
        rows += [_run_cells(run, best) for _, run in members.iterrows()]
    lines = table_lines(headings, rows, text=(0, 1))
    units = [f"{task.name.replace('_', ' ')} in {task.unit}; " for task in tasks if task.unit and not task.classes]
    units += [f"[95 % bootstrap interval]; **best of its column**, reported figures aside; {MISSING}: not measured."]
    if devices := sorted(set(runs["device"].dropna()), key=str.casefold):
        units.append(f" Seconds and images/s: on {' or '.join(devices)}.")
    lines += ["", "".join(units)]
    if (path := Path(folder) / "differences.csv").exists():
        lines += ["", "Paired differences on the same images, multi-task minus single-task [95 % interval]:", ""]
        differences = read_csv(path, DIFFERENCE_COLUMNS[:3], DIFFERENCE_COLUMNS[3:]).dropna(subset=["metric"])
        found = [_difference_cells(row) for _, row in differences.iterrows()]
        lines += table_lines(("run", "against", "figure", "difference", "multi-task is"), found, text=(0, 1, 2, 4))
    lines += [*more, ""] + [f"- {' '.join(note.split())}" for note in notes]
    text = "\n".join(lines).rstrip() + "\n"
    with replacing(Path(folder) / "table.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return text


def figure(numbers: Iterable[float], factor: float = 1, form: str = ",.2f") -> tuple[str, str]:
    """Return a figure and its interval as they are shown, from the figure and its lower and upper bound."""
    value, low, high = (MISSING if pd.isna(number) else format(factor * number, form) for number in numbers)
    return value, "" if MISSING in (value, low, high) else f" [{low}, {high}]"


def _run_cells(run: pd.Series, best: dict[str, str]) -> list[str]:
    diverged = " (diverged)" if run["stage"] == Stage.DIVERGED else ""
    cells = [run["run"] + diverged, _text(run["tasks"]) or MISSING]
    for column, best_value in best.items():
        value, interval = figure(run[[column, f"{column}.low", f"{column}.high"]], metric_of(column).factor)
        bold = value == best_value != MISSING and run["stage"] != Stage.REPORTED
        cells.append((f"**{value}**" if bold else value) + interval)
    costs = (
        ("parameters", 1e-6, ",.2f"),
        ("megabytes", 1, ",.1f"),
        ("seconds", 1, ",.0f"),
        ("images_per_second", 1, ",.0f"),
    )
    return [*cells, *[figure([run[column]] * 3, factor, form)[0] for column, factor, form in costs]]


def _difference_cells(row: pd.Series) -> list[str]:
    metric = metric_of(row["metric"])
    value, interval = figure(row[["difference", "low", "high"]], metric.factor, "+.2f")
    verdict = "neither, clearly" if interval else MISSING
    if row["low"] > 0 or row["high"] < 0:
        verdict = "better" if (row["high"] < 0) == metric.lower_is_better else "worse"
    return [row["run"], row["baseline"], heading(row["metric"]), value + interval, verdict]
