"""Training that goes on where it stopped: the callbacks of a run, its backups and its best weights."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mtl_keras.data.decoding import naming_images
from mtl_keras.data.table import write_table
from mtl_keras.errors import UserError
from mtl_keras.training.conflict import conflict_of
from mtl_keras.training.divergence import StopWhenDiverged
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.tensorboard import logs_of


class StopWhenFlat(keras.callbacks.Callback):
    """Stop when the validation loss has not reached a new low for `patience` epochs, those before a resume included."""

    def __init__(self, patience: int, earlier: list[float]):
        super().__init__()
        self.patience, self.losses = patience, list(earlier)

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs["val_loss"])
        if len(self.losses) - 1 - self.losses.index(min(self.losses)) >= self.patience:
            self.model.stop_training = True


class TimeTraining(keras.callbacks.Callback):
    """Add to each epoch's log the `seconds` that its training took, input included and validation not."""

    def on_epoch_begin(self, epoch, logs=None):
        self.started, self.ended = time.perf_counter(), None

    def on_test_begin(self, logs=None):
        self.ended = self.ended or time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        logs["seconds"] = (self.ended or time.perf_counter()) - self.started


class Backup(keras.callbacks.Callback):
    """Keep in `folder` what training goes on with, before each epoch but the first.

    Unlike that of `keras.callbacks.BackupAndRestore` it is there whole or not at all, and only after everything else
    that the epoch before has left: a run that is killed at any moment repeats one epoch.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder

    def on_epoch_begin(self, epoch, logs=None):
        earlier, unfinished = epochs_done(self.folder), self.folder / "unfinished.weights.h5"
        if epoch > earlier:
            self.folder.mkdir(parents=True, exist_ok=True)
            # First, since the weights' file makes the backup known.
            np.save(_seeds_file(self.folder, epoch), [np.asarray(seed) for seed in _seeds(self.model)])
            self.model.save_weights(unfinished)
            # The number of epochs is in the name, so that one step makes both known.
            os.replace(unfinished, backed_up(self.folder, epoch))
            backed_up(self.folder, earlier).unlink(missing_ok=True)
            _seeds_file(self.folder, earlier).unlink(missing_ok=True)


def backed_up(backup: Path, epochs: int) -> Path:
    """Return the file of weights and optimizer state after this number of epochs."""
    return backup / f"{epochs}.weights.h5"


def restore(model: MultiTaskModel, backup: Path, epochs: int) -> None:
    """Give a model what it had after this number of epochs: weights, optimizer, state, and what dropout draws next."""
    model.load_weights(backed_up(backup, epochs))
    # An older version kept no seeds.
    if (file := _seeds_file(backup, epochs)).is_file():
        for seed, value in zip(_seeds(model), np.load(file), strict=True):
            seed.assign(value)


def _seeds(model: keras.Model) -> list[keras.Variable]:
    """Return the states of all random generators in a model, which Keras does not save with its weights."""
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def _seeds_file(backup: Path, epochs: int) -> Path:
    return backup / f"{epochs}.seeds.npy"


def fit(
    model: MultiTaskModel,
    training: Callable[[int], tf.data.Dataset],
    validation: tf.data.Dataset | None,
    folder: Path,
    epochs: int,
    patience: int,
) -> None:
    """Train a compiled model, going on where the run of this folder stopped, and leave it with its best weights.

    The best are those of the epoch with the lowest validation loss, and without validation those of the last epoch;
    where the optimizer keeps a moving average of the weights, they are its averages. `training` gives the batches from
    a certain epoch on. Training that diverges is a `Diverged` error, and would start from the first epoch again.
    """
    backup = folder / "backup"
    finished, curve = epochs_done(backup), curve_before(folder)
    if finished:
        # A run that was killed between the two files may have logged an epoch that it has to repeat.
        write_table(curve, folder / "history.csv")
    model.optimizer.build(model.trainable_variables)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if finished:
            restore(model, backup, finished)
        with naming_images():
            model.fit(
                training(finished),
                validation_data=validation,
                initial_epoch=finished,
                epochs=epochs,
                callbacks=_callbacks(model, folder, None if validation is None else patience),
                shuffle=False,
            )
        model.load_weights(folder / "best.weights.h5")
    except OSError as error:
        reason = " ".join(str(error.strerror or error).split())
        raise UserError(
            f"{folder}: cannot be written to or read ({reason}); make room and go on with --resume, or start anew"
        ) from None
    except tf.errors.NotFoundError as error:
        reason = str(error.message).split(";")[0]
        raise UserError(
            f"an image went missing during training ({reason}); start anew with the images that are there"
        ) from None


def _callbacks(model: MultiTaskModel, folder: Path, patience: int | None) -> list[keras.callbacks.Callback]:
    """Return the callbacks of the run in this folder; `patience` is None where nothing is validated."""
    backup, validated = folder / "backup", patience is not None
    losses = curve_before(folder)["val_loss"].tolist() if validated else []
    return [
        StopWhenDiverged(backup),  # first, so that nothing of an epoch that diverged is kept
        *([keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if model.optimizer.use_ema else []),
        # After the averages have made way for the weights that training goes on with.
        Backup(backup),
        *conflict_of(folder),  # before the clock starts
        TimeTraining(),
        keras.callbacks.ModelCheckpoint(
            str(folder / "best.weights.h5"),
            "val_loss",
            save_best_only=validated,
            save_weights_only=True,
            initial_value_threshold=min(losses, default=None),
        ),
        keras.callbacks.CSVLogger(str(folder / "history.csv"), append=epochs_done(backup) > 0),
        *([StopWhenFlat(patience, losses)] if validated else []),
        *logs_of(folder),
    ]


def epochs_done(backup: Path) -> int:
    """Return after how many epochs this backup was made; 0 without one."""
    return max((int(path.name.split(".")[0]) for path in backup.glob("[0-9]*.weights.h5")), default=0)


def curve_before(folder: Path) -> pd.DataFrame:
    """Return the logged epochs that the run of this folder need not repeat."""
    finished, history = epochs_done(folder / "backup"), folder / "history.csv"
    return pd.read_csv(history).iloc[:finished] if finished and history.is_file() else pd.DataFrame({"val_loss": []})


def seconds_before(folder: Path) -> float:
    """Return how many seconds the epochs took that the run of this folder need not repeat."""
    curve = curve_before(folder)
    return float(curve["seconds"].sum()) if "seconds" in curve else 0.0
