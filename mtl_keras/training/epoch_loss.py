"""The loss of an epoch: that of all its examples, however they were batched."""

from collections.abc import Callable

import keras
from keras import ops

from mtl_keras.training.masked import mean_of


@keras.saving.register_keras_serializable("mtl_keras")
class EpochLoss(keras.metrics.Metric):
    """The weighted sum of T tasks' mean losses, each over all examples since the last reset.

    So it depends neither on the order of the examples nor on the size of the batches; the mean of the batches' losses
    does, where not every batch has labels of every task. Weights that change while training count as they are in the
    epoch's last step.

    Every replica is told what all of them have seen, so that none has to be asked for its part.
    """

    def __init__(self, tasks: int, name: str = "loss", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self._tasks = tasks

        def variable(name: str, shape: tuple):
            return self.add_variable(shape, "zeros", name=name, aggregation="only_first_replica")

        # Rows are the losses' sums, what these are divided by, and the numbers of labelled examples.
        self._totals = variable("totals", (3, tasks))
        self._added, self._steps, self._of_tasks = (variable(name, ()) for name in ("added", "steps", "of_tasks"))

    def update_state(self, sums, divisors, counts, added, weighed: Callable):
        """Add a step: the tasks' summed losses (T,), their divisors (T,), their numbers of labelled examples (T,).

        What layers have `added` to the loss of a step, a scalar, is averaged over the steps. `weighed(means, present)`
        returns the scalar that means (T,) are worth together, given which tasks have had a label, (T,) bool.
        """
        self._totals.assign_add(ops.stack([sums, divisors, counts]))
        self._added.assign_add(added)
        self._steps.assign_add(1.0)
        sums, divisors, counts = ops.unstack(self._totals.value)
        self._of_tasks.assign(weighed(mean_of(sums, divisors), counts > 0))

    def labelled(self):
        """Return for each task whether any example since the last reset had a label of it, (T,) bool."""
        return self._totals[2] > 0

    def means(self) -> tuple:
        """Return the tasks' mean losses since the last reset (T,), and which of them had a label, (T,) bool."""
        sums, divisors, counts = ops.unstack(self._totals.value)
        return mean_of(sums, divisors), counts > 0

    def result(self):
        """Return the loss, a scalar; 0 before the first step."""
        # A sum of its own: the variable itself would change in an epoch's logs while its validation runs.
        return self._of_tasks + mean_of(self._added.value, self._steps.value)

    def get_config(self):
        return {**super().get_config(), "tasks": self._tasks}


class EndWeightingEpoch(keras.callbacks.Callback):
    """Let a weighting that goes by epochs know the tasks' mean losses of each, before it is validated."""

    def on_epoch_begin(self, epoch, logs=None):
        self._told = False

    def on_test_begin(self, logs=None):
        self._tell()

    def on_epoch_end(self, epoch, logs=None):
        self._tell()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self.model.end_weighting_epoch()
