"""A model's answers on a label table."""

from collections.abc import Iterable

import keras
import numpy as np
import pandas as pd

from mtl_keras.data.table import encode
from mtl_keras.errors import UserError
from mtl_keras.evaluation.features import image_batches
from mtl_keras.kinds.metrics import answers
from mtl_keras.tasks import Task
from mtl_keras.training.trainer import MultiTaskModel

# Ways to look at an image, as (mirrored, how many times as far away), over which answers can be averaged. Of zooms by
# 10 and 20 % and rotations by 8 degrees these were best on the validation split of UTKFace.
VIEWS = {
    "one": ((False, 1.0),),
    "mirror": ((False, 1.0), (True, 1.0)),
    "six": tuple((flip, zoom) for zoom in (1.0, 0.9, 1.1) for flip in (False, True)),
}


def predictions(model: MultiTaskModel, table: pd.DataFrame, batch_size: int = 64, views: str = "one") -> pd.DataFrame:
    """Return the table's rows with the model's answers: `age.value`, `age.std`, `gender.class`, `gender.probability`.

    With the `views` "mirror" or "six" each answer is the mean over several looks at the image, which take as many times
    as long.
    """
    if views not in VIEWS:
        raise UserError(f"unknown views {views!r}; expected one of {', '.join(VIEWS)}")
    seen = [
        model.predict(image_batches(model, table, batch_size, flip, zoom), verbose="auto")
        for flip, zoom in VIEWS[views]
    ]
    outputs = {name: np.mean([one[name] for one in seen], axis=0) for name in seen[0]}
    return with_predictions(table, model.tasks, outputs)


def with_predictions(table: pd.DataFrame, tasks: Iterable[Task], outputs: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return a copy of the table with the answers that the heads' outputs {task: (N, K)} stand for."""
    table = table.reset_index(drop=True)
    for task in tasks:
        output = np.asarray(outputs[task.name], np.float32)
        answer = keras.ops.convert_to_numpy(answers(task, output))
        if task.kind == "categorical":
            table[f"{task.name}.class"] = np.array(task.classes)[answer]
            table[f"{task.name}.probability"] = output.max(axis=-1)
            continue
        for index, column in enumerate(task.columns):
            table[f"{column}.value"] = answer[:, index] if task.outputs else answer
        if task.kind == "expectation":
            values = np.asarray(task.values)
            variance = output @ values**2 - (output @ values) ** 2
            table[f"{task.name}.std"] = np.sqrt(np.maximum(variance, 0))
    return table


def labels_and_answers(answered_table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a task's labels, answers and mask as `mtl_keras.kinds.metrics.measure` takes them."""
    labels, mask = encode(answered_table, task)
    if task.kind == "categorical":
        index = {name: number for number, name in enumerate(task.classes)}
        return labels, answered_table[f"{task.name}.class"].map(index).to_numpy(int), mask
    values = answered_table[[f"{column}.value" for column in task.columns]].to_numpy(np.float32)
    return labels, values if task.outputs else values[:, 0], mask
