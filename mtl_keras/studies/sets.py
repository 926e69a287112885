"""Figures of a run on the test images of each data set, which one figure over all of them hides."""

from collections.abc import Iterable
from pathlib import Path

from mtl_keras.data.table import encode_intervals
from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.kinds import metric_of
from mtl_keras.state_files import read_csv
from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.results import SET_COLUMNS, SETS, figure, heading, shown_columns
from mtl_keras.studies.runs import Run
from mtl_keras.tasks import Task


def set_rows(run: Run, tasks: Iterable[Task]) -> list[dict]:
    """Return a row of `sets.csv` for each data set among a run's test images; none where there is only one set."""
    learned = run.row["tasks"].split(", ")
    by_set = run.predictions.groupby("source", sort=True)
    if len(by_set) < 2:
        return []
    rows = []
    for source, members in by_set:
        known = [task for task in tasks if task.name in learned and encode_intervals(members, task)[1].any()]
        found = metrics_with_intervals(members, known)
        rows.append({"run": run.row["run"], "source": source, "images": len(members), **found})
    return rows


def set_lines(folder: Path, tasks: list[Task]) -> list[str]:
    """Return the lines of a Markdown table of `sets.csv` in this folder, set by set; none without that file."""
    if not (folder / SETS).exists():
        return []
    table = read_csv(folder / SETS, SET_COLUMNS[:2], SET_COLUMNS[2:]).sort_values("source", kind="stable")
    columns = [column for column in shown_columns(tasks, table) if column in table and table[column].notna().any()]
    bounds = [f"{column}.{bound}" for column in columns for bound in ("low", "high")]
    rows = [
        [row["run"], row["source"], f"{row['images']:.0f}"]
        + ["".join(figure([row[c], row[f"{c}.low"], row[f"{c}.high"]], metric_of(c).factor)) for c in columns]
        for _, row in table.reindex(columns=dict.fromkeys([*table, *bounds])).iterrows()
    ]
    title = "The same figures on the test images of each data set:"
    return ["", title, "", *table_lines(["run", "set", "images", *map(heading, columns)], rows, text=(0, 1))]
