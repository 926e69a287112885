"""What a kind of task answers, with the defaults that all kinds of numbers share; and what a metric is."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.files import as_numbers
from mtl_keras.tasks import Task


class Metric(NamedTuple):
    """A figure that says what answers are worth: its name in `runs.csv`, and how it is shown.

    `title` names it in figures, `heading` in tables. Its unit is "%" (of a fraction in `runs.csv`), one of its own,
    or, where it is empty, that of the task.
    """

    name: str
    title: str
    heading: str
    lower_is_better: bool
    unit: str = ""

    @property
    def factor(self) -> float:
        """What the number in `runs.csv` is multiplied by to be shown."""
        return 100 if self.unit == "%" else 1

    def of_output(self, output: str) -> "Metric":
        """Return the same metric of one output of a task: `yaw_mae`."""
        name, words = f"{output}_{self.name}", output.replace("_", " ")
        return self._replace(name=name, title=f"{words} {self.title}", heading=f"{words} {self.heading}")


MAE = Metric("mae", "MAE", "MAE", True)
RMSE = Metric("rmse", "RMSE", "RMSE", True)
# Of images whose label is an interval: the share of answers that lie in it.
WITHIN_INTERVAL = Metric("within_interval", "within the interval", "within the interval, %", False, "%")


def cumulative_score(within: float) -> Metric:
    """Return the fraction of answers whose error is at most this bound, in the task's unit, as a metric: `cs5`."""
    words = f"within {within:g}"
    return Metric(f"cs{within:g}".replace(".", "_"), words, f"{words}, %", False, "%")


class Kind:
    """A task, as tasks of its kind are labelled, learned, answered and measured; unless overridden, one of numbers.

    B and N are numbers of examples, D the number of the task's outputs (without the axis where it has none of its own),
    K the width of its head's output. `loss`, `score` and `answers` use `keras.ops`, all others NumPy.
    """

    # Whether cells of the label table hold names of classes; labels are then class indices.
    names = False
    # Whether a label may be an interval, of which `loss` and `score` take the ends: labels (B, 2) instead of (B,).
    intervals = False
    # Type of the labels as networks take them.
    dtype = np.float32
    # Every metric of the kind that does not depend on the task, and the one that is shown while training.
    METRICS: tuple[Metric, ...] = (MAE, RMSE)
    SCORE = MAE
    # What is shown of a run in tables.
    SHOWN: tuple[Metric, ...] = (RMSE, MAE)
    # How the names of the columns end that `answer_columns` gives.
    ANSWERS: tuple[str, ...] = (".value",)

    def __init__(self, task: Task):
        self.task = task
        self.check()
        low, high = self.range
        if not low < high:
            raise UserError(f"task {task.name!r}: range {low:g} to {high:g}: expected a smaller and a larger number")

    def check(self) -> None:
        """Refuse a task that lacks what this kind needs."""

    def _need(self, field: str, entries: tuple) -> None:
        if len(entries) < 2:
            raise UserError(
                f"task {self.task.name!r}: a task of kind {self.task.kind!r} needs at least two `{field}`, "
                f"got {len(entries)}"
            )

    # === Cells of the label table ===

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest number that a label may be."""
        return self.task.range or (-np.inf, np.inf)

    @property
    def bin_width(self) -> float:
        """How wide the bins are, in the task's unit, in which the audit counts labels."""
        low, high = self.range
        return 10 if high - low > 20 else (high - low) / 10

    @property
    def expected(self) -> str:
        """What a cell may hold, in words."""
        low, high = self.range
        if np.isinf(low) and np.isinf(high):
            return "a finite number"
        return f"a number from {low:g} to {high:g} {self.task.unit}".rstrip()

    def numbers(self, cells: pd.Series) -> pd.Series:
        """Return a column's cells as float64 (N,): NaN where a cell is blank or not what is expected."""
        numbers = as_numbers(cells)
        return numbers.where(np.isfinite(numbers) & numbers.between(*self.range))

    def cells(self, numbers: np.ndarray) -> np.ndarray:
        """Return the cells that float32 numbers (N,) were, NaN as a blank."""
        # By way of text: the number that was written, not the float32 nearest to it.
        return numbers.astype(str).astype(np.float64)

    # === The network ===

    def head(self, features, units: tuple[int, ...] = (), dropout: float = 0.0, initializer="glorot_uniform"):
        """Return the outputs (B, K) from the task's features (B, F).

        `units` are the widths of dense layers with LeakyReLU before the last layers. Those compute in float32 whatever
        the precision of the rest, since probabilities need it, and their kernel starts as the `initializer` says.
        """
        name = self.task.name
        for index, width in enumerate(units):
            features = keras.layers.Dense(width, name=f"{name}_dense_{index}")(features)
            features = keras.layers.LeakyReLU(0.1, name=f"{name}_leaky_relu_{index}")(features)
            if dropout:
                features = keras.layers.Dropout(dropout, name=f"{name}_dropout_{index}")(features)
        return self.last_layers(features, initializer)

    def scores(self, features, width: int, initializer):
        """Return the last dense layer (B, width) of the head."""
        name, wide = f"{self.task.name}_scores", keras.config.dtype_policy().compute_dtype == "float64"
        dtype = "float64" if wide else "float32"
        return keras.layers.Dense(width, kernel_initializer=initializer, name=name, dtype=dtype)(features)

    def last_layers(self, features, initializer):
        """Return the outputs (B, K) in float32 from the last hidden features (B, F), by a layer named as the task."""
        raise NotImplementedError

    def loss(self, labels, outputs):
        """Return the loss (B,) of each example: labels (B,) or (B, D), outputs (B, K)."""
        raise NotImplementedError

    def answers(self, outputs):
        """Return what the outputs (B, K) answer, tensors or arrays alike: class indices or numbers (B,), or (B, D)."""
        raise NotImplementedError

    def score(self, labels, outputs):
        """Return each example's part (B,) of `SCORE`, which is shown while training."""
        labels, answers = ops.cast(labels, "float32"), self.answers(ops.cast(outputs, "float32"))
        if self.intervals and len(labels.shape) == 2:
            return distance(labels, answers)
        error = ops.abs(self.difference(labels, answers))
        return ops.mean(error, axis=-1) if self.task.outputs else error

    def difference(self, labels, answers):
        """Return answers minus labels, tensors or arrays alike, in the task's unit."""
        return answers - labels

    @property
    def mirrors(self) -> bool:
        """Whether labels of mirrored images are known from those of the images, by `mirrored`."""
        return not self.task.oriented

    def mirrored(self, values):
        """Return labels (B,), (B, D) or outputs (B, K), tensors or arrays alike, as they are of the mirrored images."""
        return values

    # === What answers are worth ===

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric of the task."""
        within = () if self.task.within is None else (cumulative_score(self.task.within),)
        outputs = (metric.of_output(output) for output in self.task.outputs for metric in (MAE, RMSE))
        return (*self.METRICS, *within, *outputs)

    @property
    def shown(self) -> tuple[Metric, ...]:
        """The metrics of the task that stand in tables of runs."""
        outputs = self.task.outputs
        return (MAE, *(MAE.of_output(output) for output in outputs)) if outputs else self.SHOWN

    def measure(self, labels: np.ndarray, answers: np.ndarray, mask: np.ndarray) -> dict[str, float]:
        """Return the task's metrics by name over the labelled examples: labels and answers (N,) or (N, D), mask (N,).

        `n` is the number of labelled examples; without any, all others are NaN.
        """
        labelled = np.asarray(mask) > 0
        count = int(labelled.sum())
        found = self.measured(np.asarray(labels)[labelled], np.asarray(answers)[labelled]) if count else {}
        return {"n": count} | {metric.name: float(found.get(metric.name, np.nan)) for metric in self.metrics}

    def measured(self, labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
        """Return every metric by name, of at least one example, all of them labelled."""
        error = np.abs(self.difference(labels, answers.astype(np.float64)))
        found = {"mae": error.mean(), "rmse": np.sqrt(np.mean(error**2))}
        if self.task.within is not None:
            found[cumulative_score(self.task.within).name] = np.mean(error <= self.task.within)
        for number, output in enumerate(self.task.outputs):
            found[MAE.of_output(output).name] = error[:, number].mean()
            found[RMSE.of_output(output).name] = np.sqrt(np.mean(error[:, number] ** 2))
        return found

    def within(self, ends: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Return which answers (N,) lie in their intervals, whose ends (N, 2) count as within."""
        return (answers >= ends[:, 0]) & (answers <= ends[:, 1])

    # === Answers in tables and files ===

    def answer_columns(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return the columns (N,) that stand for the outputs (N, K) of images, as `ANSWERS` says."""
        answers = ops.convert_to_numpy(self.answers(outputs)).reshape(len(outputs), -1)  # (N, D)
        return {f"{column}.value": answers[:, index] for index, column in enumerate(self.task.columns)}

    def answers_in(self, table: pd.DataFrame) -> np.ndarray:
        """Return the answers (N,) or (N, D) that `measure` takes, from a table with `answer_columns`."""
        values = table[[f"{column}.value" for column in self.task.columns]].to_numpy(np.float32)
        return values if self.task.outputs else values[:, 0]

    def confidence(self, answered_table: pd.DataFrame) -> np.ndarray | None:
        """Return how sure the answers (N,) of a table are, the surer the higher; None where they do not tell."""
        return None

    def interval(self, outputs: np.ndarray, share: float) -> np.ndarray | None:
        """Return the ends (N, 2) of the central interval of this share of each answer's probability; None without."""
        return None

    def as_json(self, row: Mapping[str, float]) -> dict:
        """Return one image's answer from its row of a table with `answer_columns`, as JSON holds it."""
        name = self.task.name
        if self.task.outputs:
            pairs = zip(self.task.outputs, self.task.columns, strict=True)
            return {output: rounded(row[f"{column}.value"]) for output, column in pairs}
        # Where a kind tells no deviation the key is there all the same, so that all ages read alike.
        return {"value": rounded(row[f"{name}.value"]), "std": rounded(row.get(f"{name}.std"))}

    def mean(self, outputs: list[np.ndarray]) -> np.ndarray:
        """Return the mean (N, K) of several outputs of the same images, as several looks at them give."""
        return np.mean(outputs, axis=0)

    @property
    def constant_answer(self) -> str:
        """What `constant` is, in words."""
        return f"median {self.task.name.replace('_', ' ')}"

    def constant(self, labels: np.ndarray) -> np.ndarray:
        """Return the outputs (K,) of the best answer that ignores the image, from labels (N,) or (N, D)."""
        return np.median(labels, axis=0).reshape(-1)


def library(values):
    """Return NumPy for an array, Keras' operations for a tensor: of what both have, the names and arguments are alike.

    For the answers about a few faces, NumPy takes a hundredth of the time.
    """
    return np if isinstance(values, np.ndarray) else ops


def distance(intervals, answers):
    """Return how far answers (B,) lie outside of intervals (B, 2), 0 within."""
    return ops.maximum(ops.maximum(intervals[:, 0] - answers, answers - intervals[:, 1]), 0.0)


def rounded(number: float | None) -> float | None:
    """Return a number with four decimals, and None for one that is missing or not finite."""
    return None if number is None or not math.isfinite(number) else round(float(number), 4)
