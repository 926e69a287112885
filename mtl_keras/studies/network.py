"""The network of an experiment, and how it is trained: its heads on features, or all of it on images."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from mtl_keras.data import sampling
from mtl_keras.data.augment import AUGMENTATION, Augmentation
from mtl_keras.data.pipeline import batches, feature_batches, kept_in_memory
from mtl_keras.models.weights import set_weights
from mtl_keras.studies.rows import labelled_rows, mirrored, with_balance
from mtl_keras.studies.settings import Data, Experiment, Training
from mtl_keras.studies.shared_features import SharedFeatures
from mtl_keras.training import distribute
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.optimizers import Harmonic, LayerwiseAdamW, cosine
from mtl_keras.training.resume import fit
from mtl_keras.training.trainer import Trainer

# The heads alone want larger batches than a whole network; the rate was chosen on the validation split.
FROZEN_BATCH, FROZEN_RATE = 256, 5e-4


def build(experiment: Experiment) -> MultiTaskModel:
    """Return the experiment's network with the weights that it names."""
    keras.utils.set_random_seed(experiment.seed)
    return MultiTaskModel(
        experiment.chosen_tasks(),
        backbone=experiment.backbone,
        sharing=experiment.sharing,
        image_size=experiment.image_size,
        border=experiment.border,
        dropout=experiment.dropout,
        weights=experiment.weights,
    )


def precision(name: str) -> str:
    """Return the Keras dtype policy of this name; "auto" takes bfloat16 where the machine computes in it."""
    return name if name != "auto" else "mixed_bfloat16" if distribute.computes_bfloat16() else "float32"


def train_heads(
    experiment: Experiment,
    model: MultiTaskModel,
    features: SharedFeatures,
    rows: tuple[pd.DataFrame, pd.DataFrame],
    folder: Path,
) -> None:
    """Train a model's heads on the features of the training images, and of their mirrored ones.

    `rows` are those to train on and those to validate on.
    """
    train = with_balance(experiment, rows[0])
    inputs = np.concatenate([features.train, features.mirrored])
    table = pd.concat([train, mirrored(train, model.tasks)], ignore_index=True)
    heads = model.heads_network()

    def training(epoch):
        return feature_batches(inputs, table, heads.tasks, FROZEN_BATCH, experiment.seed, epoch)

    steps = int(training(0).cardinality()) * experiment.frozen_epochs
    optimizer = LayerwiseAdamW(cosine(FROZEN_RATE, steps), experiment.weight_decay)
    compile_with(heads, experiment, optimizer)
    held = feature_batches(features.validation, rows[1], heads.tasks, FROZEN_BATCH)
    fit(heads, training, held, folder, experiment.frozen_epochs, experiment.patience)


def train_network(
    experiment: Experiment,
    rows: tuple[pd.DataFrame, pd.DataFrame | None],
    start: MultiTaskModel | None,
    folder: Path,
    epochs: int,
) -> tuple[MultiTaskModel, int]:
    """Train the whole network, from the weights of `start` where it is given, the trunk at its own rate.

    `rows` are those to train on, and to validate on: without the latter it trains for all `epochs`. Return the network
    and the number of images that it sees in an epoch.
    """
    model = build(experiment)
    if start:
        set_weights(model, start.get_weights())
    if experiment.freeze_stem and experiment.weights:
        model.freeze_stem()
    # Balanced first: a task alone sees its rows as often as together with others, and an unknown source is an error.
    train = labelled_rows(with_balance(experiment, rows[0]), model.tasks)
    size, steps = batches_of(experiment, train)
    changes = changes_of(experiment)

    def training(epoch):
        return batches(train, model, size, changes, shuffle=True, seed=experiment.seed, first_epoch=epoch)

    optimizer = LayerwiseAdamW(
        learning_rate(experiment, steps),
        experiment.weight_decay,
        slow_factor=experiment.trunk_rate,
        slow_paths=tuple(variable.path for variable in model.trunk_variables()),
        ema_momentum=experiment.ema or None,
    )
    compile_with(model, experiment, optimizer)
    held = None
    if rows[1] is not None:
        validation = labelled_rows(rows[1], model.tasks)
        held = kept_in_memory(batches(validation, model), len(validation), model.image_size)
    fit(model, training, held, folder, epochs, experiment.patience)
    return model, steps * sum(size.values()) if isinstance(size, dict) else sampling.length(sampling.times_of(train))


def compile_with(model: Trainer, experiment: Experiment, optimizer: keras.optimizers.Optimizer) -> None:
    """Compile a model with the experiment's weighting of its losses."""
    weighting = experiment.chosen_weighting(experiment.tasks)
    model.compile(
        optimizer,
        weighting=weighting,
        loss_mean=experiment.loss_mean,
        l2=experiment.l2,
        gradients_at=experiment.gradients_at,
        accumulate=experiment.accumulate,
        sync_batch_norm=experiment.sync_batch_norm,
    )


def batches_of(experiment: Experiment, train: pd.DataFrame) -> tuple[int | dict[str, int], int]:
    """Return the rows of a batch, or {source: rows}, and the number of batches in an epoch."""
    times = sampling.times_of(train)
    if not experiment.composition:
        return experiment.batch_size, -(-sampling.length(times) // experiment.batch_size)
    size = composition_of(experiment, train)
    return size, sampling.composed_length(times, train["source"].to_numpy(object), size)


def composition_of(data: Data, train: pd.DataFrame) -> dict[str, int]:
    """Return {source: rows of a batch} for the sources of these rows: one without a label of the tasks has none."""
    asked, sources = sampling.parse_composition(data.composition), set(train["source"])
    size = {source: rows for source, rows in asked.items() if source in sources}
    sampling.check_composition(train["source"].to_numpy(object), size)
    return size


def changes_of(data: Data) -> Augmentation | bool:
    """Return how training images are changed, apart from what their tasks do not allow."""
    return data.augment and replace(AUGMENTATION, gray=data.gray)


def learning_rate(training: Training, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate of the whole network's training, given the number of steps an epoch."""
    rate = training.learning_rate
    if training.schedule == "cosine":
        return cosine(rate, steps * training.epochs)
    return Harmonic(rate, steps) if training.schedule == "harmonic" else rate
