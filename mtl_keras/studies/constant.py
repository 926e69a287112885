"""The answer that ignores the image, with which the others of a results table are compared."""

import numpy as np
import pandas as pd

from mtl_keras.data.table import encode, encode_intervals
from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.evaluation.predictions import with_predictions
from mtl_keras.kinds import kind_of
from mtl_keras.studies.stages import Stage
from mtl_keras.tasks import Task


def majority(parts: tuple[pd.DataFrame, ...], tasks: list[Task]) -> dict:
    """Return the row of the answer that ignores the image: the most frequent class, the median number."""
    outputs = {}
    for task in tasks:
        labels, mask = encode(parts[0], task)
        if not mask.any():
            ends, mask = encode_intervals(parts[0], task)
            # The middle of an interval, or the end that it has.
            labels = np.ma.masked_invalid(ends).mean(axis=1).filled(0)
        constant = kind_of(task).constant(labels[mask > 0])
        outputs[task.name] = np.tile(constant, (len(parts[2]), 1))
    found = metrics_with_intervals(with_predictions(parts[2], tasks, outputs), tasks)
    names = ", ".join(task.name for task in tasks)
    # Classes first, whatever the order of the tasks.
    kinds = sorted(map(kind_of, tasks), key=lambda kind: not kind.names)
    run = ", ".join(dict.fromkeys(kind.constant_answer for kind in kinds))
    return {"run": run, "tasks": names, "backbone": "", "stage": Stage.BASELINE, **found}
