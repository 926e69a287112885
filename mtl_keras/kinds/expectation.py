"""A number as the expected value of a softmax over bins (Rothe et al., DEX, 2015), such as an age."""

import keras
import numpy as np
import pandas as pd
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.kinds.categorical import SMALLEST_PROBABILITY, precise, soft_cross_entropy
from mtl_keras.kinds.kind import Kind, distance, library


class Expectation(Kind):
    """A task whose answer is a number; outputs are the probabilities (B, K) of the K bins `values`."""

    intervals = True
    ANSWERS = (".value", ".std")

    def check(self) -> None:
        """Refuse a task with fewer than two bins or an unknown readout."""
        self._need("values", self.task.values)
        if self.task.readout not in ("mean", "argmax"):
            raise UserError(
                f"task {self.task.name!r}: readout {self.task.readout!r} is unknown; expected mean or argmax"
            )

    @property
    def range(self) -> tuple[float, float]:
        """From the first bin to the last."""
        return self.task.range or (min(self.task.values), max(self.task.values))

    def last_layers(self, features, initializer):
        """Return probabilities (B, K)."""
        scores = self.scores(features, self.task.size, initializer)
        return keras.layers.Softmax(name=self.task.name, dtype=scores.dtype)(scores)

    def loss(self, labels, outputs):
        """Return the cross-entropy (B,) against each label's distribution, plus `error_weight` times the error.

        Of an interval, labels (B, 2), it is that of the bins within: minus the logarithm of their probability together.
        """
        task, outputs = self.task, precise(outputs)
        if len(labels.shape) == 2:
            return self._interval_loss(ops.cast(labels, "float32"), ops.cast(outputs, "float32"))
        loss = soft_cross_entropy(label_distribution(labels, task.values, task.label_std), outputs)
        return loss + task.error_weight * expectation_error(labels, task.values, outputs) if task.error_weight else loss

    def _interval_loss(self, labels, outputs):
        """Return the loss (B,) of the ends of intervals (B, 2); one of which both ends are the same is a number."""
        low, high, values = labels[:, :1], labels[:, 1:], ops.convert_to_tensor(self.task.values, "float32")
        within = ops.logical_and(values >= low, values <= high)  # (B, K)
        # An interval between two bins holds none.
        exact = ops.logical_or(low[:, 0] == high[:, 0], ops.logical_not(ops.any(within, axis=1)))
        middle = ops.mean(labels, axis=1)
        number = soft_cross_entropy(label_distribution(middle, self.task.values, self.task.label_std), outputs)
        together = ops.sum(ops.where(within, outputs, 0.0), axis=1)
        interval = -ops.log(ops.maximum(together, SMALLEST_PROBABILITY))
        error = distance(labels, ops.matmul(outputs, values))
        return ops.where(exact, number, interval) + self.task.error_weight * error

    def answers(self, outputs):
        """Return the expected value (B,), or the most probable bin where the task reads out that."""
        of, values = library(outputs), np.asarray(self.task.values, np.float32)
        if self.task.readout == "argmax":
            return of.take(values, of.argmax(outputs, axis=-1))
        return of.matmul(outputs, values)

    def answer_columns(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return each answer (N,), and the standard deviation (N,) of its distribution."""
        values = np.asarray(self.task.values)
        variance = outputs @ values**2 - (outputs @ values) ** 2
        return {**super().answer_columns(outputs), f"{self.task.name}.std": np.sqrt(np.maximum(variance, 0))}

    def confidence(self, answered_table: pd.DataFrame) -> np.ndarray:
        """Return minus the standard deviation (N,) of each answer's distribution."""
        return -answered_table[f"{self.task.name}.std"].to_numpy(np.float64)

    def interval(self, outputs: np.ndarray, share: float) -> np.ndarray:
        """Return the first and the last bin (N, 2) that are not wholly in the tails, which hold the rest in halves."""
        order = np.argsort(self.task.values)
        below = np.cumsum(outputs[:, order], axis=-1, dtype=np.float64)
        ends = [(below <= tail).sum(axis=-1) for tail in ((1 - share) / 2, (1 + share) / 2)]
        last = len(order) - 1
        return np.asarray(self.task.values)[order][np.minimum(np.stack(ends, axis=-1), last)]

    def within(self, ends: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Return which answers (N,) lie in their intervals (N, 2), each answer taken for the bin that is nearest."""
        values = np.sort(self.task.values)
        return super().within(ends, values[np.searchsorted((values[:-1] + values[1:]) / 2, answers)])

    def constant(self, labels: np.ndarray) -> np.ndarray:
        """Return all the probability (K,) in the bin of the median, whose expected value is the median itself."""
        return np.eye(self.task.size)[np.argmin(np.abs(np.asarray(self.task.values) - np.median(labels)))]


def label_distribution(labels, values, std):
    """Return Gaussians (B, K) of standard deviation `std` around labels (B,) on the bins `values` (K,); 0 is one-hot.

    Source: Gao et al., Deep label distribution learning with label ambiguity, 2017.
    """
    values = ops.convert_to_tensor(values, "float32")
    distance = ops.expand_dims(labels, -1) - values  # (B, K)
    if not std:
        return ops.one_hot(ops.argmin(ops.abs(distance), axis=-1), values.shape[0])
    return ops.softmax(-0.5 * ops.square(distance / std), axis=-1)


def expectation_error(labels, values, probabilities):
    """Return |expected value - label| (B,) of probabilities (B, K) of the bins `values` (K,), in the bins' unit.

    Source: Gao et al., Age estimation using expectation of label distribution learning, 2018.
    """
    return ops.abs(ops.subtract(ops.matmul(probabilities, ops.convert_to_tensor(values, "float32")), labels))
