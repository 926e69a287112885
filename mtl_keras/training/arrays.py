"""What `fit` and the like are given as arrays, checked and put by task before Keras makes batches of it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mtl_keras.data.images import check_range
from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import Task
from mtl_keras.training.labels import by_task

# As many of the first images are looked at: enough to tell a range from another one.
LOOKED_AT = 4


def check_pixels(images, input_shape: tuple) -> None:
    """Refuse NumPy images whose numbers are not of 0..255; whatever is no array, or no image, passes."""
    for values in images.values() if isinstance(images, Mapping) else [images]:
        some = isinstance(values, np.ndarray) and values.dtype.kind in "if" and values.size > 0
        if some and len(input_shape) == 4 and input_shape[-1] == 3:
            check_range(values[:LOOKED_AT], "images")


def labels_and_weights(tasks: list[Task], labels, weights) -> tuple:
    """Return {task: labels (N, ...)} and {task: weights (N,)}, or None in the place of the weights.

    Where only some tasks have weights, those of the others are 1, since Keras wants the same tasks in both. Without
    `labels` both are returned as they are: the batches of data sets are checked in a step.
    """
    if labels is None:
        return labels, weights
    given = by_task(tasks, _columns(tasks, labels), "labels")
    labels = {name: _array(values) for name, values in given.items() if values is not None}
    for task in tasks:
        if task.name in labels:
            _check_labels(task, np.asarray(labels[task.name]))
    if weights is None:
        return labels, None
    weights = _columns(tasks, weights)
    if isinstance(weights, (Mapping, list, tuple)):
        weights = {name: some for name, some in by_task(tasks, weights, "sample_weight").items() if some is not None}
    else:
        weights = dict.fromkeys(labels, weights)
    for name, some in weights.items():
        if name not in labels:
            raise UserError(f"sample_weight of {name!r}: got weights of a task without labels; leave them out")
        weights[name] = _array(some)
        _check_weights(name, np.asarray(weights[name]))
    return labels, {name: weights.get(name, np.ones(len(each), np.float32)) for name, each in labels.items()}


def _columns(tasks: list[Task], given):
    """Return a table with a column for each task as {task: column}, all else as it is."""
    if isinstance(given, pd.DataFrame) and (len(tasks) > 1 or tasks[0].name in given):
        return {name: given[name] for name in given}
    return given


def _array(values):
    """Return lists and columns of tables as arrays, where blanks are NaN; arrays and tensors stay as they are."""
    if isinstance(values, (pd.Series, pd.DataFrame)):
        frame = values.to_frame() if isinstance(values, pd.Series) else values
        numbers = all(pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes)
        return values.to_numpy("float64", na_value=np.nan) if numbers else values.to_numpy()
    return np.asarray(values) if isinstance(values, (list, tuple, pd.api.extensions.ExtensionArray)) else values


def _check_labels(task: Task, labels: np.ndarray) -> None:
    """Refuse what is no number, numbers out of range, and labels of a task of classes that are no index of one."""
    found = _no_index if task.classes else _out_of_range
    if wrong := found(task, labels) if labels.dtype.kind in "biuf" else f"{labels.dtype} array":
        indices = f"indices 0 to {len(task.classes) - 1} of {', '.join(task.classes)}, or -1"
        expected = indices if task.classes else f"{kind_of(task).expected},"
        raise UserError(f"labels of {task.name!r}: got {wrong}; expected {expected} or NaN where there is none")


def _no_index(task: Task, labels: np.ndarray) -> str:
    """Return the first number that is neither an index of a class nor a blank, or ""."""
    strange = (labels >= len(task.classes)) | (np.trunc(labels) != labels) & ~np.isnan(labels)
    return f"{labels[strange].flat[0]:g}" if strange.any() else ""


def _out_of_range(task: Task, labels: np.ndarray) -> str:
    """Return the first number that a cell of the task could not hold, or interval that ends before it begins, or ""."""
    low, high = kind_of(task).range
    strange = ~np.isnan(labels) & ~(np.isfinite(labels) & (labels >= low) & (labels <= high))
    if strange.any():
        return f"{labels[strange].flat[0]:g}"
    if kind_of(task).intervals and labels.ndim == 2 and labels.shape[1] == 2:
        turned = labels[labels[:, 0] > labels[:, 1]]
        return f"an interval from {turned[0, 0]:g} to {turned[0, 1]:g}" if len(turned) else ""
    return ""


def _check_weights(name: str, weights: np.ndarray) -> None:
    """Refuse weights that are no finite numbers of at least 0."""
    wrong = f"{weights.dtype} array" if weights.dtype.kind not in "biuf" else ""
    if not wrong:
        strange = ~(np.isfinite(weights) & (weights >= 0))
        wrong = f"{weights[strange].flat[0]:g}" if strange.any() else ""
    if wrong:
        raise UserError(f"sample_weight of {name!r}: got {wrong}; expected numbers of at least 0")
