"""A results folder in the making: its table, and what a reader must know of it."""

from collections.abc import Iterable

import pandas as pd

from mtl_keras.data.leaks import leaks
from mtl_keras.state_files import read_csv
from mtl_keras.studies import results
from mtl_keras.studies.averaging import first_network
from mtl_keras.studies.confidence import CALIBRATION, SELECTIVE, confidence_lines
from mtl_keras.studies.costs import cost_lines
from mtl_keras.studies.cross_validation import FOLD_COLUMNS, fold_lines
from mtl_keras.studies.diverged import DivergedRun
from mtl_keras.studies.elsewhere import kept_figures, tested_elsewhere
from mtl_keras.studies.frozen import stages_of
from mtl_keras.studies.plan import CrossValidation
from mtl_keras.studies.rows import labelled_rows
from mtl_keras.studies.runs import SOURCES, Run
from mtl_keras.studies.seeds import seed_statistics
from mtl_keras.studies.sets import set_lines, set_rows
from mtl_keras.studies.settings import Experiment, label_of, last_stage
from mtl_keras.studies.shared_features import seconds_note
from mtl_keras.studies.sources import sources_note
from mtl_keras.studies.study import Study
from mtl_keras.studies.test_time_augmentation import described
from mtl_keras.tasks import Task


class Report:
    """The tables of a results folder, written anew after each run, lest a finished run be lost."""

    def __init__(self, study: Study, tasks: list[Task], notes: list[str], how: CrossValidation):
        self.study, self.out, self.tasks, self.notes, self.how = study, study.out, tasks, notes, how
        self.runs: dict[str, Run] = {}
        self.seeds: list[dict] = []

    def start(self, rows: Iterable[dict]) -> None:
        """Begin new tables with these rows of `runs.csv`."""
        tables = ("runs.csv", results.SETS, "differences.csv", "costs.csv", "folds.csv")
        for name in (*tables, CALIBRATION, SELECTIVE, SOURCES):
            (self.out / name).unlink(missing_ok=True)
        self.write(rows)

    def write(self, rows: Iterable[dict] = ()) -> str:
        """Add rows to `runs.csv` and return the table's Markdown, which is written as well."""
        results.write_runs(list(rows), self.out)
        folds = self.out / "folds.csv"
        lines = [
            *set_lines(self.out, self.tasks),
            *seed_statistics(self.seeds, results.figure_columns(self.tasks)),
            *cost_lines(self.out),
            *confidence_lines(self.out),
            *(fold_lines(read_csv(folds, *FOLD_COLUMNS), self.how) if folds.exists() else []),
        ]
        diverged = [f"diverged: {error}" for error in self.study.diverged.values()]
        notes = [*self.notes, *diverged, *sources_note(self.out), *seconds_note(self.out, [*self.study.frozen_trunks])]
        return results.write_markdown(self.out, self.tasks, notes, lines)

    def train(self, settings: Experiment, elsewhere: pd.DataFrame | None = None, drawn: bool = True) -> list[Run]:
        """Train the runs of these settings and add them, as `add` does; of one that diverges, that it did."""
        try:
            runs = self.study.run(settings, needs_model=not self.all_tested(stages_of(settings), elsewhere))
        except DivergedRun as error:
            print(error)
            self.write([error.row])
            runs = error.finished
        return self.add(runs, elsewhere, drawn)

    def add(self, runs: list[Run], elsewhere: pd.DataFrame | None = None, drawn: bool = True) -> list[Run]:
        """Add finished runs, and how their models do on the rows of another set, and return them."""
        self.runs |= {run.row["run"]: run for run in runs if drawn}
        if rows := [row for run in runs for row in set_rows(run, self.tasks)]:
            results.write_sets(rows, self.out)
        self.write(run.row for run in runs)
        for run in runs if elsewhere is not None else []:
            for source, found in tested_elsewhere(run, elsewhere, self.tasks).items():
                self.write([{**described(run, f"{run.row['run']}, tested on {source}"), **found}])
        return runs

    def all_tested(self, several: Iterable[Experiment], elsewhere: pd.DataFrame | None) -> bool:
        """Return whether the last runs of all these settings were tested on the rows of other sets before, if any."""
        if elsewhere is None:
            return True
        return all(kept_figures(self.study.find_run(each), elsewhere, self.tasks) is not None for each in several)


def where_copies_are(parts: tuple[pd.DataFrame, ...]) -> str:
    """Return whether all copies of one photo are in one part."""
    rows = pd.concat(parts, ignore_index=True)
    if "image" not in rows:
        return "copies of one photo were not looked for"
    count = leaks(rows)["image"].nunique()
    photos = "photo" if count == 1 else "photos"
    but = f", but for {count} {photos} that the sets themselves have in several (--leaks keep)" if count else ""
    return f"all copies of one photo are in one part{but}"


def notes_on(experiment: Experiment, parts: tuple[pd.DataFrame, ...], variants: Iterable[Experiment] = ()) -> list[str]:
    """Return what a reader of the table must know of its rows."""
    tasks = experiment.chosen_tasks()
    learned, all_rows = ([len(part) for part in rows] for rows in ([labelled_rows(p, tasks) for p in parts], parts))
    more = "" if learned == all_rows else " ({}, {} and {} with those of other tasks)".format(*all_rows)
    notes = [
        f"{learned[0]} training, {learned[1]} validation and {learned[2]} test images{more}; {where_copies_are(parts)}",
        f"seed {experiment.seed}; settings and versions in run.json; seconds of training, measuring and saving; "
        "images a second of training alone",
        "with mirror image: the mean answer over both; six views: over the image, zoomed in and out by a tenth, "
        "and the mirror image of each",
    ]
    if experiment.refit:
        notes.append("trained once more on training and validation images, for as many epochs as were best")
    if experiment.calibrate:
        but = "; not those of networks trained on validation images as well" if experiment.refit else ""
        notes.append(f"probabilities of classes are calibrated on the validation images{but}")
    if experiment.frozen_epochs:
        notes.append("frozen: heads trained on the features of the trunk as it was")
    if experiment.frozen_epochs and experiment.epochs:
        notes.append("averaged weights: a quarter of those before fine-tuning and three quarters of those after")
    if experiment.teacher:
        notes.append("where training images lack a label they have what a trained network answers (--teacher)")
    elif taught := ", ".join(each.variant for each in variants if each.teacher):
        first = first_network(experiment)
        answers = f"what {label_of(first, last_stage(first))} answers"
        notes.append(f"{taught}: where training images lack a label they have {answers}")
    return notes
