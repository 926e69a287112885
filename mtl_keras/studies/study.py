"""An experiment's two stages: heads on the frozen trunk's features, then the whole network; each run stays on disk."""

import time
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from mtl_keras.data.augment import AUGMENTATION
from mtl_keras.data.pipeline import batches, feature_batches
from mtl_keras.data.sampling import balanced, length, parse_balance, times_of
from mtl_keras.data.split import split
from mtl_keras.data.table import encode
from mtl_keras.errors import UserError
from mtl_keras.evaluation.features import trunk_features
from mtl_keras.evaluation.metrics import figures
from mtl_keras.evaluation.predictions import answered, predictions
from mtl_keras.faces.geometry import CROPS
from mtl_keras.models.weights import find_weights, load_facenet_weights, sha256
from mtl_keras.studies.provenance import data_fingerprint
from mtl_keras.studies.runs import Run, fingerprint, prepare, read_run, write_run
from mtl_keras.studies.settings import Experiment, check, label_of, name_of, precision, whole_stage
from mtl_keras.tasks import BUILT_IN, HEAD_POSE, Task
from mtl_keras.training import distribute, model_folder
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.optimizers import Harmonic, LayerwiseAdamW, cosine
from mtl_keras.training.resume import fit, seconds_before

# The heads alone want larger batches than a whole network; the rate was chosen on the validation split.
FROZEN_BATCH, FROZEN_RATE = 256, 5e-4


def run(
    experiment: Experiment, table: pd.DataFrame, out: Path | str = "results/run", resume: bool = False
) -> list[dict]:
    """Train as the experiment says and return a row of test figures for each stage.

    `table` is split 80/10/10 where its `split` column is empty. Below `out` lie `models/`, `checkpoints/` and
    `cache/`; with `resume`, finished stages are taken from there and one that was broken off goes on.
    """
    return [stage.row for stage in train(experiment, split(table, seed=experiment.seed), Path(out), resume)]


def train(
    experiment: Experiment, parts: tuple[pd.DataFrame, ...], out: Path, resume: bool = False, model: bool = False
) -> list[Run]:
    """Train on the parts (training, validation, test) and return the run of each stage that the experiment asks for.

    With `resume` a run that was finished before is taken as it is; if its `model` is needed, only where that is there.
    """
    check(experiment)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision(experiment.precision))
    try:
        with distribute.strategy(experiment.strategy).scope():
            frozen = []
            if experiment.frozen_epochs:
                tuned = experiment.epochs and opened(experiment, whole_stage(experiment), parts, out, resume, model)[1]
                # What is still to be fine-tuned starts from the model of the frozen stage.
                needed = model or (experiment.epochs > 0 and not tuned)
                frozen = [train_frozen(experiment, parts, out, resume, needed)]
            tuned = [fine_tune(experiment, parts, out, resume, model)] if experiment.epochs else []
    finally:
        keras.config.set_dtype_policy(before)
    return frozen + tuned


def build(experiment: Experiment) -> MultiTaskModel:
    """Return the experiment's network with the weights that it names."""
    keras.utils.set_random_seed(experiment.seed)
    model = MultiTaskModel(
        experiment.chosen_tasks(),
        backbone=experiment.backbone,
        sharing=experiment.sharing,
        image_size=experiment.image_size,
        border=experiment.border,
        dropout=experiment.dropout,
    )
    if experiment.weights:
        for trunk in model.trunks:
            load_facenet_weights(trunk, find_weights(experiment.weights))
    return model


def train_frozen(experiment: Experiment, parts: tuple[pd.DataFrame, ...], out: Path, resume: bool, needed: bool) -> Run:
    """Train the heads on features of the frozen trunk, which are computed once, also those of the mirrored images."""
    # What only the other stage uses must not make this one start anew.
    unused = {"epochs": 0, "refit": False, "trunk_rate": 0.0, "freeze_stem": True, "augment": False, "ema": 0.0}
    own = replace(experiment, **unused, batch_size=FROZEN_BATCH)
    folder, known = opened(own, "frozen", parts, out, resume, needed)
    announce(own, "frozen", known)
    if known:
        return known
    started, weights = time.time() - seconds_before(folder), weights_of(experiment)
    whole = build(experiment)
    if whole.feature_network() is None:
        raise UserError(f"sharing {experiment.sharing!r} has no stage with a frozen trunk: set frozen_epochs to 0")
    seen = [trunk_features(whole, parts[0], out / "cache", weights, flip) for flip in (False, True)]
    # What is measured is what the saved model will answer, and that computes in float32.
    exact = model_folder.in_float32(whole)
    validation, test = (trunk_features(exact, part, out / "cache", weights) for part in parts[1:])
    train = with_balance(experiment, parts[0])
    features, table = np.concatenate(seen), pd.concat([train, train], ignore_index=True)
    heads = whole.heads_network()

    def training(epoch):
        return feature_batches(features, table, heads.tasks, FROZEN_BATCH, experiment.seed, epoch)

    steps = int(training(0).cardinality()) * experiment.frozen_epochs
    optimizer = LayerwiseAdamW(cosine(FROZEN_RATE, steps), experiment.weight_decay)
    heads.compile(optimizer, experiment.chosen_weighting(), experiment.loss_mean, experiment.l2)
    fit(
        heads,
        training,
        feature_batches(validation, parts[1], heads.tasks, FROZEN_BATCH),
        folder,
        experiment.frozen_epochs,
        experiment.patience,
    )
    exact = model_folder.in_float32(whole)  # with what its heads have learned
    outputs = exact.heads_network().predict(test, batch_size=FROZEN_BATCH, verbose=0)
    return finish(own, "frozen", exact, answered(parts[2], exact.tasks, outputs), folder, started)


def fine_tune(experiment: Experiment, parts: tuple[pd.DataFrame, ...], out: Path, resume: bool, needed: bool) -> Run:
    """Train the whole network, and once more on the validation rows as well where the experiment says so."""
    stage = whole_stage(experiment)
    folder, known = opened(experiment, stage, parts, out, resume, needed)
    announce(experiment, stage, known)
    if known:
        return known
    again = folder / "refit"
    started = time.time() - seconds_before(folder) - seconds_before(again)
    train, validation, test = parts
    model, seen = fitted(experiment, train, validation, out, folder, experiment.epochs)
    if experiment.refit:
        best = 1 + int(pd.read_csv(folder / "history.csv")["val_loss"].argmin())
        everything = pd.concat([train, validation], ignore_index=True)
        model, _ = fitted(experiment, everything, None, out, again, best)
    exact = model_folder.in_float32(model)
    return finish(experiment, stage, exact, predictions(exact, test), folder, started, seen)


def fitted(
    experiment: Experiment, train: pd.DataFrame, validation: pd.DataFrame | None, out: Path, folder: Path, epochs: int
) -> tuple[MultiTaskModel, int]:
    """Train the whole network, from the heads of the frozen stage where there was one, the trunk at a lower rate.

    Return it, after so many epochs where there are no validation rows to stop it, and how many images an epoch sees.
    """
    model = build(experiment)
    if experiment.frozen_epochs:
        # Its trunk is the same one: it was frozen.
        model.set_weights(model_folder.load(out / "models" / name_of(experiment, "frozen")).get_weights())
    if experiment.freeze_stem and experiment.weights:
        model.freeze_stem()
    # Balanced first: a task alone sees its rows as often as together with others, and an unknown source is an error.
    train, size = labelled(with_balance(experiment, train), model.tasks), experiment.batch_size
    seen = length(times_of(train))

    def training(epoch):
        return batches(train, model, size, experiment.augment, shuffle=True, seed=experiment.seed, first_epoch=epoch)

    optimizer = LayerwiseAdamW(
        learning_rate(experiment, -(-seen // size)),
        experiment.weight_decay,
        slow_factor=experiment.trunk_rate,
        slow_paths=tuple(variable.path for variable in model.trunk_variables()),
        ema_momentum=experiment.ema or None,
    )
    model.compile(optimizer, experiment.chosen_weighting(), experiment.loss_mean, experiment.l2)
    held = None if validation is None else batches(labelled(validation, model.tasks), model)
    fit(model, training, held, folder, epochs, experiment.patience)
    return model, seen


def learning_rate(experiment: Experiment, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate of the whole network's training, with so many steps an epoch."""
    rate = experiment.learning_rate
    if experiment.schedule == "cosine":
        return cosine(rate, steps * experiment.epochs)
    return Harmonic(rate, steps) if experiment.schedule == "harmonic" else rate


def with_balance(experiment: Experiment, table: pd.DataFrame) -> pd.DataFrame:
    """Return training rows with how often each is seen, where the experiment says it."""
    balance = parse_balance(experiment.balance)
    return balanced(table, balance) if balance else table


def labelled(table: pd.DataFrame, tasks: list[Task]) -> pd.DataFrame:
    """Return the rows that have a label of at least one of the tasks."""
    known = np.any([encode(table, task)[1] > 0 for task in tasks], axis=0)
    return table if known.all() else table[known].reset_index(drop=True)


def weights_of(experiment: Experiment) -> str:
    """Return what tells the initial trunk apart from others: the sha256 of its weights file, or its random seed."""
    return sha256(find_weights(experiment.weights)) if experiment.weights else f"random, seed {experiment.seed}"


def opened(
    experiment, stage: str, parts: tuple[pd.DataFrame, ...], out: Path, resume: bool, needed: bool
) -> tuple[Path, Run | None]:
    """Return the folder of a stage's run, and the run itself if it was finished with the same settings and data.

    Where its model is `needed` and not there any more, it counts as not finished.
    """
    data = fingerprint(*(data_fingerprint(used(part, experiment.chosen_tasks())) for part in parts))
    settings = {**asdict(experiment), "weights": weights_of(experiment), "data": data, "strategy": "", "precision": ""}
    if own := [asdict(task) for task in experiment.chosen_tasks() if task.name not in BUILT_IN]:
        settings["own_tasks"] = own
    settings["augment"] = asdict(AUGMENTATION) if experiment.augment else None
    del settings["variant"]  # stands in the folder's name
    folder = prepare(out / "checkpoints" / name_of(experiment, stage), settings, resume, asdict(Experiment()))
    known = read_run(folder, parts[2]) if resume else None
    if known and needed and not known.model:
        known = None
    return folder, known


def used(table: pd.DataFrame, tasks: list[Task]) -> pd.DataFrame:
    """Return what of a label table tells runs of these tasks apart.

    Rows without a label of them are not trained on: a data set more does not make a run start anew. The angles of a
    head were turned with its crop, by a detector that rounds otherwise on another processor: they count only for a
    network that learns them.
    """
    angles = [] if HEAD_POSE in tasks else HEAD_POSE.columns
    return labelled(table, tasks).drop(columns=[*angles], errors="ignore")


def announce(experiment: Experiment, stage: str, known: Run | None) -> None:
    """Print which run comes now."""
    print(f"{label_of(experiment, stage)}: {'finished before' if known else 'training'}")


def finish(
    experiment, stage: str, model: MultiTaskModel, answers: pd.DataFrame, folder: Path, started: float, seen=0
) -> Run:
    """Save a trained model, measure its answers, and note both; an epoch of its training has `seen` so many images."""
    saved = model_folder.save(model, folder.parents[1] / "models" / folder.name, CROPS[experiment.crop])
    row = {
        "run": label_of(experiment, stage),
        "tasks": ", ".join(experiment.tasks),
        "backbone": experiment.backbone,
        "stage": stage,
        "seed": experiment.seed,
        "seconds": round(time.time() - started, 1),
        "images_per_second": images_per_second(folder / "history.csv", seen),
        "parameters": model.count_params(),
        "megabytes": round(model_folder.megabytes(saved), 1),
        **figures(answers, model.tasks),
    }
    return write_run(folder, row, labelled(answers, model.tasks))


def images_per_second(history: Path, seen: int) -> float | None:
    """Return how many images a second training took, by the median epoch; None where that is not known."""
    seconds = pd.read_csv(history).get("seconds") if seen and history.is_file() else None
    return None if seconds is None else round(seen / seconds.median(), 1)
