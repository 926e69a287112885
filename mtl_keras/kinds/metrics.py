"""What a prediction is worth: per-example scores while training, and whole-set metrics with masks."""

import numpy as np
from keras import ops

from mtl_keras.tasks import Task

# Name of the score shown while training, by kind of task.
SCORES = {"categorical": "accuracy", "expectation": "mae", "regression": "mae"}


def answers(task: Task, outputs):
    """Return the task's answers from its head's outputs (B, K): class index (B,), value (B,) or numbers (B, D)."""
    if task.kind == "categorical":
        return ops.argmax(outputs, axis=-1)
    if task.kind == "expectation":
        values = ops.convert_to_tensor(task.values, "float32")
        if task.readout == "argmax":
            return ops.take(values, ops.argmax(outputs, axis=-1))
        return ops.matmul(outputs, values)
    return outputs if task.outputs else outputs[:, 0]


def per_example(task: Task, labels, outputs):
    """Return each example's score (B,): 1 or 0 for a right or wrong class, else the absolute error in its unit."""
    answer = answers(task, ops.cast(outputs, "float32"))
    if task.kind == "categorical":
        return ops.cast(ops.equal(ops.cast(labels, "int32"), ops.cast(answer, "int32")), "float32")
    error = ops.abs(ops.cast(answer, "float32") - ops.cast(labels, "float32"))
    return ops.mean(error, axis=-1) if task.outputs else error


def measure(task: Task, labels: np.ndarray, answer: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Return a task's metrics over the labelled examples: labels and answers (N,) or (N, D), mask (N,).

    `n` is the number of labelled examples; `accuracy` and `macro_f1` are fractions; `mae` and `rmse` are in the
    task's unit; `cs5` is the fraction with an error of at most 5 units (the cumulative score of age estimation).
    Without any label all figures are NaN.
    """
    labelled = np.asarray(mask) > 0
    labels, answer = np.asarray(labels)[labelled], np.asarray(answer)[labelled]
    figures = {"n": int(labelled.sum())}
    if task.kind == "categorical":
        labels = labels.astype(int)
        figures["accuracy"] = float(np.mean(labels == answer)) if len(labels) else np.nan
        figures["macro_f1"] = macro_f1(labels, answer, task.size)
        return figures
    error = np.abs(answer.astype(float) - labels)
    figures["mae"] = float(error.mean()) if len(labels) else np.nan
    figures["rmse"] = float(np.sqrt(np.mean(error**2))) if len(labels) else np.nan
    figures["cs5"] = float(np.mean(error <= 5)) if len(labels) else np.nan
    return figures


def macro_f1(labels: np.ndarray, answer: np.ndarray, classes: int) -> float:
    """Return the mean F1 over the classes that occur among labels (N,) or answers (N,); NaN without examples.

    Equal to scikit-learn's f1_score(average="macro"), which is too slow for thousands of bootstrap samples.
    """
    if not len(labels):
        return np.nan
    matrix = np.bincount(labels * classes + answer, minlength=classes**2).reshape(classes, classes)
    hits, occurrences = np.diag(matrix), matrix.sum(0) + matrix.sum(1)
    present = occurrences > 0
    return float(np.mean(2 * hits[present] / occurrences[present]))
