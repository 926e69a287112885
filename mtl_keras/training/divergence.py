"""Training whose loss is no number any more: it ends at once, and says which loss that was and what to try."""

import shutil
from pathlib import Path

import keras
import numpy as np

from mtl_keras.errors import UserError


class Diverged(UserError):
    """A loss became infinite or NaN, so what was trained is worth nothing."""


class StopWhenDiverged(keras.callbacks.Callback):
    """End training with `Diverged` after the first step, or validation, of which a loss is infinite or NaN.

    The folder `backup`, from which training would go on, is removed.
    """

    def __init__(self, backup: Path):
        super().__init__()
        self.backup = backup

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._check(logs or {}, "loss", f"epoch {self.epoch + 1}, step {batch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        self._check(logs or {}, "loss", f"epoch {epoch + 1}")
        self._check(logs or {}, "val_loss", f"the validation of epoch {epoch + 1}")

    def _check(self, logs: dict, total: str, when: str) -> None:
        """Raise `Diverged` where the total, or a task's part of it, is no finite number."""
        found = {name: logs[name] for name in logs if name.endswith("loss") and not np.isfinite(logs[name]).all()}
        tasks = [task.name for task in self.model.tasks if total.removesuffix("loss") + f"{task.name}_loss" in found]
        if not tasks and total not in found:
            return
        value = "NaN" if any(np.isnan(loss).any() for loss in found.values()) else "infinite"
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        which = "the loss of " + " and ".join(tasks) if tasks else "the loss"
        shutil.rmtree(self.backup, ignore_errors=True)
        print(flush=True)  # ends the line of the progress bar
        raise Diverged(
            f"{which} became {value} in {when}, so training was stopped; "
            f"lower the learning rate ({rate:.2g} here) or the weight of the loss, or compute in float32"
        )
