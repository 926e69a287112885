"""Answers that are means over several looks at each image, kept as runs of their own: they outlive the model."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from mtl_keras.evaluation.metrics import figures
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.studies import results
from mtl_keras.studies.runs import Run, write_run
from mtl_keras.studies.settings import Experiment, label_of, whole_stage
from mtl_keras.studies.study import labelled, opened
from mtl_keras.training import model_folder

# What they are called in tables.
NAMES = {"mirror": "with mirror image", "six": "six views"}


def seen_more_often(
    experiment: Experiment, best: Run, parts: tuple[pd.DataFrame, ...], out: Path, resume: bool
) -> list[Run]:
    """Return the runs of a trained network's answers over each kind of views; its model is asked for what is new."""
    found, model = [], None
    for views, (settings, folder, known) in _opened(experiment, parts, out, resume).items():
        if not known:
            model = model or model_folder.load(best.model)
            answers = predictions(model, parts[2], views=views)
            row = {**described(best, label_of(settings, _stage(experiment))), **figures(answers, model.tasks)}
            known = write_run(folder, row, labelled(answers, model.tasks))
        found.append(known)
    return found


def all_seen(experiment: Experiment, parts: tuple[pd.DataFrame, ...], out: Path) -> bool:
    """Return whether all kinds of views were measured before, with the same settings and data."""
    return all(known for _, _, known in _opened(experiment, parts, out, True).values())


def described(run: Run, name: str) -> dict:
    """Return what a row of another measurement of a run's model says of it, without figures and training times."""
    untimed = {"run": name, "seconds": None, "images_per_second": None}
    return {column: run.row.get(column) for column in results.RUN_COLUMNS} | untimed


def _opened(experiment: Experiment, parts: tuple[pd.DataFrame, ...], out: Path, resume: bool) -> dict:
    """Return {views: (settings, folder, finished run or None)} of a trained network."""
    found = {}
    for views, name in NAMES.items():
        settings = replace(experiment, variant=", ".join(filter(None, [experiment.variant, name])))
        found[views] = (settings, *opened(settings, _stage(experiment), parts, out, resume, needed=False))
    return found


def _stage(experiment: Experiment) -> str:
    return whole_stage(experiment) if experiment.epochs else "frozen"
