"""Repeated cross-validation of one network of several tasks against one network for each task."""

import gc
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import keras
import numpy as np
import pandas as pd
from scipy import stats
from tqdm import tqdm

from mtl_keras.data.folds import folds
from mtl_keras.data.split import split
from mtl_keras.data.table import encode, write_table
from mtl_keras.errors import UserError
from mtl_keras.files import remove
from mtl_keras.kinds import kind_of
from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.plan import CrossValidation
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment, with_tasks
from mtl_keras.studies.study import Study

# Of each row of folds.csv: means over the measured tasks, at the epoch of the lowest validation loss.
FIGURES = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")
# The columns of texts and of numbers that it has at least.
FOLD_COLUMNS = ("networks",), ("repeat", "fold", *FIGURES, "parameters", "seconds")
ONE, SEVERAL = "one network of all tasks", "one network a task"


def check_accuracies(experiment: Experiment) -> None:
    """Refuse a cross-validation of tasks without classes."""
    numbers = [task.name for task in experiment.chosen_tasks() if not kind_of(task).names]
    if numbers:
        raise UserError(f"cross-validation compares accuracies; task {numbers[0]!r} has none: choose tasks of classes")


def check_folds(experiment: Experiment, table: pd.DataFrame, how: CrossValidation) -> None:
    """Refuse a cross-validation that cannot work with this table, before anything is trained."""
    check_accuracies(experiment)
    next(folds(table, how.folds, experiment.seed, source=how.fold_source))
    measured, asked = measured_tasks(experiment, table, how), ", ".join(experiment.tasks)
    if not measured:
        raise UserError(f"folds of source {how.fold_source!r}: it labels none of {asked}; choose another")
    if how.stop_on_fold and len(measured) < len(experiment.tasks):
        raise UserError(
            f"training cannot stop on a fold that labels only {', '.join(measured)} of {asked}; "
            "stop by other rows (--no-stop-on-fold) or choose those --tasks"
        )


def cross_validate(
    study: Study,
    experiment: Experiment,
    table: pd.DataFrame,
    how: CrossValidation,
    after_fold: Callable[[], object] = lambda: None,
) -> None:
    """Train on each fold's other rows, all tasks together and each alone, and write the study's `folds.csv`.

    A row has the repeat, the fold, the networks, figures that are means over the tasks that the dealt rows label, and
    each such task's accuracy on the fold. One fold is trained after another, nothing of it stays in memory, and a
    resumed study takes the finished ones as they are. Only tasks of classes are cross-validated. `after_fold` is
    called whenever `folds.csv` has grown.
    """
    check_folds(experiment, table, how)
    tasks = experiment.chosen_tasks()
    measured = measured_tasks(experiment, table, how)
    stratify = tuple(task.name for task in tasks if task.name in table)
    rows, total = [], how.repeats * how.folds
    with tqdm(total=total, desc="cross-validation", unit="fold", disable=total < 2) as bar:
        for repeat in range(how.repeats):
            seed = experiment.seed + repeat
            for fold, (rest, held) in enumerate(folds(table, how.folds, seed, stratify, how.fold_source)):
                parts = (rest, held, held) if how.stop_on_fold else (*split(rest, (0.9, 0.1, 0.0), seed)[:2], held)
                place = {"repeat": repeat + 1, "fold": fold + 1}
                for networks, members in networks_of_fold(experiment, measured, how, repeat, fold).items():
                    runs = [of_one_fold(study.on(parts), member) for member in members]
                    if runs:
                        rows.append({**place, "networks": networks, "images": len(held), **summed(runs, measured)})
                write_table(pd.DataFrame(rows), study.out / "folds.csv")
                after_fold()
                bar.update()


def networks_of_fold(
    experiment: Experiment, measured: list[str], how: CrossValidation, repeat: int, fold: int
) -> dict[str, list[Experiment]]:
    """Return the settings of the networks that are trained on a fold's other rows."""
    singles = [with_tasks(experiment, (name,)) for name in measured] if len(experiment.tasks) > 1 else []
    # Fitted to the validation rows, it must not be measured on them; and no probability is measured.
    refit, variant = experiment.refit and not how.stop_on_fold, f"repeat {repeat + 1} fold {fold + 1}"
    changes = {"seed": experiment.seed + repeat, "variant": variant, "refit": refit, "calibrate": False}
    return {
        networks: [replace(each, **changes) for each in members]
        for networks, members in ((ONE, [experiment]), (SEVERAL, singles))
    }


def plan_folds(study: Study, experiment: Experiment, table: pd.DataFrame, how: CrossValidation) -> None:
    """Count the runs of all folds among those whose progress the study tells."""
    measured = measured_tasks(experiment, table, how)
    # Of all rows, of which the study's own training rows are a part.
    share = (1 - 1 / how.folds) * (1 if how.stop_on_fold else 0.9) * len(table) / len(study.parts[0])
    for repeat, fold in product(range(how.repeats), range(how.folds)):
        for members in networks_of_fold(experiment, measured, how, repeat, fold).values():
            study.plan(members, share)


def measured_tasks(experiment: Experiment, table: pd.DataFrame, how: CrossValidation) -> list[str]:
    """Return the names of the tasks that the rows which are dealt to folds have labels of."""
    dealt = table[table["source"] == how.fold_source] if how.fold_source else table
    return [task.name for task in experiment.chosen_tasks() if encode(dealt, task)[1].any()]


def of_one_fold(study: Study, settings: Experiment) -> Run:
    """Train one network on one fold; of all that is kept only what the table needs, not the model."""
    run = study.run(settings)[-1]
    if run.model:
        remove(run.model)
    # Or each of some hundred networks would stay in Keras' global state.
    keras.backend.clear_session(free_memory=False)
    gc.collect()
    return run


def summed(runs: list[Run], tasks: list[str]) -> dict[str, float]:
    """Return one row's figures of the networks that together answer these tasks: means over tasks, sums of costs."""
    # Without labels in its validation part a task has no figures there.
    found: dict[str, list[float]] = {name: [] for name in FIGURES}
    accuracies = {}
    for run in runs:
        best = run.history.loc[run.history["val_loss"].idxmin()]
        for task in (name for name in run.row["tasks"].split(", ") if name in tasks):
            for part, prefix in (("train", ""), ("validation", "val_")):
                found[f"{part}_loss"].append(best.get(f"{prefix}{task}_loss", np.nan))
                found[f"{part}_accuracy"].append(best.get(f"{prefix}{task}_accuracy", np.nan))
            accuracies[f"{task}.accuracy"] = run.row[f"{task}.accuracy"]
    means = {name: float(np.mean(values)) for name, values in found.items()}
    costs = {name: sum(run.row[name] for run in runs) for name in ("parameters", "seconds")}
    return {**means, **accuracies, **costs, "epochs": sum(len(run.history) for run in runs)}


def corrected_interval(differences: np.ndarray, test_share: float) -> tuple[float, float, float, float]:
    """Return mean, lower and upper bound (95 %), and p of paired differences (N,) over the folds of repeats.

    Folds share most of their training rows, so the plain t test finds too much: the variance is corrected by the share
    of test to training rows, as Nadeau and Bengio, Inference for the generalization error, 2003, do.
    """
    differences = np.asarray(differences, np.float64)
    count, mean = len(differences), float(np.mean(differences))
    if count < 2:
        return mean, np.nan, np.nan, np.nan
    error = np.sqrt((1 / count + test_share / (1 - test_share)) * np.var(differences, ddof=1))
    if not error:
        return mean, mean, mean, 1.0 if mean == 0 else 0.0
    reach = float(stats.t.ppf(0.975, count - 1) * error)
    return mean, mean - reach, mean + reach, float(2 * stats.t.sf(abs(mean) / error, count - 1))


def fold_lines(rows: pd.DataFrame, how: CrossValidation) -> list[str]:
    """Return the lines of Markdown tables of `folds.csv`: means over folds with deviations, and paired differences."""
    figures = [*FIGURES, *(name for name in rows if name.endswith(".accuracy"))]
    where = f" of {how.fold_source}" if how.fold_source else ""
    kept = "early stopping by the fold's own loss" if how.stop_on_fold else "a tenth of the other rows for validation"
    done, total = len(rows[["repeat", "fold"]].drop_duplicates()), how.repeats * how.folds
    so_far = f" ({done} of {total} so far)" if done < total else ""
    title = f"Cross-validation, {how.repeats} x {how.folds} folds{so_far}{where}, {kept}; mean ± deviation over folds:"
    means = []
    for networks, members in rows.groupby("networks", sort=False):
        shown = [f"{_scaled(members, name).mean():.4g} ± {_scaled(members, name).std():.2g}" for name in figures]
        costs = (f"{members['parameters'].iloc[0] / 1e6:.2f}", f"{members['seconds'].mean():.0f}")
        means.append((networks, *shown, *costs))
    headings = ("networks", *map(_heading, figures), "parameters (millions)", "seconds a fold")
    lines = ["", title, "", *table_lines(headings, means)]
    if rows["networks"].nunique() < 2:
        return lines
    paired = []
    for name in figures:
        pairs = rows.assign(**{name: _scaled(rows, name)}).pivot(index=["repeat", "fold"], columns="networks")[name]
        mean, low, high, p = corrected_interval((pairs[ONE] - pairs[SEVERAL]).to_numpy(), 1 / how.folds)
        paired.append((_heading(name), f"{mean:+.4f}", f"[{low:+.4f}, {high:+.4f}]", f"{p:.3f}"))
    title = f"Paired differences over folds, {ONE} minus {SEVERAL} (corrected resampled t test):"
    return [*lines, "", title, "", *table_lines(("figure", "difference", "95 % interval", "p"), paired)]


def _scaled(rows: pd.DataFrame, name: str) -> pd.Series:
    return rows[name] * (100 if name.endswith("accuracy") else 1)


def _heading(name: str) -> str:
    return name.replace("_", " ").replace(".", " ") + (", %" if name.endswith("accuracy") else "")
