"""How far the answers of an exported network are from those of the one that it was made of."""

from collections.abc import Iterable

import keras
import numpy as np

from mtl_keras.kinds import kind_of
from mtl_keras.serving.formats.format import Run
from mtl_keras.tasks import Task

BATCH = 32


def answered(run: Run, crops: np.ndarray) -> dict[str, np.ndarray]:
    """Return a network's outputs {task: (N, K)} for crops (N, S, S, 3), taken in batches."""
    parts = [run(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def compared(tasks: Iterable[Task], expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> dict[str, dict]:
    """Return what differs between two outputs {task: (N, K)} of the same images, by task.

    That is the number of images with another class as `changed`, or the mean absolute difference of the numbers as
    `mae`, in the task's unit; and the largest difference of any output as `largest`.
    """
    result = {}
    for task in tasks:
        kind, outputs = kind_of(task), [each[task.name].astype(np.float32) for each in (expected, found)]
        first, second = (keras.ops.convert_to_numpy(kind.answers(output)) for output in outputs)
        if kind.names:
            differs = {"changed": int((first != second).sum())}
        else:
            differs = {"mae": round(float(np.abs(kind.difference(first, second)).mean()), 6)}
        result[task.name] = {**differs, "largest": round(float(np.abs(outputs[0] - outputs[1]).max()), 6)}
    return result


def as_text(compared: dict) -> str:
    """Return a line on what `compared` in a sidecar says."""
    words = []
    for name, differs in compared["tasks"].items():
        what = f"{differs['changed']} other answers" if "changed" in differs else f"{differs['mae']:.3g} on average"
        words.append(f"{name} {what} (outputs by {differs['largest']:.2g} at most)")
    return f"on {compared['images']} {compared['of']} it differs from Keras: {', '.join(words)}"
