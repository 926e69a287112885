"""How much figures depend on the seed: further runs, and mean and standard deviation over all of them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pandas as pd

from mtl_keras.kinds import metric_of
from mtl_keras.studies.diverged import DivergedRun
from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.results import MISSING, heading
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import Study


def more_seeds(study: Study, several: Iterable[Experiment], seeds: int) -> Iterator[dict]:
    """Train each of the settings with further seeds, and give the rows of all seeds, under one name for all of them.

    The split stays that of the first seed. A run that diverges has a row without figures.
    """
    for settings in with_seeds(several, seeds):
        try:
            rows = [run.row for run in study.run(settings)]
        except DivergedRun as error:
            print(error)
            rows = [*(run.row for run in error.finished), error.row]
        yield from ({**row, "run": row["run"].removesuffix(f", {settings.variant}")} for row in rows)


def with_seeds(several: Iterable[Experiment], seeds: int) -> list[Experiment]:
    """Return each of the settings as it is, and with further seeds up to that many, which their variant names."""
    return [
        _with_seed(settings, settings.seed + more) if more else settings
        for settings in several
        for more in range(seeds)
    ]


def _with_seed(settings: Experiment, seed: int) -> Experiment:
    return replace(settings, seed=seed, variant=", ".join(filter(None, [settings.variant, f"seed {seed}"])))


def seed_statistics(rows: Iterable[dict], columns: list[str]) -> list[str]:
    """Return the lines of a Markdown table with mean ± standard deviation for each `run` that has several rows.

    `columns` are those of `runs.csv` that are shown. The standard deviation is that of a sample (divided by n - 1).
    """
    runs = pd.DataFrame(list(rows)).reindex(columns=["run", *columns])
    groups = [(name, run) for name, run in runs.groupby("run", sort=False) if len(run) > 1]
    if not groups:
        return []
    lines = [
        (name, len(run), *(_shown(metric_of(column).factor * run[column].astype(float)) for column in columns))
        for name, run in groups
    ]
    title = "Mean and standard deviation over runs with different seeds, on the same split:"
    return ["", title, "", *table_lines(("run", "seeds", *map(heading, columns)), lines)]


def _shown(values: pd.Series) -> str:
    return MISSING if values.isna().any() else f"{values.mean():.2f} ± {values.std():.2f}"
