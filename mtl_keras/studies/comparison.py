"""Multi-task against single-task: all the runs of a results table, and the table, figures and notes made from them."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from mtl_keras.data.sampling import parse_composition
from mtl_keras.data.split import split
from mtl_keras.data.table import missing_outputs
from mtl_keras.errors import UserError
from mtl_keras.evaluation.metrics import differences
from mtl_keras.studies import provenance, results
from mtl_keras.studies.averaging import average_weights, first_network
from mtl_keras.studies.confidence import report_confidence
from mtl_keras.studies.constant import majority
from mtl_keras.studies.costs import compare_costs
from mtl_keras.studies.cross_validation import check_accuracies, check_folds, cross_validate, plan_folds
from mtl_keras.studies.diverged import DivergedRun
from mtl_keras.studies.frozen import stages_of
from mtl_keras.studies.network import build, composition_of
from mtl_keras.studies.plan import Comparison
from mtl_keras.studies.plots.folder import all_drawn, draw
from mtl_keras.studies.report import Report, notes_on
from mtl_keras.studies.rows import labelled_rows, unlabelled, with_balance
from mtl_keras.studies.runs import Run
from mtl_keras.studies.seeds import more_seeds, with_seeds
from mtl_keras.studies.settings import Experiment, check, with_tasks
from mtl_keras.studies.sources import report_sources
from mtl_keras.studies.study import Study
from mtl_keras.studies.teacher import taught_by
from mtl_keras.studies.test_time_augmentation import all_augmented, augment_tests
from mtl_keras.tasks import TASKS, Task

# What is said of a variant that is asked for where there are none.
NO_VARIANTS = "there are no variants to choose from; those of an experiment are of real faces, named by --data"


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
    rows of figures that others have published for the same tasks. `variants` are {name: {setting: value}}: changed
    settings, with which heads alone are trained where there is a frozen stage, and tasks without labels are left out.
    """
    started, (table, elsewhere) = time.time(), tables
    check_data(experiment, comparison, table)
    study = Study(split(table, seed=experiment.seed), out, resume, experiment.chosen_crop())
    elsewhere = unseen(elsewhere, study.parts)
    changed = usable(experiment, chosen_variants(comparison, variants), study.parts[0])
    shown = {task.name: task for settings in (experiment, *changed) for task in settings.chosen_tasks()}
    how = comparison.cross_validation
    report = Report(study, list(shown.values()), notes_on(experiment, study.parts, changed), how)
    singles = single_task_settings(experiment, comparison)
    small = smaller(experiment, comparison)
    changed = taught_by(study.find_run(first_network(experiment)), changed)
    twins = [single for variant in changed for single in alone(variant, comparison)]
    study.plan([*with_seeds([experiment, *singles], comparison.seeds), *changed, *twins, *small])
    if how.folds:
        plan_folds(study, experiment, table, how)
    multi, best = train_multi_task(report, experiment, reported, elsewhere)
    train_single_task(report, multi, singles)
    if singles:
        # Weights do not change what an answer costs, nor how long they were trained.
        compare_costs(build(experiment), [build(single) for single in singles], out)
    train_variants(report, taught_by(best, changed), comparison, elsewhere)
    if comparison.seeds > 1:
        for row in more_seeds(study, (experiment, *singles), comparison.seeds):
            report.seeds.append(row)
            report.write()
    for settings in small:
        report.train(settings)
    draw(report.runs, best, experiment, out)
    report_confidence(study, best, experiment)
    report_sources(study, best, experiment)
    about = {"settings": experiment, "comparison": comparison, **provenance_of(study, experiment, table)}

    def noted() -> str:
        provenance.write_run_json(out, {**about, "seconds": round(time.time() - started, 1)})
        return report.write()

    if how.folds:
        # Folds may take hours: what is there should be whole, even if they are broken off.
        noted()
        try:
            cross_validate(study, experiment, table, how, noted)
        except DivergedRun:
            noted()
            raise
    return noted()


def train_multi_task(
    report: Report, experiment: Experiment, reported: Iterable[dict], elsewhere: pd.DataFrame | None
) -> tuple[list[Run], Run]:
    """Add the runs of all tasks together, the first of the table; return them, and the one whose answers are drawn."""
    study, final = report.study, first_network(experiment)
    both = final != experiment
    # What was measured and drawn before needs no model: on another machine there may be none.
    complete = study.resume and all_drawn(study.out) and all_augmented(study, final) and bool(study.find_run(final))
    complete = complete and report.all_tested(stages_of(experiment), elsewhere)
    first = [majority(study.parts, report.tasks), *reported]
    try:
        multi = study.run(experiment, needs_model=not complete)
    except DivergedRun as error:
        report.start([*first, *(run.row for run in error.finished), error.row])
        raise
    # Only now: a first run that fails in another way must not cost the table of an earlier call.
    report.start(first)
    report.add(multi, elsewhere)
    best = report.add([average_weights(study, experiment, multi, not complete)])[-1] if both else multi[-1]
    report.write(run.row for run in augment_tests(study, final, best))
    return multi, best


def train_single_task(report: Report, multi: list[Run], singles: list[Experiment], drawn: bool = True) -> None:
    """Add the runs of each task alone, and how those of all tasks differ from them."""
    for single in singles:
        [task] = single.chosen_tasks()
        if rows := paired_differences(multi, report.train(single, drawn=drawn), task):
            results.write_differences(rows, report.out)


def train_variants(
    report: Report, variants: list[Experiment], comparison: Comparison, elsewhere: pd.DataFrame | None
) -> None:
    """Add the runs of changed settings, of all tasks and, where that is asked for, of each task alone."""
    for variant in variants:
        # Their curves would be too many to tell apart.
        together = report.train(variant, elsewhere, drawn=False)
        train_single_task(report, together, alone(variant, comparison), drawn=False)


def provenance_of(study: Study, experiment: Experiment, table: pd.DataFrame) -> dict:
    """Return what `run.json` says of the data and of the initial weights."""
    return {
        "data_fingerprint": provenance.data_fingerprint(table),
        "weights": study.weights_of(experiment),
        "images": {name: len(part) for name, part in zip(("train", "validation", "test"), study.parts, strict=True)},
        "audit": table.attrs.get("audit", {}),
    }


def single_task_settings(experiment: Experiment, comparison: Comparison) -> list[Experiment]:
    """Return the settings of each task's own network, in the order of the tasks; none where there is no such run."""
    if comparison.single_task == "none":
        return []
    singles = each_task(replace(experiment, epochs=experiment.epochs if comparison.single_task == "both" else 0))
    if singles and not (singles[0].epochs or singles[0].frozen_epochs):
        print("left out: each task alone on a frozen trunk, of which there is no stage; single_task 'both' trains them")
        return []
    return singles


def alone(variant: Experiment, comparison: Comparison) -> list[Experiment]:
    """Return the settings of each task's own network beside that of a variant, where they are asked for."""
    return each_task(variant) if variant.variant in comparison.alone else []


def each_task(experiment: Experiment) -> list[Experiment]:
    """Return the same settings for each of several tasks by itself, in their order; none of a single task."""
    return [with_tasks(experiment, (name,)) for name in experiment.tasks] if len(experiment.tasks) > 1 else []


def smaller(experiment: Experiment, comparison: Comparison) -> list[Experiment]:
    """Return the settings with the comparison's smaller backbone, if it has another one than the experiment."""
    other = comparison.small and comparison.small != experiment.backbone
    return [replace(experiment, backbone=comparison.small)] if other else []


def check_plan(experiment: Experiment, comparison: Comparison) -> None:
    """Refuse settings that cannot work with any table, before one is read."""
    for settings in (experiment, *smaller(experiment, comparison)):
        check(settings)
    if comparison.cross_validation.folds:
        check_accuracies(experiment)


def check_data(experiment: Experiment, comparison: Comparison, table: pd.DataFrame) -> None:
    """Refuse what cannot work with this table, before anything is trained."""
    check_plan(experiment, comparison)
    check_labels(experiment, table)
    check_sampling(experiment, table)
    if comparison.cross_validation.folds:
        check_folds(experiment, table, comparison.cross_validation)


def check_labels(experiment: Experiment, table: pd.DataFrame) -> None:
    """Refuse a task that no row of this table has a label of."""
    if names := unlabelled(experiment, table):
        others = " ".join(name for name in experiment.tasks if name not in names) or "others"
        # Of a head pose all angles have to be known.
        missing = [column for name in names for column in missing_outputs(table, TASKS[name])]
        lacking = f" (without {', '.join(missing)})" if missing else ""
        raise UserError(
            f"no image of {', '.join(sorted(set(table['source'])))} has a label of {', '.join(names)}{lacking}; "
            f"add a set that has, or choose --tasks {others}"
        )


def check_sampling(experiment: Experiment, table: pd.DataFrame) -> None:
    """Refuse a balance or a composition of batches that does not fit the sources of these rows."""
    with_balance(experiment, table)
    if asked := parse_composition(experiment.composition):
        sources = set(table["source"])
        if unknown := sorted(set(asked) - sources):
            raise UserError(f"composition: no source {unknown[0]!r}; the table has {', '.join(sorted(sources))}")
        composition_of(experiment, labelled_rows(table, experiment.chosen_tasks()))


def unseen(elsewhere: pd.DataFrame | None, parts: tuple[pd.DataFrame, ...]) -> pd.DataFrame | None:
    """Return the rows to test on as well without images, and copies of images, of the first two of these parts."""
    if elsewhere is None:
        return None
    seen = pd.concat(parts[:2])
    known = elsewhere["path"].isin(seen["path"])
    if "image" in elsewhere and "image" in seen:
        known |= elsewhere["image"].isin(seen["image"])
    same = "are, or are copies of, images to train or validate on"
    if known.all():
        raise UserError(f"--test-data: all {len(elsewhere)} images {same}; name another set")
    if known.any():
        print(f"left out of --test-data: {known.sum()} of {len(elsewhere)} images, which {same}")
    return elsewhere[~known].reset_index(drop=True)


def chosen_variants(comparison: Comparison, variants: Mapping[str, dict]) -> Mapping[str, dict]:
    """Return those of the variants that the comparison asks for."""
    if comparison.only and not comparison.variants:
        raise UserError(f"only {comparison.only[0]!r}: no variants are to be trained; leave out --no-variants")
    if unknown := [name for name in comparison.only if name not in variants]:
        expected = f"expected some of {', '.join(variants)}" if variants else NO_VARIANTS
        raise UserError(f"only {unknown[0]!r}: {expected}")
    wanted = comparison.only or (variants if comparison.variants else ())
    chosen = {name: changes for name, changes in variants.items() if name in wanted}
    if unknown := [name for name in comparison.alone if name not in chosen]:
        trained = f"expected some of those to be trained: {', '.join(chosen) or 'none'}"
        raise UserError(f"alone {unknown[0]!r}: {trained if variants else NO_VARIANTS}")
    return chosen


def usable(experiment: Experiment, variants: Mapping[str, dict], train: pd.DataFrame) -> list[Experiment]:
    """Return the settings of the variants that differ from the experiment and whose tasks the training rows label."""
    found = []
    for name, changes in variants.items():
        changed = replace(experiment, **changes)
        if changed == experiment:
            continue
        if why := _unusable(changed, experiment, train):
            print(f"left out: {name}, since {why}")
            continue
        # Where there is a frozen stage, that is enough to see the difference, in a fraction of the time.
        epochs = 0 if changed.frozen_epochs else changed.epochs
        found.append(replace(changed, variant=name, epochs=epochs))
    return found


def _unusable(changed: Experiment, experiment: Experiment, train: pd.DataFrame) -> str:
    """Return why a variant cannot stand beside the experiment, "" where it can."""
    if lacking := unlabelled(changed, train):
        return f"no training image has a label of {lacking[0]}"
    # Weights that were chosen for several tasks together say nothing of fewer.
    if changed.loss_weights and {*changed.tasks} != {*experiment.tasks}:
        return f"its loss weights are for {', '.join(changed.tasks)}"
    try:
        check_sampling(changed, train)
    except UserError as error:
        return str(error)
    return ""


def paired_differences(multi: list[Run], single: list[Run], task: Task) -> list[dict]:
    """Return the rows of differences.csv: multi-task minus single-task for each stage that both have."""
    shown = results.figure_columns([task])
    return [
        {"run": ours.row["run"], "baseline": theirs.row["run"], **row}
        for ours in multi
        for theirs in single
        if ours.row["stage"] == theirs.row["stage"]
        for row in differences(ours.predictions, theirs.predictions, task)
        if row["metric"] in shown
    ]
