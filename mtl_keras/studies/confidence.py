"""How far answers can be relied on, in a results folder: calibration, and accuracy of the surest answers."""

from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.data.table import encode, write_table
from mtl_keras.evaluation.calibration import (
    BINS,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
    temperatures_of,
)
from mtl_keras.evaluation.predictions import outputs_of
from mtl_keras.evaluation.selective import area, selective_scores
from mtl_keras.kinds import kind_of, metric_of
from mtl_keras.state_files import read_csv
from mtl_keras.studies import plots
from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.results import MISSING
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import Study
from mtl_keras.studies.temperatures import kept_outputs, load_uncalibrated, temperatures_noted
from mtl_keras.tasks import Task

CALIBRATION, SELECTIVE = "calibration.csv", "selective.csv"
# In percent of all answers: how many are kept, of which `selective.csv` and `table.md` have the scores.
KEPT, SHOWN = range(5, 101, 5), (25, 50, 75, 100)


def report_confidence(study: Study, best: Run, experiment: Experiment) -> None:
    """Write `calibration.csv`, `selective.csv` and their figures on a run's test answers to the study's folder.

    Calibration needs the run's model, or outputs of it that are kept from an earlier call. A network that was trained
    on the validation rows as well has no temperature, since none are left that it has not seen.
    """
    tasks, refit = experiment.chosen_tasks(), experiment.refit and experiment.epochs
    _selective(best, tasks, study.out)
    _, validation, test = study.parts

    def computed(part: pd.DataFrame):
        return (lambda: outputs_of(load_uncalibrated(best.model, best.folder), part)) if best.model else None

    outputs = kept_outputs(best.folder, "test", test, tasks, computed(test))
    seen = {} if refit else kept_outputs(best.folder, "validation", validation, tasks, computed(validation))
    if outputs is None or seen is None:
        return
    noted = temperatures_noted(best.folder)
    temperatures = noted or (temperatures_of(tasks, validation, seen) if seen else {})
    rows, diagrams = [], {}
    for task in tasks:
        labels, mask = encode(test, task)
        if task.name not in outputs or not mask.any():
            continue
        row = {"task": task.name, "run": best.row["run"], "images": int(mask.sum())}
        labels, given = labels[mask > 0], outputs[task.name][mask > 0]
        if kind_of(task).names:
            found, diagrams[task] = _calibration(task, labels, given, temperatures.get(task.name))
            rows.append({**row, **found, "saved": "after" if task.name in noted else "before"})
        else:
            within = (given[:, 0] <= labels) & (labels <= given[:, 1])
            rows.append({**row, "coverage_90": within.mean(), "width_90": np.diff(given).mean()})
    if rows:
        write_table(pd.DataFrame(rows), study.out / CALIBRATION)
    plots.reliability_diagrams(diagrams, study.out / "calibration.png")


def _calibration(task: Task, labels: np.ndarray, outputs: np.ndarray, temperature: float | None) -> tuple:
    """Return the figures of a row of `calibration.csv`, and the bins of the reliability diagrams."""
    given = {"before": outputs}
    if temperature is not None:
        given["after"] = kind_of(task).tempered(outputs, temperature)
    bins = {name: reliability(task, labels, each) for name, each in given.items()}
    errors = {f"ece_{name}": expected_calibration_error(each) for name, each in bins.items()}
    losses = {f"nll_{name}": negative_log_likelihood(labels, each) for name, each in given.items()}
    return {"temperature": temperature, **errors, **losses}, bins


def _selective(best: Run, tasks: list[Task], out: Path) -> None:
    """Write `selective.csv` and draw its curves."""
    rows, curves = [], {}
    for task in tasks:
        scores = selective_scores(best.predictions, task)
        if scores is None:
            continue
        column = f"{task.name}.{kind_of(task).SCORE.name}"
        curves[column] = scores
        kept = {f"kept_{share}": scores[int(np.ceil(len(scores) * share / 100)) - 1] for share in KEPT}
        rows.append({"task": task.name, "run": best.row["run"], "figure": column, "images": len(scores)})
        rows[-1] |= {"area": area(scores), **kept}
    if rows:
        write_table(pd.DataFrame(rows), out / SELECTIVE)
    plots.selective_curves(curves, out / "selective.png")


def confidence_lines(out: Path) -> list[str]:
    """Return the lines of Markdown tables of both files in this folder; none of one that is not there."""
    lines = []
    if (out / CALIBRATION).exists():
        table = read_csv(out / CALIBRATION, ("task", "run"), texts=("saved",))
        columns = ("ece_before", "ece_after", "nll_before", "nll_after", "temperature", "coverage_90", "width_90")
        table = table.reindex(columns=[*table, *(column for column in columns if column not in table)])
        rows = []
        for row in table.to_dict("records"):
            factors = (100, 100, 1, 1, 1, 100, 1)
            cells = [_shown(row[column], factor) for column, factor in zip(columns, factors, strict=True)]
            rows.append((row["task"], *cells))
        fitted = "temperature fitted on the validation images, one a task"
        if table["temperature"].isna().all():
            fitted = "no temperature fitted, since no image was left that the network had not seen"
        elif (table.get("saved") == "after").any():
            fitted += "; the saved model gives the probabilities after it"
        else:
            fitted += "; the saved model gives the probabilities before it (--calibrate for those after)"
        lines += ["", f"How true probabilities are, {table['run'].iloc[0]}, test images ({fitted}):", ""]
        headings = ("ECE %", "ECE %, after", "NLL", "NLL, after", "temperature", "within its 90 % interval, %", "width")
        lines += [*table_lines(("task", *headings), rows), "", f"ECE: expected calibration error of {BINS} equal bins."]
    if (out / SELECTIVE).exists():
        table = read_csv(out / SELECTIVE, ("task", "run", "figure"), (*(f"kept_{share}" for share in SHOWN), "area"))
        rows = []
        for row in table.to_dict("records"):
            metric = metric_of(row["figure"])
            cells = [_shown(row[column], metric.factor) for column in (*(f"kept_{share}" for share in SHOWN), "area")]
            rows.append((f"{row['task']} {metric.heading}", *cells))
        headings = ["task", *(f"surest {share} %" for share in SHOWN[:-1]), "all", "area under the curve"]
        lines += ["", f"How right the surest answers are, {table['run'].iloc[0]}, test images:", ""]
        lines += table_lines(headings, rows)
    return lines


def _shown(value: float, factor: float) -> str:
    return MISSING if pd.isna(value) else f"{factor * value:.2f}"
