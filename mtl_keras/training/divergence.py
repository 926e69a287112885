"""Training whose loss is no number: such steps are skipped, and where many are it ends, and says what to try."""

from contextlib import suppress
from pathlib import Path

import keras
import numpy as np

from mtl_keras.errors import UserError
from mtl_keras.files import remove

# So many steps in a row are no mishap of a single batch.
MOST_SKIPPED = 10


class Diverged(UserError):
    """A loss became infinite or NaN and stayed so: what is trained on is worth nothing."""


class StopWhenDiverged(keras.callbacks.Callback):
    """End training with `Diverged` where ten steps in a row, or all of an epoch, were skipped, or validation fails.

    A step is skipped where a loss or a gradient is infinite or NaN; an epoch with such steps says how many there were.
    The folder `backup`, from which training would go on, is removed.
    """

    def __init__(self, backup: Path | None = None):
        super().__init__()
        self.backup = backup

    def on_train_begin(self, logs=None):
        self.model.skipped_steps.start()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self._looked = epoch, 0
        self.model.skipped_steps.reset_state()

    def on_train_batch_end(self, batch, logs=None):
        # Not after each step, for which a GPU would have to be waited.
        if batch + 1 - self._looked < MOST_SKIPPED:
            return
        self._looked = batch + 1
        _, _, in_a_row, losses = self.model.skipped_steps.seen()
        if in_a_row >= MOST_SKIPPED:
            self._end(losses, f"in {in_a_row} steps in a row, up to step {batch + 1} of epoch {self.epoch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        steps, skipped, in_a_row, losses = self.model.skipped_steps.seen()
        if skipped and (skipped == steps or in_a_row >= MOST_SKIPPED):
            self._end(losses, f"in {in_a_row} steps in a row, up to the end of epoch {epoch + 1}")
        if skipped:
            which, value = self._wrong(losses)
            print(f"\nepoch {epoch + 1}: {skipped} of {steps} steps skipped, since {which} was {value}", flush=True)
        tasks = [f"val_{task.name}_loss" for task in self.model.tasks]
        # A task without labels has none.
        losses = [(logs or {}).get(name, 0.0) for name in tasks]
        if not np.isfinite([*losses, (logs or {}).get("val_loss", 0.0)]).all():
            self._end(losses, f"in the validation of epoch {epoch + 1}")

    def _wrong(self, losses: list[float]) -> tuple[str, str]:
        """Return which loss was wrong, and what it was; where all losses are numbers it was the gradient."""
        names = [task.name for task, loss in zip(self.model.tasks, losses, strict=True) if not np.isfinite(loss)]
        if not names:
            return "the gradient", "infinite or NaN"
        return "the loss of " + " and ".join(names), "NaN" if np.isnan(losses).any() else "infinite"

    def _end(self, losses: list[float], when: str) -> None:
        which, value = self._wrong(losses)
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        if self.backup:
            with suppress(UserError):  # That it diverged is what matters.
                remove(self.backup)
        print(flush=True)  # ends the line of the progress bar
        raise Diverged(
            f"{which} was {value} {when}, so training was stopped; "
            f"lower the learning rate ({rate:.2g} here) or the weight of the loss, or compute in float32"
        )
