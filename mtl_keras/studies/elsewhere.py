"""How runs do on rows of other sets than they were trained on, kept with each run: the figures outlive its model."""

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.files import replacing
from mtl_keras.state_files import read_json, read_or_none
from mtl_keras.studies import runs
from mtl_keras.studies.provenance import data_fingerprint
from mtl_keras.studies.rows import labelled_rows
from mtl_keras.studies.runs import ELSEWHERE, ROW_SCHEMA, Run
from mtl_keras.tasks import Task
from mtl_keras.training import model_folder

# {source: {column of `runs.csv`: figure}}, and which rows they are of.
SCHEMA = {"rows": str, "figures": {str: ROW_SCHEMA}}


def tested_elsewhere(run: Run, rows: pd.DataFrame, tasks: Iterable[Task]) -> dict[str, dict]:
    """Return {source: figures} of a run on the sources of these rows; its model is asked for what is not kept.

    `tasks` are those of the run, or more.
    """
    told = _fingerprint(run, rows, tasks)
    figures = _kept(run, told)
    if figures is None:
        model = model_folder.load(run.model)
        answers = predictions(model, labelled_rows(rows, model.tasks))
        figures = {
            source: metrics_with_intervals(members.reset_index(drop=True), model.tasks)
            for source, members in answers.groupby("source")
        }
        with replacing(run.folder / ELSEWHERE) as temporary:
            temporary.write_text(json.dumps({"rows": told, "figures": figures}, indent=2) + "\n", encoding="utf-8")
    return figures


def kept_figures(run: Run | None, rows: pd.DataFrame, tasks: Iterable[Task]) -> dict[str, dict] | None:
    """Return the {source: figures} that are kept of a run on just these rows; None where there are none."""
    return _kept(run, _fingerprint(run, rows, tasks)) if run else None


def _kept(run: Run, told: str) -> dict[str, dict] | None:
    """Return the figures that are kept of a run on the rows of this fingerprint."""
    noted = read_or_none(_read, run.folder / ELSEWHERE)
    return noted["figures"] if noted and noted["rows"] == told else None


def _read(path: Path) -> dict:
    return read_json(path, SCHEMA)


def _fingerprint(run: Run, rows: pd.DataFrame, tasks: Iterable[Task]) -> str:
    """Return what tells these rows apart from others, as far as the run's tasks go."""
    learned = [task for task in tasks if task.name in run.row["tasks"].split(", ")]
    part, columns = labelled_rows(rows, learned), [column for task in learned for column in task.columns]
    return runs.fingerprint(data_fingerprint(part.filter(["path", *columns])), *sorted(set(part["source"])))
