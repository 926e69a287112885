"""The network of an experiment, and how it is trained: its heads on features, or all of it on images."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd

from mtl_keras.data import sampling
from mtl_keras.data.pipeline import batches, feature_batches
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.weights import find_weights, load_facenet_weights
from mtl_keras.studies.rows import labelled_rows, with_balance
from mtl_keras.studies.settings import Data, Experiment, Training
from mtl_keras.training import distribute
from mtl_keras.training.optimizers import Harmonic, LayerwiseAdamW, cosine
from mtl_keras.training.resume import fit
from mtl_keras.training.trainer import MultiTaskModel

# The heads alone want larger batches than a whole network; the rate was chosen on the validation split.
FROZEN_BATCH, FROZEN_RATE = 256, 5e-4


def build(experiment: Experiment, features: int = 0) -> MultiTaskModel:
    """Return the experiment's network with the weights that it names; or only its heads, on `features` numbers."""
    keras.utils.set_random_seed(experiment.seed)
    model = MultiTaskModel(
        experiment.chosen_tasks(),
        backbone="features" if features else experiment.backbone,
        sharing=experiment.sharing,
        image_size=features or experiment.image_size,
        border=0 if features else experiment.border,
        dropout=experiment.dropout,
    )
    if experiment.weights and not features:
        load_facenet_weights(model.trunk, find_weights(experiment.weights))
    return model


def freeze_stem(model: MultiTaskModel, last: str) -> None:
    """Leave the trunk's layers up to the one of this name as they are, in training as well."""
    names = [layer.name for layer in model.trunk.layers]
    for layer in model.trunk.layers[: names.index(last) + 1 if last else 0]:
        layer.trainable = False


def take_over(source: MultiTaskModel, target: MultiTaskModel) -> None:
    """Copy the weights of all layers outside the trunk from one model to another with the same tasks."""
    for layer in source.layers:
        if layer.weights and layer is not source.trunk:
            target.get_layer(layer.name).set_weights(layer.get_weights())


def precision(name: str) -> str:
    """Return the Keras dtype policy of this name; "auto" takes bfloat16 where the machine computes in it."""
    return name if name != "auto" else "mixed_bfloat16" if distribute.computes_bfloat16() else "float32"


def train_heads(
    experiment: Experiment,
    features: tuple[np.ndarray, np.ndarray],
    train: pd.DataFrame,
    validation: tuple[np.ndarray, pd.DataFrame],
    folder: Path,
) -> MultiTaskModel:
    """Train the network's heads on the features of the training images and of their mirrored images, and return them.

    `features` are both, each (N, D) in the order of the rows of `train`; `validation` are features and rows.
    """
    both, table = np.concatenate(features), pd.concat([with_balance(experiment, train)] * 2, ignore_index=True)
    heads = build(experiment, both.shape[1])

    def training(epoch):
        return feature_batches(both, table, heads.tasks, FROZEN_BATCH, experiment.seed, epoch)

    steps = int(training(0).cardinality()) * experiment.frozen_epochs
    optimizer = LayerwiseAdamW(cosine(FROZEN_RATE, steps), experiment.weight_decay)
    compile_with(heads, experiment, optimizer)
    held = feature_batches(*validation, heads.tasks, FROZEN_BATCH)
    fit(heads, training, held, folder, experiment.frozen_epochs, experiment.patience)
    return heads


def train_network(
    experiment: Experiment,
    rows: tuple[pd.DataFrame, pd.DataFrame | None],
    heads: MultiTaskModel | None,
    folder: Path,
    epochs: int,
) -> tuple[MultiTaskModel, int]:
    """Train the whole network, from the `heads` of a model where they are given, the trunk at its own rate.

    `rows` are those to train on, and to validate on: without the latter it trains for all `epochs`. Return the network
    and the number of images that it sees in an epoch.
    """
    model = build(experiment)
    if heads:
        take_over(heads, model)
    if experiment.freeze_stem and experiment.weights:
        freeze_stem(model, BACKBONES[experiment.backbone].stem_end)
    # Balanced first: a task alone sees its rows as often as together with others, and an unknown source is an error.
    train = labelled_rows(with_balance(experiment, rows[0]), model.tasks)
    size, steps = batches_of(experiment, train)

    def training(epoch):
        return batches(train, model, size, experiment.augment, shuffle=True, seed=experiment.seed, first_epoch=epoch)

    optimizer = LayerwiseAdamW(
        learning_rate(experiment, steps),
        experiment.weight_decay,
        slow_factor=experiment.trunk_rate,
        slow_paths=tuple(variable.path for variable in model.trunk.trainable_variables),
        ema_momentum=experiment.ema or None,
    )
    compile_with(model, experiment, optimizer)
    held = None if rows[1] is None else batches(labelled_rows(rows[1], model.tasks), model)
    fit(model, training, held, folder, epochs, experiment.patience)
    return model, steps * sum(size.values()) if isinstance(size, dict) else sampling.length(sampling.times_of(train))


def compile_with(model: MultiTaskModel, experiment: Experiment, optimizer: keras.optimizers.Optimizer) -> None:
    """Compile a model with the experiment's weighting of its losses."""
    weighting = experiment.chosen_weighting(experiment.tasks)
    model.compile(optimizer, weighting, experiment.loss_mean, experiment.l2)


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


def learning_rate(training: Training, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate of the whole network's training, given the number of steps an epoch."""
    rate = training.learning_rate
    if training.schedule == "cosine":
        return cosine(rate, steps * training.epochs)
    return Harmonic(rate, steps) if training.schedule == "harmonic" else rate
