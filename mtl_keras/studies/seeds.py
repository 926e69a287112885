"""How much figures depend on the seed: mean and standard deviation over runs that differ in nothing else."""

from collections.abc import Iterable

import pandas as pd

from mtl_keras.kinds import metric_of
from mtl_keras.studies.results import MISSING, heading, table_line


def spread(rows: Iterable[dict], columns: list[str]) -> list[str]:
    """Return the lines of a Markdown table with mean ± standard deviation for each `run` that has several rows.

    `columns` are those of `runs.csv` that are shown. The standard deviation is that of a sample (divided by n - 1).
    """
    runs = pd.DataFrame(list(rows)).reindex(columns=["run", *columns])
    groups = [(name, run) for name, run in runs.groupby("run", sort=False) if len(run) > 1]
    if not groups:
        return []
    lines = ["", "Mean and standard deviation over runs with different seeds, on the same split:", ""]
    lines += [table_line("run", "seeds", *map(heading, columns)), "|---|---:|" + "---:|" * len(columns)]
    for name, run in groups:
        shown = (_shown(metric_of(column).factor * run[column].astype(float)) for column in columns)
        lines.append(table_line(name, len(run), *shown))
    return lines


def _shown(figures: pd.Series) -> str:
    return MISSING if figures.isna().any() else f"{figures.mean():.2f} ± {figures.std():.2f}"
