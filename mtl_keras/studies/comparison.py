"""Multi-task against single-task: all the runs of a results table, and the table, figures and notes made from them."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
import tyro

from mtl_keras.data.split import split
from mtl_keras.data.table import encode
from mtl_keras.errors import UserError
from mtl_keras.evaluation.metrics import differences, figures
from mtl_keras.evaluation.predictions import answered, predictions
from mtl_keras.kinds import kind_of
from mtl_keras.studies import provenance, results
from mtl_keras.studies.costs import compare_costs, cost_lines
from mtl_keras.studies.cross_validation import CrossValidation, check_folds, cross_validate, fold_lines
from mtl_keras.studies.plots.folder import all_drawn, draw
from mtl_keras.studies.runs import Run
from mtl_keras.studies.seeds import spread
from mtl_keras.studies.settings import Experiment, check, name_of
from mtl_keras.studies.study import build, finish, labelled, opened, train, weights_of, with_balance
from mtl_keras.studies.test_time_augmentation import all_seen, described, seen_more_often
from mtl_keras.tasks import Task
from mtl_keras.training import model_folder

# How much of the averaged weights is from after fine-tuning: 0.75 was best of 0.5, 0.75 and 1 on the validation split.
TUNED_SHARE = 0.75
AVERAGED = "averaged weights"


@dataclass(frozen=True)
class Comparison:
    """What stands in a results table beside the multi-task runs."""

    # Train each task alone as well: not at all, on the frozen trunk only, or in both stages (twice the time a task).
    single_task: Literal["none", "frozen", "both"] = "frozen"
    # Train with each of the experiment's changed settings as well, to show what they are worth.
    variants: bool = True
    # Train this smaller backbone as well.
    small: str | None = None
    # Train the runs of all tasks and of each task alone with so many seeds, to show how much depends on chance.
    seeds: int = 1
    # Cross-validate one network of all tasks against one for each.
    cross_validation: tyro.conf.OmitArgPrefixes[CrossValidation] = field(default_factory=CrossValidation)

    def __post_init__(self):
        if self.seeds < 1:
            raise UserError(f"seeds {self.seeds}: expected at least 1")


class Results:
    """A results folder in the making: the table is written anew after each run, lest a finished run be lost."""

    def __init__(self, out: Path, tasks: list[Task], notes: list[str], how: CrossValidation):
        self.out, self.tasks, self.notes, self.how = out, tasks, notes, how
        self.runs: dict[str, Run] = {}
        self.seeds: list[dict] = []

    def write(self, rows: Iterable[dict] = ()) -> str:
        """Add rows to `runs.csv` and return the table's Markdown, which is written as well."""
        results.write_runs(list(rows), self.out)
        folds = self.out / "folds.csv"
        lines = [
            *spread(self.seeds, results.figure_columns(self.tasks)),
            *cost_lines(self.out),
            *(fold_lines(pd.read_csv(folds), self.how) if folds.exists() else []),
        ]
        return results.write_table(self.out, self.tasks, self.notes, lines)

    def add(self, runs: list[Run], elsewhere: pd.DataFrame | None = None, drawn: bool = True) -> list[Run]:
        """Add finished runs, and how their models do on the rows of another set, and return them."""
        self.runs |= {run.row["run"]: run for run in runs if drawn}
        self.write(run.row for run in runs)
        for run in runs if elsewhere is not None else []:
            model = model_folder.load(run.model)
            found = figures(predictions(model, elsewhere), model.tasks)
            name = f"{run.row['run']}, tested on {', '.join(sorted(set(elsewhere['source'])))}"
            self.write([{**described(run, name), **found}])
        return runs


def compare(
    experiment: Experiment,
    comparison: Comparison,
    tables: tuple[pd.DataFrame, pd.DataFrame | None],
    out: Path,
    resume: bool = False,
    reported: Iterable[dict] = (),
    variants: Mapping[str, dict] = MappingProxyType({}),
) -> str:
    """Train all runs, write the results folder `out`, and return its table as Markdown.

    `tables` are the rows to train and test on, and, or None, those of other sets to test on as well. `reported` are
    rows of figures that others have published for the same tasks. `variants` are {name: {setting: value}}: with each of
    these changes the heads are trained on the frozen trunk, or all where there is no such stage, to show what a setting
    is worth; one that asks for a task without labels is left out.
    """
    started, (table, elsewhere) = time.time(), tables
    check_data(experiment, comparison, table)
    parts = split(table, seed=experiment.seed)
    chosen = experiment.chosen_tasks()
    variants = usable(experiment, variants if comparison.variants else {}, parts[0])
    shown = {task.name: task for changed in (experiment, *variants) for task in changed.chosen_tasks()}
    report = Results(out, list(shown.values()), notes_on(experiment, parts), comparison.cross_validation)

    def trained(settings: Experiment, known: bool = resume, model: bool = False) -> list[Run]:
        return train(settings, parts, out, known, model)

    both = experiment.frozen_epochs and experiment.epochs
    final = replace(experiment, variant=AVERAGED) if both else experiment
    # What was measured and drawn before needs no model: on another machine there may be none.
    complete = resume and elsewhere is None and all_drawn(out) and all_seen(final, parts, out)
    multi = trained(experiment, model=not complete)
    # Only now: a first run that fails must not cost the table of an earlier call.
    for name in ("runs.csv", "differences.csv", "costs.csv", "folds.csv"):
        (out / name).unlink(missing_ok=True)
    report.write([majority(parts, report.tasks), *reported])
    report.add(multi, elsewhere)
    best = report.add([average(final, parts, out, resume, not complete)])[-1] if len(multi) > 1 else multi[-1]
    report.write(run.row for run in seen_more_often(final, best, parts, out, complete))
    singles = alone(experiment, comparison)
    for task, single in zip(chosen, singles, strict=False):
        results.write_differences(against(multi, report.add(trained(single)), task), out)
    if singles and singles[0].epochs == experiment.epochs:
        # Weights do not change what an answer costs.
        compare_costs(build(experiment), [build(single) for single in singles], out)
    for variant in variants:
        # Their curves would be too many to tell apart.
        report.add(trained(variant, model=elsewhere is not None), elsewhere, drawn=False)
    if comparison.seeds > 1:
        for row in again(experiment, singles, comparison.seeds, lambda s, known: trained(s, known or resume)):
            report.seeds.append(row)
            report.write()
    if comparison.small and comparison.small != experiment.backbone:
        report.add(trained(replace(experiment, backbone=comparison.small)))
    draw(report.runs, best, experiment, out)
    about = {
        "settings": experiment,
        "comparison": comparison,
        "data_fingerprint": provenance.data_fingerprint(table),
        "weights": weights_of(experiment),
        "images": {name: len(part) for name, part in zip(("train", "validation", "test"), parts, strict=True)},
        "audit": table.attrs.get("audit", {}),
    }

    def noted() -> str:
        provenance.write_run_json(out, {**about, "seconds": round(time.time() - started, 1)})
        return report.write()

    if comparison.cross_validation.folds:
        # Folds may take hours: what is there should be whole, even if they are broken off.
        noted()
        cross_validate(experiment, table, comparison.cross_validation, out, resume, noted)
    return noted()


def notes_on(experiment: Experiment, parts: tuple[pd.DataFrame, ...]) -> list[str]:
    """Return what a reader of the table must know of its rows."""
    tasks = experiment.chosen_tasks()
    used, all_rows = ([len(part) for part in rows] for rows in ([labelled(part, tasks) for part in parts], parts))
    more = "" if used == all_rows else " ({}, {} and {} with those of other tasks)".format(*all_rows)
    notes = [
        f"{used[0]} training, {used[1]} validation and {used[2]} test images{more}; "
        "all copies of one photo are in one part",
        f"seed {experiment.seed}; settings and versions in run.json; seconds of training, measuring and saving; "
        "images a second of training alone",
        "with mirror image: the mean answer over both; six views: over the image, zoomed in and out by a tenth, "
        "and the mirror image of each",
    ]
    if experiment.refit:
        notes.append("trained once more on training and validation images, for as many epochs as were best")
    if experiment.frozen_epochs:
        notes.append("frozen: heads trained on the features of the trunk as it was")
    if experiment.frozen_epochs and experiment.epochs:
        notes.append("averaged weights: a quarter of those before fine-tuning and three quarters of those after")
    return notes


def alone(experiment: Experiment, comparison: Comparison) -> list[Experiment]:
    """Return the settings of each task's own network, in the order of the tasks; none where there is no such run."""
    epochs = experiment.epochs if comparison.single_task == "both" else 0
    if len(experiment.tasks) < 2 or comparison.single_task == "none" or not (epochs or experiment.frozen_epochs):
        return []
    return [replace(experiment, tasks=(name,), loss_weights=(), epochs=epochs) for name in experiment.tasks]


def check_data(experiment: Experiment, comparison: Comparison, table: pd.DataFrame) -> None:
    """Refuse what cannot work with this table, before anything is trained."""
    check(experiment)
    if names := unlabelled(experiment, table):
        others = " ".join(name for name in experiment.tasks if name not in names) or "others"
        raise UserError(
            f"no image of {', '.join(sorted(set(table['source'])))} has a label of {', '.join(names)}; "
            f"add a set that has, or choose --tasks {others}"
        )
    with_balance(experiment, table)
    if comparison.cross_validation.folds:
        check_folds(experiment, table, comparison.cross_validation)


def unlabelled(experiment: Experiment, table: pd.DataFrame) -> list[str]:
    """Return the names of the experiment's tasks that no row has a label of."""
    return [task.name for task in experiment.chosen_tasks() if not encode(table, task)[1].any()]


def usable(experiment: Experiment, variants: Mapping[str, dict], train: pd.DataFrame) -> list[Experiment]:
    """Return the settings of the variants that differ from the experiment and whose tasks the training rows label."""
    found = []
    for name, changes in variants.items():
        changed = replace(experiment, **changes)
        if changed == experiment:
            continue
        if lacking := unlabelled(changed, train):
            print(f"left out: {name}, since no training image has a label of {lacking[0]}")
            continue
        try:
            with_balance(changed, train)
        except UserError as error:
            print(f"left out: {name}, since {error}")
            continue
        # Where there is a frozen stage, that is enough to see the difference, in a fraction of the time.
        epochs = 0 if experiment.frozen_epochs else changed.epochs
        found.append(replace(changed, variant=name, epochs=epochs))
    return found


def again(
    experiment: Experiment, singles: list[Experiment], seeds: int, trained: Callable[[Experiment, bool], list[Run]]
) -> Iterator[dict]:
    """Train multi-task and single-task runs with further seeds, and give the rows of all seeds, under one name each.

    `trained` takes settings, and whether their run is there already, as those of the first seed are. The split stays
    that of the first seed.
    """
    for settings in (experiment, *singles):
        for seed in range(experiment.seed, experiment.seed + seeds):
            first = seed == experiment.seed
            other = settings if first else replace(settings, seed=seed, variant=f"seed {seed}")
            for run in trained(other, first):
                yield {**run.row, "run": run.row["run"].removesuffix(f", seed {seed}")}


def average(averaged: Experiment, parts: tuple[pd.DataFrame, ...], out: Path, resume: bool, needed: bool) -> Run:
    """Measure the mean of the weights before and after fine-tuning, and keep it as a model of its own.

    Source: Wortsman et al., Robust fine-tuning of zero-shot models, 2022, https://arxiv.org/abs/2109.01903.
    """
    folder, known = opened(averaged, "fine-tuned", parts, out, resume, needed)
    if known:
        return known
    started = time.time()
    trained = replace(averaged, variant="")
    before, after = (model_folder.load(out / "models" / name_of(trained, stage)) for stage in ("frozen", "fine-tuned"))
    pairs = zip(before.get_weights(), after.get_weights(), strict=True)
    after.set_weights([(1 - TUNED_SHARE) * old + TUNED_SHARE * new for old, new in pairs])
    return finish(averaged, "fine-tuned", after, predictions(after, parts[2]), folder, started)


def against(multi: list[Run], alone: list[Run], task: Task) -> list[dict]:
    """Return the rows of differences.csv: multi-task minus single-task for each stage that both have."""
    shown = results.figure_columns([task])
    return [
        {"run": ours.row["run"], "baseline": theirs.row["run"], **row}
        for ours in multi
        for theirs in alone
        if ours.row["stage"] == theirs.row["stage"]
        for row in differences(ours.predictions, theirs.predictions, task)
        if row["metric"] in shown
    ]


def majority(parts: tuple[pd.DataFrame, ...], tasks: list[Task]) -> dict:
    """Return the row of the answer that ignores the image: the most frequent class, the median number."""
    outputs = {}
    for task in tasks:
        labels, mask = encode(parts[0], task)
        constant = kind_of(task).constant(labels[mask > 0])
        outputs[task.name] = np.tile(constant, (len(parts[2]), 1))
    found = figures(answered(parts[2], tasks, outputs), tasks)
    names = ", ".join(task.name for task in tasks)
    # Classes first, whatever the order of the tasks.
    kinds = sorted(map(kind_of, tasks), key=lambda kind: not kind.names)
    run = ", ".join(dict.fromkeys(kind.constant_answer for kind in kinds))
    return {"run": run, "tasks": names, "backbone": "", "stage": "baseline", **found}
