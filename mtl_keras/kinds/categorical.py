"""One of several classes: a softmax, trained on the cross-entropy."""

import re
from collections.abc import Mapping

import keras
import numpy as np
import pandas as pd
from keras import ops

from mtl_keras.kinds.kind import Kind, Metric, library, rounded

ACCURACY = Metric("accuracy", "accuracy", "%", False, "%")
MACRO_F1 = Metric("macro_f1", "macro F1", "macro F1, %", False, "%")
# Keeps log() finite in float32 and its gradient alive: p * (1 / p) is still 1 there.
SMALLEST_PROBABILITY = 1e-30


class Categorical(Kind):
    """A task whose answer is one of its `classes`; outputs are the probabilities (B, K) of the K classes."""

    names = True
    dtype = np.int32
    METRICS = (ACCURACY, MACRO_F1)
    SCORE = ACCURACY
    SHOWN = (ACCURACY,)
    ANSWERS = (".class", ".probability")

    def check(self) -> None:
        """Refuse a task with fewer than two classes."""
        self._need("classes", self.task.classes)

    # === Cells of the label table ===

    @property
    def expected(self) -> str:
        """What a cell may hold, in words."""
        return f"one of {', '.join(self.task.classes)}"

    def numbers(self, cells: pd.Series) -> pd.Series:
        """Return class indices as float64 (N,): NaN where a cell is blank or no class.

        A class that is a number may be written as any table program writes it: of a column with blanks, 1 as 1.0.
        """
        indices = {name: float(index) for index, name in enumerate(self.task.classes)}
        numbers = {float(name): index for name, index in indices.items() if re.fullmatch(r"-?\d+", name)}
        spelled = {str(number): index for number, index in numbers.items()}
        return cells.map({**spelled, **numbers, **indices}).astype(np.float64)

    def cells(self, numbers: np.ndarray) -> np.ndarray:
        """Return the class names of indices (N,), None for -1."""
        return np.array([*self.task.classes, None], object)[numbers]

    # === The network ===

    def last_layers(self, features, initializer):
        """Return probabilities (B, K)."""
        scores = self.scores(features, self.task.size, initializer)
        return keras.layers.Softmax(name=self.task.name, dtype=scores.dtype)(scores)

    def loss(self, labels, outputs):
        """Return the cross-entropy (B,) of class indices (B,) and probabilities (B, K)."""
        return cross_entropy(labels, precise(outputs))

    def answers(self, outputs):
        """Return the index (B,) of the most probable class."""
        return library(outputs).argmax(outputs, axis=-1)

    def score(self, labels, outputs):
        """Return 1 where the answer is right, else 0 (B,)."""
        return ops.cast(ops.equal(ops.cast(labels, "int32"), ops.cast(self.answers(outputs), "int32")), "float32")

    # === Temperature ===

    def tempered(self, outputs: np.ndarray, temperature: float) -> np.ndarray:
        """Return the probabilities (N, K) that come of the same scores divided by a temperature."""
        scores = np.log(np.maximum(outputs, SMALLEST_PROBABILITY, dtype=np.float64)) / temperature
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)

    def divide_scores(self, network: keras.Model, temperature: float) -> None:
        """Divide the scores of the task's head in a network by a temperature, in its weights."""
        layer = network.get_layer(f"{self.task.name}_scores")
        layer.set_weights([weight / temperature for weight in layer.get_weights()])

    # === What answers are worth ===

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Accuracy, and F1 averaged over the classes, both as fractions."""
        return self.METRICS

    @property
    def shown(self) -> tuple[Metric, ...]:
        """The metrics of the task that stand in tables of runs."""
        return self.SHOWN

    def measured(self, labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
        """Return every metric by name, of at least one example, all of them labelled."""
        labels = labels.astype(int)
        return {"accuracy": np.mean(labels == answers), "macro_f1": macro_f1(labels, answers, self.task.size)}

    # === Answers in tables and files ===

    def answer_columns(self, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return the name of each answer's class (N,) and its probability (N,)."""
        answers = ops.convert_to_numpy(self.answers(outputs)).astype(int)
        probabilities = outputs[np.arange(len(outputs)), answers]
        name = self.task.name
        return {f"{name}.class": np.array(self.task.classes)[answers], f"{name}.probability": probabilities}

    def answers_in(self, table: pd.DataFrame) -> np.ndarray:
        """Return class indices (N,)."""
        index = {name: number for number, name in enumerate(self.task.classes)}
        return table[f"{self.task.name}.class"].map(index).to_numpy(int)

    def confidence(self, answered_table: pd.DataFrame) -> np.ndarray:
        """Return the probability (N,) of each answer's class."""
        return answered_table[f"{self.task.name}.probability"].to_numpy(np.float64)

    def as_json(self, row: Mapping) -> dict:
        """Return one image's class and its probability."""
        name = self.task.name
        return {"class": str(row[f"{name}.class"]), "probability": rounded(row[f"{name}.probability"])}

    @property
    def constant_answer(self) -> str:
        """What `constant` is, in words."""
        return "most frequent class"

    def constant(self, labels: np.ndarray) -> np.ndarray:
        """Return all the probability (K,) on the most frequent class."""
        return np.eye(self.task.size)[np.bincount(labels).argmax()]


def cross_entropy(labels, probabilities, smallest=SMALLEST_PROBABILITY):
    """Return -log of the labelled class' probability, (B,) from class indices (B,) and probabilities (B, K)."""
    one_hot = ops.one_hot(ops.cast(labels, "int32"), probabilities.shape[-1])  # (B, K)
    return soft_cross_entropy(one_hot, probabilities, smallest)


def precise(outputs):
    """Return outputs in float32, or in float64 where they are."""
    return outputs if keras.backend.standardize_dtype(outputs.dtype) == "float64" else ops.cast(outputs, "float32")


def soft_cross_entropy(targets, probabilities, smallest=SMALLEST_PROBABILITY):
    """Return the cross-entropy (B,) of probabilities (B, K) against target distributions (B, K).

    Probabilities below `smallest` are raised to it before the logarithm.
    """
    return -ops.sum(ops.multiply(targets, ops.log(ops.maximum(probabilities, smallest))), axis=-1)


def macro_f1(labels: np.ndarray, answers: np.ndarray, classes: int) -> float:
    """Return the mean F1 over the classes that occur among labels (N,) or answers (N,), N at least 1.

    Equal to scikit-learn's f1_score(average="macro"), which is too slow for thousands of bootstrap samples.
    """
    matrix = np.bincount(labels * classes + answers, minlength=classes**2).reshape(classes, classes)
    hits, occurrences = np.diag(matrix), matrix.sum(0) + matrix.sum(1)
    present = occurrences > 0
    return float(np.mean(2 * hits[present] / occurrences[present]))
