"""A model card: what a network is, what it is for and what not, what it learned from, and how often it is wrong.

The form is that of Mitchell et al., Model cards for model reporting, 2019 (arXiv:1810.03993).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mtl_keras.datasets.terms import TERMS
from mtl_keras.evaluation.groups import GROUPS, by_group
from mtl_keras.evaluation.metrics import RESAMPLES, metrics_with_intervals
from mtl_keras.kinds import kind_of, metric_of
from mtl_keras.studies import card_words as words
from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.results import MISSING, figure, heading, shown_columns
from mtl_keras.tasks import Task

DRAWN = "rendered"


@dataclass(frozen=True)
class Card:
    """What a card tells of a network in the form in which it is given to others.

    `about` is the sidecar of the exported network, and `run` the `run.json` of the results folder that it comes from.
    `trained` is {source: images}; `answers` are the rows of the test images with the answers of the exported network.
    `milliseconds` a face on `processor` are {"alone": ..., "batch": ...}, and `weights` say how its trunk began.
    `calibration` are rows as `calibration_rows` gives them of its outputs for these images, and `temperatures` {task:
    temperature} those by which it was calibrated. `teacher` names the network whose answers it was taught by, if any.
    """

    tasks: tuple[Task, ...]
    about: dict
    run: dict
    trained: dict[str, int]
    answers: pd.DataFrame
    megabytes: float
    milliseconds: dict[str, float]
    processor: str
    weights: str
    calibration: Sequence[dict] = ()
    temperatures: Mapping[str, float] = field(default_factory=dict)
    teacher: str = ""


def model_card(card: Card) -> str:
    """Return the card as Markdown."""
    names = [task.name.replace("_", " ") for task in card.tasks]
    sections = {
        "Model details": _details(card),
        "Intended use": words.USES,
        "Factors": words.FACTORS,
        "Training data": _training(card),
        "Evaluation data": _evaluation(card),
        "Metrics": words.METRICS,
        "Results on each set": _by_set(card),
        "Errors by group": _by_group(card),
        "Calibration": _calibration(card),
        "Ethical considerations": words.ETHICS,
        "Limits and advice": words.LIMITS,
    }
    start = [f"# Model card: {card.about['backbone']} for {', '.join(names)}"]
    if {*card.trained} <= {DRAWN}:
        start.append(words.DRAWN_ONLY.strip())
    return "\n\n".join([*start, *(f"## {name}\n\n{text.strip()}" for name, text in sections.items())]) + "\n"


# === Sections ===


def _details(card: Card) -> str:
    about, run, spent = card.about, card.run, card.milliseconds
    export, side = about["export"], about["image_size"]
    packages = {name: run.get("packages", {}).get(name) for name in ("mtl_keras", "keras", "tensorflow")}
    versions = ", ".join(f"{name} {version or MISSING}" for name, version in packages.items())
    compared = export["compared"]
    differs = "; ".join(_differs(name, found) for name, found in compared["tasks"].items())
    bound = any("research" in _terms(name) for name in card.trained)
    lines = [
        f"One network ({about['backbone']}) that sees a crop of {side} x {side} pixels and answers all of this in one",
        "pass. A face is found and aligned before, as `mtl.Predictor` and the commands do.",
        "",
        *table_lines(("task", "what is answered", "when"), [_task(task, about) for task in card.tasks], (0, 1, 2)),
        "",
        f"- Trained by `{run.get('command', MISSING)}` (commit {run.get('commit') or MISSING}; {versions}).",
        f"- Form: {export['format']} {export['precision']}, {card.megabytes:.1f} MB.",
        f"- Speed: {spent['alone']:.1f} ms a face, {spent['batch']:.1f} in batches of 32 ({card.processor}).",
        f"- Beside the trained network, on {compared['images']} test images: {differs}.",
        f"- Terms: the code is Apache-2.0. The network is made of data with the terms below{_only(bound)}.",
    ]
    return "\n".join(lines)


def _task(task: Task, about: dict) -> tuple[str, str, str]:
    what = task.classes or task.outputs or ("a number, and how sure it is",)
    unit = f" ({task.unit})" if task.unit and not task.classes else ""
    return task.name, ", ".join(what) + unit, "on request" if task.name in about["on_request"] else "always"


def _differs(name: str, found: dict) -> str:
    return f"{name} {found['changed']} other answers" if "changed" in found else f"{name} {found['mae']:.3g} apart"


def _only(bound: bool) -> str:
    return ": use it for non-commercial research only" if bound else ""


def _training(card: Card) -> str:
    rows = [(*_set(name), f"{count:,}", _terms(name)) for name, count in card.trained.items()]
    lines = table_lines(("set", "reader", "images", "terms"), rows, (0, 1, 3))
    if not card.weights.startswith("random"):
        begun = f"Its trunk began with weights that were trained on other data (sha256 {card.weights})"
        lines += ["", f"{begun}, which have terms of their own."]
    if card.teacher:
        taught = f"Where these images lack a label, another network answered in its place: `{card.teacher}`"
        lines += ["", f"{taught}. The data that this one learned from, also its trunk before, have terms of their own."]
    return "\n".join(lines)


def _evaluation(card: Card) -> str:
    rows = [(*_set(name), f"{count:,}") for name, count in card.answers["source"].value_counts().items()]
    return "\n".join([*table_lines(("set", "reader", "test images"), rows, (0, 1)), words.EVALUATED.rstrip()])


def _by_set(card: Card) -> str:
    rows = []
    for name, part in card.answers.groupby("source", sort=False):
        found = metrics_with_intervals(part, card.tasks, RESAMPLES)
        for column in shown_columns(card.tasks, found):
            # Of answers within intervals there is a number of their own.
            if count := found.get(f"{column}.n", found[f"{column.partition('.')[0]}.n"]):
                rows.append((_set(name)[0], heading(column), f"{count:,.0f}", _cell(found, column)))
    return "\n".join(table_lines(("set", "figure", "images", "value [95 % interval]"), rows, (0, 1)))


def _by_group(card: Card) -> str:
    keys = [key for key in GROUPS if len(by_group(card.answers, card.tasks, [key])) > 1]
    columns = [f"{task.name}.{kind_of(task).SCORE.name}" for task in card.tasks]
    tables = []
    for several in [*([key] for key in keys), *([keys[:2]] if len(keys) > 1 else [])]:
        found = by_group(card.answers, card.tasks, several, resamples=RESAMPLES)
        # Of some tasks no image with such a group has a label.
        shown = [column for column in columns if found[column].notna().any()]
        rows = [
            [*(row[key] for key in several), row["n"], *(_cell(row, column) for column in shown)]
            for row in found.to_dict("records")
        ]
        names = [key.replace("_", " ") for key in several]
        tables.append("\n".join(table_lines((*names, "images", *map(heading, shown)), rows, (*range(len(names)),))))
    return "\n\n".join([*tables, words.FEW] if tables else ["No test image is labelled with a group of people."])


def _calibration(card: Card) -> str:
    if not card.calibration:
        return words.UNCALIBRATED
    headings = ("task", "images", "ECE %", "NLL", "temperature", "within its 90 % interval, %", "width")
    columns = (("ece_before", 100), ("nll_before", 1), ("temperature", 1), ("coverage_90", 100), ("width_90", 1))
    rows = []
    for row in card.calibration:
        row = {**row, "temperature": card.temperatures.get(row["task"])}
        cells = [figure([row.get(column, np.nan)] * 3, factor)[0] for column, factor in columns]
        rows.append((row["task"], f"{row['images']:,}", *cells))
    return "\n".join([*table_lines(headings, rows), words.CALIBRATED.rstrip()])


# === Cells ===


def _set(source: str) -> tuple[str, str]:
    """Return a data set's name, and that of its reader."""
    return TERMS.get(source, (source, ""))[0], f"`{source}`"


def _terms(source: str) -> str:
    return TERMS.get(source, ("", "those of its owner"))[1]


def _cell(found: dict, column: str) -> str:
    """Return a figure with its interval as it is shown, a share in percent."""
    factor, value = metric_of(column).factor, found[column]
    if pd.isna(value):
        return MISSING
    low, high = (factor * found[f"{column}.{bound}"] for bound in ("low", "high"))
    return f"{factor * value:.2f} [{low:.2f}, {high:.2f}]"
