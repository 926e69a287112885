"""A study: the runs of one split of a label table, each in two stages, and what is the same for all of them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.data.audit import tell
from mtl_keras.data.augment import augmentation
from mtl_keras.data.derive import derived
from mtl_keras.data.images import READING
from mtl_keras.data.sampling import length, times_of
from mtl_keras.data.split import split
from mtl_keras.errors import UserError
from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.evaluation.predictions import outputs_of, with_predictions
from mtl_keras.faces.geometry import CropGeometry
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.weights import sha256
from mtl_keras.precision import computing_in
from mtl_keras.studies import runs
from mtl_keras.studies.diverged import DivergedRun
from mtl_keras.studies.frozen import frozen_stage, stages_of
from mtl_keras.studies.network import FROZEN_BATCH, build, changes_of, precision, train_heads, train_network
from mtl_keras.studies.progress import Progress
from mtl_keras.studies.provenance import data_fingerprint
from mtl_keras.studies.results_folder import check_agreement, results_folder
from mtl_keras.studies.rows import label_part, labelled_rows, unlabelled, with_balance
from mtl_keras.studies.runs import Run, images_per_second, read_history
from mtl_keras.studies.settings import Experiment, check, label_of, last_stage, name_of, with_tasks
from mtl_keras.studies.shared_features import SharedFeatures, network_name, shared_features
from mtl_keras.studies.teacher import identity, taught
from mtl_keras.studies.temperatures import calibrated, load_uncalibrated
from mtl_keras.tasks import BUILT_IN
from mtl_keras.training import distribute, model_folder
from mtl_keras.training.backup import epochs_done
from mtl_keras.training.divergence import Diverged
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.resume import BACKUP, seconds_before

# Raised when the same settings train or choose something else than before: earlier runs are other ones then.
# 2: the epoch's loss, which says when to stop and which weights are best, counts every example alike.
METHOD = 2
Parts = tuple[pd.DataFrame, ...]


def run(
    experiment: Experiment,
    table: pd.DataFrame,
    out: Path | str = "runs/experiment",
    resume: bool = False,
    tasks: tuple[str, ...] | None = None,
) -> list[dict]:
    """Train as the experiment says and return a row of test figures for each stage.

    With `tasks`, only these of the experiment's are learned: one of them gives its single-task baseline. `table` is
    split 80/10/10 where its `split` column is empty. Below `out` lie `models/`, `checkpoints/` and `cache/`; with
    `resume`, finished stages are taken from there and one that was broken off goes on.
    """
    settings = experiment if tasks is None else with_tasks(experiment, tasks)
    tell(table)
    parts = split(derived(table, settings.chosen_tasks()), seed=settings.seed)
    with results_folder(Path(out), settings.strategy, resume) as place:
        return [stage.row for stage in Study(parts, place, resume, experiment.chosen_crop()).run(settings)]


class Study:
    """The runs on one split of a label table, and what is the same for all of them, which is computed once.

    `parts` are the rows to train, to validate and to test on. Below `out` lie `models/`, `checkpoints/` and `cache/`.
    With `resume`, a run that was finished before is taken as it is, and one that was broken off goes on; without it,
    every run is trained anew, once. `crop` says how faces were cut out of photos; by default as for each run's tasks.
    """

    def __init__(self, parts: Parts, out: Path | str, resume: bool = False, crop: CropGeometry | None = None):
        self.parts, self.out, self.resume, self.crop = parts, Path(out), resume, crop
        # The folders of what this study has trained, and the names of the frozen trunks that its runs share.
        self.trained: set[Path] = set()
        self.frozen_trunks: dict[str, None] = {}
        # What its runs that diverged say, by their folder.
        self.diverged: dict[Path, DivergedRun] = {}
        self.progress = Progress()
        self._data: dict[tuple, str] = {}
        self._weights: dict[tuple[str, str | None], str] = {}
        self._features: dict[tuple, SharedFeatures] = {}

    def on(self, parts: Parts) -> "Study":
        """Return a study of other rows that has the same folder."""
        other = Study(parts, self.out, self.resume, self.crop)
        other._weights, other.diverged, other.progress = self._weights, self.diverged, self.progress
        return other

    def plan(self, several: Iterable[Experiment], share: float = 1.0) -> None:
        """Count the runs of these settings among those whose progress is told, and those that are finished before.

        `share` is that of the training rows that they see.
        """
        images: dict[tuple, float] = {}
        for settings in several:
            key = (settings.tasks, settings.balance, bool(settings.teacher))
            if key not in images:
                rows = with_balance(settings, self.parts[0])
                rows = rows if settings.teacher else labelled_rows(rows, settings.chosen_tasks())
                images[key] = share * length(times_of(rows))
            for stage in stages_of(settings):
                self.progress.plan(stage, (stage.epochs or stage.frozen_epochs) * images[key])
                if known := self.find_run(stage):
                    self.progress.finished(stage, known.row.get("seconds"))

    def run(self, settings: Experiment, needs_model: bool = False) -> list[Run]:
        """Return the run of each stage that the settings ask for, and train those that are not there.

        Where the model of the last one is needed, a run counts as finished only if its model is there. One that
        diverges is a `DivergedRun` error, at each call: only another study trains it again.
        """
        check(settings)
        if names := unlabelled(settings, self.parts[0]):
            raise UserError(f"no training image has a label of {names[0]}; add a set that has, or choose other tasks")
        found = []
        with computing_in(precision(settings.precision)), distribute.answering(settings.strategy):
            if settings.frozen_epochs:
                self.frozen_trunks[network_name(settings)] = None
                tuned = settings.epochs and self.find_run(settings, needs_model)
                # What is still to be fine-tuned starts from the model of the frozen stage.
                starts = settings.epochs > 0 and not tuned
                found.append(self._finished(frozen_stage(settings), needs_model or starts, self._train_frozen))
            if settings.epochs:
                try:
                    found.append(self._finished(settings, needs_model, self._fine_tune))
                except DivergedRun as error:
                    error.finished = found
                    raise
        return found

    def find_run(self, settings: Experiment, needs_model: bool = False) -> Run | None:
        """Return the finished run of the settings' last stage, also an earlier one with `resume`."""
        folder = self._folder(settings)
        if not folder or not (self.resume or folder in self.trained):
            return None
        known = runs.read_run(folder, self.parts[2])
        return known if known and (known.model or not needs_model) else None

    def is_new(self, *several: Run) -> bool:
        """Return whether this study has trained one of these runs: what was measured of it before is outdated."""
        return any(run.folder in self.trained for run in several)

    def start_run(self, settings: Experiment) -> Path:
        """Return the folder for a run of the settings' last stage: that of a broken-off one, or an empty one."""
        place, name = self.out / "checkpoints", name_of(settings, last_stage(settings))
        folder = runs.start_run(place, name, self.noted(settings), self._folder(settings), self.resume)
        self.trained.add(folder)
        return folder

    def _folder(self, settings: Experiment) -> Path | None:
        place, name = self.out / "checkpoints", name_of(settings, last_stage(settings))
        return runs.find_folder(place, name, self.noted(settings), asdict(Experiment()))

    def noted(self, settings: Experiment) -> dict:
        """Return what tells a run apart from others of its name: settings, initial weights and data."""
        weights, data = self.weights_of(settings), self.data_of(settings)
        noted = {**asdict(settings), "weights": weights, "data": data, "method": METHOD, "reading": READING}
        noted |= {"strategy": "", "precision": "", "teacher": identity(settings.teacher)}
        # Runs are told apart by the task that they learn, where it is not what it has always been: a head pose is not.
        if own := [asdict(task) for task in settings.chosen_tasks() if task.name not in BUILT_IN or task.oriented]:
            noted["own_tasks"] = own
        how = augmentation(changes_of(settings))
        noted["augment"] = asdict(how) if how else None
        # They stand in the changes of images, and in the folder's name.
        del noted["gray"], noted["variant"]
        return noted

    def weights_of(self, settings: Experiment) -> str:
        """Return what tells the initial trunk apart from others: its weights file's sha256, or its random seed."""
        backbone, key = BACKBONES[settings.backbone], (settings.backbone, settings.weights)
        if key not in self._weights:
            given = sha256(backbone.find_weights(settings.weights)) if settings.weights else ""
            own = backbone.fingerprint()
            self._weights[key] = ", ".join(filter(None, [given, own]))
        return self._weights[key] or f"random, seed {settings.seed}"

    def data_of(self, settings: Experiment) -> str:
        """Return the fingerprint of what the parts tell networks of these tasks."""
        # A teacher labels also rows that have no label of these tasks.
        key = (settings.tasks, bool(settings.teacher))
        if key not in self._data:
            tasks = settings.chosen_tasks()
            fingerprints = (data_fingerprint(label_part(part, tasks, bool(settings.teacher))) for part in self.parts)
            self._data[key] = runs.fingerprint(*fingerprints)
        return self._data[key]

    def features_of(self, settings: Experiment, model: MultiTaskModel) -> SharedFeatures:
        """Return the features of the model's trunk, which are computed once for all runs of the same trunk."""
        weights, name = self.weights_of(settings), network_name(settings)
        key = (name, weights, model.dtype_policy.name)
        if key not in self._features:
            # Only those in use now: the others can be read again.
            self._features = {key: shared_features(model, self.parts, self.out, weights, name)}
        return self._features[key]

    # === Training ===

    def _finished(self, settings: Experiment, needs_model: bool, train: Callable[[Experiment, Path], Run]) -> Run:
        """Return the run of the settings' last stage, trained now if it is not there."""
        name = label_of(settings, last_stage(settings))
        if known := self.find_run(settings, needs_model):
            print(f"{name}: finished before")
            self.progress.finished(settings, known.row.get("seconds"))
            return known
        if before := self.diverged.get(self._folder(settings)):
            raise before
        check_agreement(settings.strategy, self.noted(settings))
        folder = self.start_run(settings)
        done = epochs_done(folder / BACKUP) / (settings.epochs or settings.frozen_epochs)
        print(f"{name}: training{self.progress.words(settings, done)}", flush=True)
        started = time.perf_counter()
        try:
            trained = train(settings, folder)
        except Diverged as error:
            self.progress.finished(settings, None)
            self.diverged[folder] = DivergedRun(settings, error)
            raise self.diverged[folder] from None
        self.progress.finished(settings, (time.perf_counter() - started) / (1 - done) if done < 1 else None)
        return trained

    def _train_frozen(self, settings: Experiment, folder: Path) -> Run:
        """Train the heads on features of the frozen trunk, also on those of the mirrored images."""
        model = build(settings)
        features = self.features_of(settings, model)
        started = time.time() - seconds_before(folder)
        train = taught(settings, self.parts[0], self.out / "cache")
        with distribute.strategy(settings.strategy).scope():
            if distribute.joins_workers(settings.strategy):
                model = build(settings)  # The other one is of this worker alone.
            train_heads(settings, model, features, (train, self.parts[1]), folder)
        exact = model_folder.in_float32(model)  # with what its heads have learned
        exact = calibrated(settings, exact, self.parts[1], folder, features.validation)
        outputs = exact.heads_network().predict(features.test, batch_size=FROZEN_BATCH, verbose=0)
        return self.save_and_measure(settings, exact, outputs, folder, started)

    def _fine_tune(self, settings: Experiment, folder: Path) -> Run:
        """Train the whole network, and once more on the validation rows as well where the settings say so."""
        (_, validation, test), refit = self.parts, folder / "refit"
        train = taught(settings, self.parts[0], self.out / "cache")
        started = time.time() - seconds_before(folder) - seconds_before(refit)
        start = None
        if settings.frozen_epochs:
            before = self._folder(frozen_stage(settings))
            start = load_uncalibrated(runs.find_model(before), before)
        with distribute.strategy(settings.strategy).scope():
            model, seen = train_network(settings, (train, validation), start, folder, settings.epochs)
            if settings.refit:
                best = 1 + int(read_history(folder)["val_loss"].argmin())
                everything = pd.concat([train, validation], ignore_index=True)
                model, _ = train_network(settings, (everything, None), start, refit, best)
        exact = calibrated(settings, model_folder.in_float32(model), validation, folder)
        return self.save_and_measure(settings, exact, outputs_of(exact, test), folder, started, seen)

    def save_and_measure(
        self,
        settings: Experiment,
        model: MultiTaskModel,
        outputs: dict[str, np.ndarray],
        folder: Path,
        started: float,
        seen: int = 0,
    ) -> Run:
        """Save a trained model, measure what its heads gave for the test images {task: (N, K)}, and note both.

        `seen` is the number of images of an epoch.
        """
        stage, answers = last_stage(settings), with_predictions(self.parts[2], model.tasks, outputs)
        crop = self.crop or settings.chosen_crop()
        saved = model_folder.save(model, runs.place_for_model(folder), crop, folder.name)
        row = {
            "run": label_of(settings, stage),
            "tasks": ", ".join(settings.tasks),
            "backbone": settings.backbone,
            "stage": stage,
            "seed": settings.seed,
            "seconds": round(time.time() - started, 1),
            "images_per_second": images_per_second(folder, seen),
            "device": distribute.device() + " in bfloat16" * (precision(settings.precision) == "mixed_bfloat16"),
            "parameters": model.count_params(),
            "megabytes": round(model_folder.megabytes(saved), 1),
            **metrics_with_intervals(answers, model.tasks),
        }
        return replace(runs.write_run(folder, row, labelled_rows(answers, model.tasks)), outputs=outputs)
