"""The data form of the BKNet article: each sample has one label, as a one-hot, and the index of its task.

A sample is (image, one-hot of width 7, task index). The one-hot is as wide as the largest task; a smaller task uses its
first places. Here it is one encoding of the label table: a row with labels of two tasks becomes two samples.
With `loss_mean="batch"` and `l2`, a `MultiTaskModel` minimizes the article's total loss, but for its lowest
probability: the article clips at 1e-10, this library at `mtl_keras.kinds.categorical.SMALLEST_PROBABILITY`, where the
gradient still lives.
The article's public code applies softmax twice, in the head and in the loss; this library does not.

Source: Dinh Viet Sang and Le Tran Bao Cuong, Effective deep multi-source multi-task learning frameworks for smile
detection, emotion recognition and gender classification, 2018.
"""

import numpy as np
import pandas as pd

from mtl_keras.data.table import encode
from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import Task, find

INDICES = {1: "smile", 2: "expression", 3: "age_group", 4: "gender"}
WIDTH = 7


def index_masks(one_hot, index, indices: dict[int, str] = INDICES) -> tuple[dict, dict]:
    """Return {task: (B,) int32 class indices} and {task: (B,) float32 masks} of one-hots (B, 7) and indices (B,).

    The row of another task has label 0 and mask 0.
    """
    tasks, one_hot, index = _tasks(indices), np.asarray(one_hot), np.asarray(index)
    if index.ndim != 1 or one_hot.shape != (len(index), WIDTH):
        raise UserError(f"got one-hots {one_hot.shape} and indices {index.shape}, expected (B, {WIDTH}) and (B,)")
    known = ", ".join(f"{key} ({name})" for key, name in indices.items())
    _refuse(~np.isin(index, list(tasks)), "task index", index, f"one of {known}")
    single = ((one_hot == 1).sum(-1) == 1) & ((one_hot == 0).sum(-1) == WIDTH - 1)
    _refuse(~single, "one-hot", one_hot, f"one 1 and {WIDTH - 1} zeros")
    classes, labels, masks = one_hot.argmax(-1), {}, {}
    for key, task in tasks.items():
        mask = index == key
        _refuse(mask & (classes >= task.size), f"{task.name} class", classes, f"0 to {task.size - 1}")
        labels[task.name] = np.where(mask, classes, 0).astype(np.int32)
        masks[task.name] = mask.astype(np.float32)
    return labels, masks


def index_form(labels: dict, masks: dict, indices: dict[int, str] = INDICES) -> tuple[np.ndarray, ...]:
    """Return float32 one-hots (N, 7), int32 task indices (N,) and the row (N,) of each sample: `index_masks` undone.

    `labels` and `masks` are {task: (B,)}; each of the N labelled cells becomes a sample, sorted by row, then by index.
    A row without a label becomes none.
    """
    tasks = {task.name: (key, task) for key, task in _tasks(indices).items()}
    if labels.keys() != masks.keys() or not labels.keys() <= tasks.keys():
        raise UserError(f"got labels of {list(labels)} and masks of {list(masks)}, expected both of {list(tasks)}")
    shapes = {np.shape(values) for values in (*labels.values(), *masks.values())}
    if len(shapes) != 1 or len(min(shapes)) != 1:
        raise UserError(f"got labels and masks of shapes {sorted(shapes)}, expected one shape (B,) for all")
    samples = []
    for name, mask in masks.items():
        (key, task), label, mask = tasks[name], np.asarray(labels[name]), np.asarray(mask) > 0
        _refuse(mask & ~np.isin(label, range(task.size)), f"{name} class", label, f"0 to {task.size - 1}")
        row = np.flatnonzero(mask)
        samples.append([row, np.full(len(row), key), label[row].astype(np.int32)])
    row, index, classes = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    order = np.lexsort((index, row))
    return np.eye(WIDTH, dtype=np.float32)[classes[order]], index[order].astype(np.int32), row[order]


def from_table(table: pd.DataFrame, indices: dict[int, str] = INDICES) -> tuple[np.ndarray, ...]:
    """Return the one-hots (N, 7), task indices (N,) and rows (N,) of a label table's N labels of these tasks."""
    encoded = [(task.name, encode(table, task)) for task in _tasks(indices).values()]
    labels, masks = ({name: pair[part] for name, pair in encoded} for part in (0, 1))
    return index_form(labels, masks, indices)


def _tasks(indices: dict[int, str]) -> dict[int, Task]:
    """Return {index: task}; each must be categorical and fit into the one-hot."""
    tasks = dict(zip(indices, find(list(indices.values())), strict=True))
    for task in tasks.values():
        if not kind_of(task).names or task.size > WIDTH:
            raise UserError(f"task {task.name!r}: expected a task of at most {WIDTH} classes")
    return tasks


def _refuse(wrong: np.ndarray, what: str, got: np.ndarray, expected: str) -> None:
    """Raise an error that names the first row where `wrong` (B,) is true, if there is one."""
    if wrong.any():
        row = int(wrong.argmax())
        raise UserError(f"row {row}: got {what} {got[row].tolist()}, expected {expected}")
