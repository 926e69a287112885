"""What TensorBoard shows of a run while it trains, where there is a folder for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path

import keras
import tensorflow as tf

from mtl_keras.errors import UserError

_FOLDER: ContextVar[Path | None] = ContextVar("folder", default=None)


@contextmanager
def logging_to(folder: Path | None) -> Iterator[None]:
    """Let each run that is trained meanwhile write its losses and metrics below a folder; None for none."""
    if folder and not find_spec("tensorboard"):
        raise UserError(
            'TensorBoard is not installed; expected `pip install -e ".[tensorboard]"`, or no folder for its logs'
        )
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


class Logs(keras.callbacks.Callback):
    """Write each epoch's losses and metrics below `folder`, those of training and of validation as two curves.

    That of Keras writes the logs of every batch too, which takes time.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.writers = [tf.summary.create_file_writer(str(folder / part)) for part in ("train", "validation")]

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            with self.writers[name.startswith("val_")].as_default():
                tf.summary.scalar(name.removeprefix("val_"), value, epoch)
        for writer in self.writers:
            writer.flush()


def logs_of(run: Path) -> list[Logs]:
    """Return the callback that writes the logs of the run of this folder; none where nobody asked for it."""
    if not (folder := _FOLDER.get()):
        return []
    # Trained once more on all rows, a run has a folder of its own in its folder.
    return [Logs(folder / run.parent.name.removeprefix("checkpoints") / run.name)]
