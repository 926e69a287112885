"""How far answers can be relied on, in a results folder: calibration, and accuracy of the surest answers."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

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
from mtl_keras.studies.temperatures import kept_outputs, temperatures_noted, uncalibrated
from mtl_keras.tasks import Task
from mtl_keras.training import model_folder

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

    def computed(part: pd.DataFrame, outputs: dict | None = None) -> Callable[[], dict] | None:
        def compute() -> dict:
            answered = outputs or outputs_of(model_folder.load(best.model), part)
            return uncalibrated(tasks, answered, best.folder)

        return compute if outputs or best.model else None

    outputs = kept_outputs(best.folder, "test", test, tasks, computed(test, best.outputs))
    seen = {} if refit else kept_outputs(best.folder, "validation", validation, tasks, computed(validation))
    if outputs is None or seen is None:
        return
    noted = temperatures_noted(best.folder)
    temperatures = noted or (temperatures_of(tasks, validation, seen) if seen else {})
    rows, diagrams = calibration_rows(tasks, test, outputs, temperatures)
    if rows:
        table = pd.DataFrame(rows)
        table.insert(1, "run", best.row["run"])
        # Which of both the saved model gives.
        table["saved"] = table["task"].map(
            {task.name: "after" if task.name in noted else "before" for task in diagrams}
        )
        write_table(table, study.out / CALIBRATION)
    plots.reliability_diagrams(diagrams, study.out / "calibration.png")


def calibration_rows(
    tasks: Iterable[Task],
    table: pd.DataFrame,
    outputs: Mapping[str, np.ndarray],
    temperatures: Mapping[str, float] = MappingProxyType({}),
) -> tuple[list[dict], dict[Task, dict[str, pd.DataFrame]]]:
    """Return the figures of each task that rows label, and for diagrams {task: {"before" or "after": bins}}.

    `outputs` are what `told` gives; those of classes are measured before and, with one, after a temperature.
    """
    rows, diagrams = [], {}
    for task in tasks:
        labels, mask = encode(table, task)
        if task.name not in outputs or not mask.any():
            continue
        row = {"task": task.name, "images": int(mask.sum())}
        labels, given = labels[mask > 0], {"before": outputs[task.name][mask > 0]}
        if not kind_of(task).names:
            low, high = given["before"].T
            within = (low <= labels) & (labels <= high)
            rows.append({**row, "coverage_90": within.mean(), "width_90": (high - low).mean()})
            continue
        temperature = temperatures.get(task.name)
        if temperature is not None:
            given["after"] = kind_of(task).tempered(given["before"], temperature)
        diagrams[task] = {name: reliability(task, labels, each) for name, each in given.items()}
        errors = {f"ece_{name}": expected_calibration_error(each) for name, each in diagrams[task].items()}
        losses = {f"nll_{name}": negative_log_likelihood(labels, each) for name, each in given.items()}
        rows.append({**row, "temperature": temperature, **errors, **losses})
    return rows, diagrams


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
        title = f"How true probabilities are, {table['run'].iloc[0]}, test images{_fitted(table)}:"
        lines += ["", title, ""]
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


def _fitted(table: pd.DataFrame) -> str:
    """Return what the title of the table says of temperatures, which only tasks of classes have."""
    if table["ece_before"].isna().all():
        return ""
    fitted = "temperature fitted on the validation images, one a task"
    if table["temperature"].isna().all():
        fitted = "no temperature fitted, since no image was left that the network had not seen"
    elif (table["saved"] == "after").any():
        fitted += "; the saved model gives the probabilities after it"
    else:
        fitted += "; the saved model gives the probabilities before it (--calibrate for those after)"
    return f" ({fitted})"


def _shown(value: float, factor: float) -> str:
    return MISSING if pd.isna(value) else f"{factor * value:.2f}"
