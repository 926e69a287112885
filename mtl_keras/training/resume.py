"""Training that goes on where it stopped: the callbacks of a run, its backups and its best weights."""

import csv
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mtl_keras.data.decoding import naming_images
from mtl_keras.errors import UserError
from mtl_keras.files import replacing
from mtl_keras.training import backup
from mtl_keras.training.conflict import conflict_of
from mtl_keras.training.divergence import StopWhenDiverged
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.tensorboard import logs_of

# In the folder of a run: its learning curve, and what it goes on with where it is broken off.
HISTORY, BACKUP = "history.csv", "backup"


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


class KeepBest(keras.callbacks.Callback):
    """Keep in `state` what the network was after the epoch of the lowest validation loss; without one, after the last.

    `losses` are those of the epochs before a resume, and `state` is what was kept of them.
    """

    def __init__(self, losses: list[float], state: list[np.ndarray]):
        super().__init__()
        self.lowest, self.state = min(losses, default=np.inf), state

    def on_epoch_end(self, epoch, logs=None):
        loss = logs.get("val_loss")
        if loss is None or loss < self.lowest:
            self.lowest, self.state = loss, backup.values_of(backup.network_state(self.model))


class Backup(keras.callbacks.Callback):
    """Give a model what its run had when it was broken off, and back that up before each epoch but the first.

    `done` is the number of epochs before the resume, and `saved` is what the newest backup holds. A backup is there
    whole or not at all, and only after everything else that the epoch before has left: a run that is killed at any
    moment repeats one epoch.
    """

    def __init__(self, folder: Path, best: KeepBest, done: int, saved: list[np.ndarray]):
        super().__init__()
        self.folder, self.best, self.done, self.saved = folder, best, done, saved

    def on_train_begin(self, logs=None):
        if self.saved:
            backup.assign(backup.training_state(self.model), self.saved)
            self.saved = []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch > self.done:
            curve = np.frombuffer((self.folder / HISTORY).read_bytes(), "uint8")
            state = backup.values_of(backup.training_state(self.model))
            backup.write(self.folder / BACKUP, epoch, [curve, *state, *self.best.state])


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
    model.optimizer.build(model.trainable_variables)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        finished = backup.epochs_done(folder / BACKUP)
        curve, state, kept = _read(model, folder, finished) if finished else (b"", [], [])
        # A file of before may have an epoch more, which is repeated, and a link would be written through.
        with replacing(folder / HISTORY) as temporary:
            temporary.write_bytes(curve)
        losses = [] if validation is None else _column(curve, "val_loss")
        best = KeepBest(losses, kept)
        with naming_images():
            model.fit(
                training(finished),
                validation_data=validation,
                initial_epoch=finished,
                epochs=epochs,
                callbacks=[
                    StopWhenDiverged(folder / BACKUP),  # first, so that nothing of an epoch that diverged is kept
                    *([keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if model.optimizer.use_ema else []),
                    # After the averages have made way for the weights that training goes on with.
                    Backup(folder, best, finished, state),
                    *conflict_of(folder),  # before the clock starts
                    TimeTraining(),
                    best,
                    keras.callbacks.CSVLogger(str(folder / HISTORY), append=finished > 0),
                    *([] if validation is None else [StopWhenFlat(patience, losses)]),
                    *logs_of(folder),
                ],
                shuffle=False,
            )
        backup.assign(backup.network_state(model), best.state)
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


def _read(model: MultiTaskModel, folder: Path, epochs: int) -> tuple[bytes, list[np.ndarray], list[np.ndarray]]:
    """Return what the newest backup of a run holds: its learning curve, its state, and that of its best epoch."""
    curve, *arrays = backup.read(folder / BACKUP)
    if len(_column(curve.tobytes(), "loss")) != epochs:
        raise UserError(f"{folder}: its backup has no learning curve of {epochs} epochs; {backup.ANEW}")
    state = backup.training_state(model)
    backup.check_fits(arrays, [*state, *backup.network_state(model)], folder)
    return curve.tobytes(), arrays[: len(state)], arrays[len(state) :]


def _column(curve: bytes, name: str) -> list[float]:
    """Return a column of a learning curve as its file holds it, to the last bit: which epoch is best hangs on it."""
    try:
        return [float(row[name]) for row in csv.DictReader(curve.decode().splitlines())]
    except (KeyError, TypeError, ValueError):
        raise UserError(f"the learning curve of a backup has no numbers {name!r}; {backup.ANEW}") from None


def seconds_before(folder: Path) -> float:
    """Return how many seconds the epochs took that the run of this folder need not repeat."""
    if not backup.epochs_done(folder / BACKUP):
        return 0.0
    return sum(_column(backup.read(folder / BACKUP)[0].tobytes(), "seconds"))
