"""Multi-task against single-task: all the runs of a results table, and the table, figures and notes made from them."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd

from mtl_keras import export, plots, results
from mtl_keras.checkpoints import Run
from mtl_keras.data.derive import derived
from mtl_keras.data.images import read_image
from mtl_keras.data.table import encode, replacing, split
from mtl_keras.datasets.rendered import rendered, write_utkface
from mtl_keras.evaluate import answered, by_group, differences, figures, predictions
from mtl_keras.experiment import finish, opened, train, weights_of
from mtl_keras.settings import Experiment, check, name_of
from mtl_keras.spread import spread
from mtl_keras.tasks import Task

GRID = 12
# How much of the averaged weights is from after fine-tuning: 0.75 was best of 0.5, 0.75 and 1 on the validation split.
TUNED_SHARE = 0.75


@dataclass(frozen=True)
class Comparison:
    """What stands in a results table beside the multi-task runs."""

    # Train each task alone as well: not at all, on the frozen trunk only, or in both stages (twice the time a task).
    single_task: Literal["none", "frozen", "both"] = "frozen"
    # Train this smaller backbone as well.
    small: str | None = None
    # Train the runs of all tasks and of each task alone with so many seeds, to show how much depends on chance.
    seeds: int = 1


def compare(
    experiment: Experiment,
    comparison: Comparison,
    table: pd.DataFrame,
    out: Path,
    resume: bool = False,
    reported: Iterable[dict] = (),
    variants: Mapping[str, dict] = MappingProxyType({}),
) -> str:
    """Train all runs, write the results folder `out`, and return its table as Markdown.

    `reported` are rows of figures that others have published for the same tasks. `variants` are {name: {setting:
    value}}: with each of these changes the heads are trained on the frozen trunk, or all where there is no such stage,
    to show what a setting is worth.
    The table is written anew after each run, so that a run that is broken off leaves all that was finished.
    """
    check(experiment)
    started = time.time()
    parts = split(table, seed=experiment.seed)
    chosen = experiment.chosen_tasks()
    notes = [
        f"{len(parts[0])} training, {len(parts[1])} validation and {len(parts[2])} test images; "
        "all copies of one photo are in one part",
        f"seed {experiment.seed}; settings and versions in run.json; seconds of training, measuring and saving",
        "with mirror image: the mean answer over both; six views: over the image, zoomed in and out by a tenth, "
        "and the mirror image of each",
    ]
    if experiment.frozen_epochs:
        notes.append("frozen: heads trained on the features of the trunk as it was")
    if experiment.frozen_epochs and experiment.epochs:
        notes.append("averaged weights: a quarter of those before fine-tuning and three quarters of those after")

    def write(rows: list[dict]) -> str:
        results.write_runs(rows, out)
        return results.write_table(out, chosen, notes, spread(seeds, results.figure_columns(chosen)))

    runs: dict[str, Run] = {}
    seeds: list[dict] = []

    def add(settings: Experiment) -> list[Run]:
        return note(train(settings, parts, out, resume))

    def note(finished: list[Run]) -> list[Run]:
        runs.update({run.row["run"]: run for run in finished})
        write([run.row for run in finished])
        return finished

    multi = train(experiment, parts, out, resume)
    # Only now: a first run that fails must not cost the table of an earlier call.
    for name in ("runs.csv", "differences.csv"):
        (out / name).unlink(missing_ok=True)
    write([majority(parts, chosen), *reported])
    note(multi)
    best = note([average(experiment, parts, out, resume)])[-1] if len(multi) > 1 else multi[-1]
    model = export.load(best.model)
    for views, name in (("mirror", "with mirror image"), ("six", "six views")):
        found = figures(predictions(model, parts[2], views=views), chosen)
        write([{**best.row, "run": f"{best.row['run']}, {name}", "seconds": None, **found}])
    epochs = experiment.epochs if comparison.single_task == "both" else 0
    singles = []
    if len(chosen) > 1 and comparison.single_task != "none" and (epochs or experiment.frozen_epochs):
        singles = [replace(experiment, tasks=(task.name,), loss_weights=(), epochs=epochs) for task in chosen]
    for task, single in zip(chosen, singles, strict=False):
        results.write_differences(against(multi, add(single), task), out)
    for variant, changes in variants.items():
        changed = replace(experiment, **changes)
        if changed != experiment:
            # Where there is a frozen stage, that is enough to see the difference, in a fraction of the time.
            changed = replace(changed, variant=variant, epochs=0 if experiment.frozen_epochs else changed.epochs)
            write([run.row for run in train(changed, parts, out, resume)])
    if comparison.seeds > 1:

        def trained(settings: Experiment, known: bool) -> list[Run]:
            return train(settings, parts, out, known or resume)

        seeds += again(experiment, singles, comparison.seeds, trained)
    if comparison.small and comparison.small != experiment.backbone:
        add(replace(experiment, backbone=comparison.small))
    text = write([])
    draw(runs, best, chosen, out)
    about = {
        "settings": experiment,
        "comparison": comparison.single_task,
        "data_fingerprint": results.data_fingerprint(table),
        "weights": weights_of(experiment),
        "images": {name: len(part) for name, part in zip(("train", "validation", "test"), parts, strict=True)},
        "audit": table.attrs.get("audit", {}),
        "seconds": round(time.time() - started, 1),
    }
    results.write_run_json(out, about)
    return text


def again(
    experiment: Experiment, singles: list[Experiment], seeds: int, trained: Callable[[Experiment, bool], list[Run]]
) -> list[dict]:
    """Train multi-task and single-task runs with further seeds, and return the rows of all seeds, under one name each.

    `trained` takes settings, and whether their run is there already, as those of the first seed are. The split stays
    that of the first seed.
    """
    rows = []
    for settings in (experiment, *singles):
        for seed in range(experiment.seed, experiment.seed + seeds):
            first = seed == experiment.seed
            other = settings if first else replace(settings, seed=seed, variant=f"seed {seed}")
            rows += [{**run.row, "run": run.row["run"].removesuffix(f", seed {seed}")} for run in trained(other, first)]
    return rows


def average(experiment: Experiment, parts: tuple[pd.DataFrame, ...], out: Path, resume: bool) -> Run:
    """Measure the mean of the weights before and after fine-tuning, and keep it as a model of its own.

    Source: Wortsman et al., Robust fine-tuning of zero-shot models, 2022, https://arxiv.org/abs/2109.01903.
    """
    averaged = replace(experiment, variant="averaged weights")
    folder, known = opened(averaged, "fine-tuned", parts, out, resume)
    if known:
        return known
    started = time.time()
    before, after = (export.load(out / "models" / name_of(experiment, stage)) for stage in ("frozen", "fine-tuned"))
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
        labels = labels[mask > 0]
        if task.kind == "regression":
            constant = np.median(labels, axis=0).reshape(-1)
        elif task.kind == "expectation":
            # All the probability in the bin of the median, whose expected value is the median itself.
            constant = np.eye(task.size)[np.argmin(np.abs(np.asarray(task.values) - np.median(labels)))]
        else:
            constant = np.eye(task.size)[np.bincount(labels).argmax()]
        outputs[task.name] = np.tile(constant, (len(parts[2]), 1))
    found = figures(answered(parts[2], tasks, outputs), tasks)
    names = ", ".join(task.name for task in tasks)
    return {"run": "most frequent class, median age", "tasks": names, "backbone": "", "stage": "baseline", **found}


def draw(runs: dict[str, Run], best: Run, tasks: list[Task], out: Path) -> None:
    """Draw the figures of a results folder; faces are only ever drawn from rendered ones."""
    # Only runs of all tasks: a loss of fewer tasks is another quantity, and a dozen curves are too many to tell apart.
    whole = {name: run.history for name, run in runs.items() if run.row["tasks"] == best.row["tasks"]}
    plots.learning_curves(dict(list(whole.items())[: len(plots.COLORS)]), out / "learning_curves.png")
    plots.compare_runs(results.read_runs(out), out / "runs.png")
    if "age" in {task.name for task in tasks}:
        plots.age_scatter(best.predictions, out / "age.png")
    classified = [task for task in tasks if task.kind == "categorical"]
    if classified:
        plots.confusion_matrices(best.predictions, classified, out / "confusion.png")
    groups = by_group(best.predictions, tasks)
    with replacing(out / "fairness.csv") as temporary:
        groups.to_csv(temporary, index=False)
    plots.fairness(groups, out / "fairness.png")
    # Other faces than any that a default run trains on: another seed.
    faces = derived(rendered(write_utkface(out / "data" / f"rendered-{GRID}-seed-1000", GRID, seed=1000)), tasks)
    answers = predictions(export.load(best.model), faces)
    plots.face_grid(
        [read_image(path) for path in faces["path"]], plots.face_captions(answers, tasks), out / "faces.png"
    )
