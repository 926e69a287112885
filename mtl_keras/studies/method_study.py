"""The runs of a comparison of methods on one split, against single tasks and tuned equal weights."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from keras import Model

from mtl_keras.data.blanks import keep_some
from mtl_keras.data.pipeline import InputSpec, batches, feature_batches
from mtl_keras.errors import UserError
from mtl_keras.studies.diverged import DivergedRun
from mtl_keras.studies.methods import TUNED, Group, Method, chosen, leave_out, usable
from mtl_keras.studies.network import FROZEN_BATCH, batches_of
from mtl_keras.studies.plan import Methods
from mtl_keras.studies.rows import labelled_rows, unlabelled, with_balance
from mtl_keras.studies.runs import Run
from mtl_keras.studies.seeds import with_seeds
from mtl_keras.studies.settings import Experiment, with_tasks
from mtl_keras.studies.study import Study
from mtl_keras.studies.timing import peak_memory
from mtl_keras.studies.tuning import Trial, tune
from mtl_keras.training.conflict import CONFLICT, measuring_conflict, read_conflict
from mtl_keras.training.model import MultiTaskModel

# On so many batches the tasks' gradients are compared.
CONFLICT_BATCHES = 4


class MethodStudy:
    """The runs of a comparison of methods, in the order in which they are trained.

    `parts` are the rows to train, to validate and to test on; those to train on get fewer and lose labels first, where
    `asked` says so. `single` are the methods of one network a task, `tuned` is the baseline, and `trials` are those it
    was chosen from, in `tuning_seconds`. `peaks` are the peak memory in MiB of the runs that were trained now, by their
    names. `conflict` are the cosines of the tasks' gradients over the training of equal weights.
    """

    def __init__(self, common: Experiment, asked: Methods, parts: tuple[pd.DataFrame, ...], out: Path, resume: bool):
        self.asked, self.tasks = asked, common.chosen_tasks()
        self.methods = usable(chosen(common, asked))
        # Equal weights look at no gradients, wherever others take them.
        self.common = common = self.methods[0].settings
        if names := unlabelled(common, parts[0]):
            raise UserError(f"no training image has a label of {names[0]}; add a set that has, or choose other tasks")
        train = parts[0]
        if asked.images < 1:
            train = train.sample(frac=asked.images, random_state=common.seed).sort_index().reset_index(drop=True)
        if asked.labels_kept < 1:
            train = keep_some(train, self.tasks, asked.labels_kept, common.seed)
        self.study = Study((train, *parts[1:]), out, resume, common.chosen_crop())
        self.single = [Method(f"{name} alone", Group.REFERENCE, with_tasks(common, (name,))) for name in common.tasks]
        self.tuned: Method | None = None
        self.trials: list[Trial] = []
        self.tuning_seconds = 0.0
        self.peaks: dict[str, float] = {}
        self.conflict = pd.DataFrame()

    def train(self) -> Iterator[None]:
        """Train all runs, and pause after each method, so that what is there can be written."""
        equal, *others = self.methods
        self.study.plan(self._settings([equal, *self.single, *others]))
        # Without it there is nothing to compare with, so whatever is wrong is wrong for all.
        self._train(equal, strict=True)
        yield
        for method in self.single:
            self._train(method, strict=True)
            yield
        self._tune()
        yield
        self._measure_conflict()
        for method in others:
            if not method.why:
                self._train(method)
            yield

    def _settings(self, methods: Iterable[Method]) -> list[Experiment]:
        return with_seeds([method.settings for method in methods if not method.why], self.asked.seeds)

    def _train(self, method: Method, strict: bool = False) -> None:
        """Train a method with each seed; a seed that diverges has a row without figures."""
        for settings in self._settings([method]):
            try:
                run = self._run(settings)
            except DivergedRun as error:
                print(error, flush=True)
                method.rows.append(error.row)
                continue
            except UserError as error:
                if strict:
                    raise
                leave_out(method, error)
                return
            method.runs.append(run)
            method.rows.append(run.row)

    def _run(self, settings: Experiment) -> Run:
        """Return the run of the settings' last stage, and note the memory that it takes where it is trained now."""
        known = self.study.find_run(settings)
        with peak_memory() as peak:
            run = self.study.run(settings)[-1]
        if peak and not known:
            self.peaks[run.row["run"]] = peak[0]
        return run

    def _tune(self) -> None:
        """Choose the weights of the losses and the regularization that are best on validation images, with one seed."""
        runs: dict[str, Run] = {}

        def train(settings: Experiment) -> Run:
            run = self._run(settings)
            return runs.setdefault(run.row["run"], run)

        try:
            best, self.trials = tune(train, self.common)
        except DivergedRun:  # of the settings as given: told of in its row
            return
        self.tuning_seconds = sum(run.row["seconds"] for run in runs.values())
        self.tuned = Method(f"{TUNED}: {best.name}", Group.REFERENCE, best.settings)
        self.study.plan(self._settings([self.tuned]))
        self._train(self.tuned)

    def _measure_conflict(self) -> None:
        """Train equal weights once more, with the tasks' gradients compared before each epoch.

        In a run of its own, whose seconds and memory do not count.
        """
        settings = replace(self.common, variant="conflict measured")

        def fixed(model: Model) -> Iterable:
            return fixed_batches(self.study, settings, model)

        try:
            with measuring_conflict(fixed):
                folder = self.study.run(settings)[-1].folder
        except DivergedRun:
            return
        if (folder / CONFLICT).is_file():
            self.conflict = read_conflict(folder / CONFLICT)

    def compared(self) -> list[Method]:
        """Return all methods in the order of the table, single tasks and the baseline included."""
        first, *others = self.methods
        return [*self.single, first, *([self.tuned] if self.tuned else []), *others]


def seconds_a_step(study: Study, method: Method, runs: Iterable[Run]) -> float | None:
    """Return the seconds of a training step, the median over the epochs and runs; None where that is not known."""
    seconds = [run.history["seconds"].median() for run in runs if "seconds" in run.history]
    return float(np.median(seconds)) / steps_an_epoch(study, method.settings) if seconds else None


def steps_an_epoch(study: Study, settings: Experiment) -> int:
    """Return the number of steps of an epoch of the settings' last stage."""
    train, tasks = with_balance(settings, study.parts[0]), settings.chosen_tasks()
    if settings.epochs:
        return batches_of(settings, labelled_rows(train, tasks))[1]
    # The mirrored images are seen as well.
    return -(-len(train) * 2 // FROZEN_BATCH)


def fixed_batches(study: Study, settings: Experiment, model: Model) -> Iterable:
    """Return some batches of training images, or of their features for a network of heads, always the same ones."""
    train, size = study.parts[0], settings.batch_size
    chosen = np.random.default_rng(0).permutation(len(train))[: CONFLICT_BATCHES * size]
    rows = train.iloc[chosen].reset_index(drop=True)
    if isinstance(model, MultiTaskModel):
        # Not the model itself, since each of several workers looks at all of them.
        return batches(rows, InputSpec(model.tasks, model.image_size, model.resize_method), size)
    features = study.features_of(settings, model).train[chosen]
    return feature_batches(features, rows, model.tasks, size)
