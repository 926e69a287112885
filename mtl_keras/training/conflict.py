"""How much the tasks' gradients are at odds: their cosines at what the tasks share, on fixed batches over training."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import combinations
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mtl_keras.data.table import write_table
from mtl_keras.state_files import read_csv
from mtl_keras.training.labels import labels_and_masks
from mtl_keras.training.parts import Examples
from mtl_keras.training.task_gradients import rows, shared_positions

CONFLICT = "conflict.csv"
Batches = Callable[[keras.Model], Iterable]
_BATCHES: ContextVar[Batches | None] = ContextVar("batches", default=None)


def gradient_cosines(model: keras.Model, batches: Iterable) -> np.ndarray:
    """Return the cosines (T, T) between the gradients of the losses that a model was compiled with, means over batches.

    Gradients are those at all variables that the losses of at least two tasks reach, without dropout and with the
    moving statistics of batch norm, so that nothing of the model moves. `batches` are (images, {task: labels}, {task:
    masks}). A cosine is NaN where a task has no label in any of the batches, where its gradient is 0, or where the
    tasks share no variable.
    """
    # Not compiled: so few batches are measured faster than a graph is made.
    each = [_cosines(model, *batch).numpy() for batch in batches]
    known = np.isfinite(each)
    return np.where(known, each, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)


def _cosines(model, images, labels, masks):
    """Return the cosines (T, T) between the tasks' gradients of one batch."""
    variables = model.trainable_variables
    labels, masks = labels_and_masks(model.tasks, labels, masks, tf.shape(images)[0])
    with tf.GradientTape(persistent=True) as tape:
        losses = model.summed_losses(model(images, training=False), Examples(images, labels, [masks]))
    by_task = [tape.gradient(loss, variables) for loss in losses]
    shared = shared_positions(by_task)
    if not shared:
        return tf.fill((len(losses), len(losses)), np.float32("nan"))
    gradients = tf.cast(rows(by_task, variables, shared), tf.float32)  # (T, P)
    directions = gradients / tf.norm(gradients, axis=1, keepdims=True)
    return tf.matmul(directions, directions, transpose_b=True)


class MeasureConflict(keras.callbacks.Callback):
    """Write the cosines before each epoch, with the epoch and both tasks, to `conflict.csv` in the run's folder."""

    def __init__(self, batches: Batches, folder: Path):
        super().__init__()
        self.batches, self.path = batches, folder / CONFLICT

    def on_epoch_begin(self, epoch, logs=None):
        known = read_conflict(self.path) if epoch and self.path.is_file() else pd.DataFrame()
        # One that is repeated after an interruption takes the place of what was measured before.
        known = known[known["epoch"] < epoch] if len(known) else known
        names = [task.name for task in self.model.tasks]
        cosines = gradient_cosines(self.model, self.batches(self.model))
        found = [
            {"epoch": epoch, "first": names[one], "second": names[other], "cosine": cosines[one, other]}
            for one, other in combinations(range(len(names)), 2)
        ]
        write_table(pd.concat([known, pd.DataFrame(found)], ignore_index=True), self.path)


def read_conflict(path: Path) -> pd.DataFrame:
    """Read a `conflict.csv`: columns epoch, first, second and cosine, a row a pair of tasks and epoch."""
    return read_csv(path, ("first", "second"), ("epoch", "cosine"), mend="remove its folder to train this run anew")


@contextmanager
def measuring_conflict(batches: Batches) -> Iterator[None]:
    """Let each run that is trained meanwhile measure its tasks' conflict on the batches that this gives of a model."""
    token = _BATCHES.set(batches)
    try:
        yield
    finally:
        _BATCHES.reset(token)


def conflict_of(folder: Path) -> list[MeasureConflict]:
    """Return the callback that measures the conflict of the run of this folder; none where nobody asked for it."""
    batches = _BATCHES.get()
    return [MeasureConflict(batches, folder)] if batches else []
