"""Steps that are skipped because their loss or gradients are no numbers: how many, and of which tasks."""

import keras
from keras import ops


class SkippedSteps(keras.metrics.Metric):
    """Counts the skipped steps since the last reset, and those in a row, whatever the epoch; of T tasks."""

    def __init__(self, tasks: int, name: str = "skipped_steps", dtype=None):
        super().__init__(name=name, dtype=dtype)

        def variable(name: str, shape: tuple):
            return self.add_variable(shape, "zeros", name=name, aggregation="only_first_replica")

        self._steps, self._skipped, self._in_a_row = (variable(n, ()) for n in ("steps", "skipped", "in_a_row"))
        self._losses = variable("losses", (tasks,))

    def update_state(self, finite, losses):
        """Add a step that is `finite`, () bool, or was skipped with these losses (T,)."""
        skipped = 1.0 - ops.cast(finite, "float32")
        self._steps.assign_add(1.0)
        self._skipped.assign_add(skipped)
        self._in_a_row.assign((self._in_a_row + 1.0) * skipped)
        self._losses.assign(ops.where(finite, self._losses.value, losses))

    def reset_state(self):
        """Start an epoch; steps in a row go on."""
        self._steps.assign(0.0)
        self._skipped.assign(0.0)

    def start(self):
        """Start a training, before which nothing was skipped."""
        self.reset_state()
        self._in_a_row.assign(0.0)

    def result(self):
        """Return the number of skipped steps since the last reset."""
        return self._skipped.value

    def seen(self) -> tuple[int, int, int, list[float]]:
        """Return the steps and the skipped ones since the last reset, those in a row, and the losses of the last."""
        steps, skipped, row = (int(ops.convert_to_numpy(each)) for each in (self._steps, self._skipped, self._in_a_row))
        return steps, skipped, row, ops.convert_to_numpy(self._losses).tolist()
