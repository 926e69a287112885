"""A model's answers on a label table."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from mtl_keras.data.decoding import naming_images
from mtl_keras.data.table import encode
from mtl_keras.errors import UserError
from mtl_keras.evaluation.features import image_batches
from mtl_keras.evaluation.views import VIEWS
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import Task
from mtl_keras.training.model import MultiTaskModel


def predictions(model: MultiTaskModel, table: pd.DataFrame, batch_size: int = 64, views: str = "one") -> pd.DataFrame:
    """Return the table's rows with the model's answers: `age.value`, `age.std`, `gender.class`, `gender.probability`.

    With the `views` "mirror" or "six" each answer is the mean over several looks at the image, which take as many times
    as long (see `mean_of_looks`).
    """
    return predictions_over(model, table, [views], batch_size)[views]


def predictions_over(
    model: MultiTaskModel, table: pd.DataFrame, several: Iterable[str], batch_size: int = 64
) -> dict[str, pd.DataFrame]:
    """Return {views: what `predictions` gives}; a look that several of the views have is taken once."""
    several = list(several)
    if unknown := [views for views in several if views not in VIEWS]:
        raise UserError(f"unknown views {unknown[0]!r}; expected one of {', '.join(VIEWS)}")
    looks = dict.fromkeys(look for views in several for look in VIEWS[views])
    seen = {look: outputs_of(model, table, batch_size, *look) for look in looks}
    found = {}
    for views in several:
        outputs = {
            task.name: mean_of_looks(task, [seen[look][task.name] for look in VIEWS[views]], views)
            for task in model.tasks
        }
        found[views] = with_predictions(table, model.tasks, outputs)
    return found


def outputs_of(
    model: MultiTaskModel, table: pd.DataFrame, batch_size: int = 64, flip: bool = False, zoom: float = 1.0
) -> dict[str, np.ndarray]:
    """Return the outputs of a model's heads {task: (N, K)} for the table's images, each as `view` shows it."""
    with naming_images():
        outputs = model.predict(image_batches(model, table, batch_size, flip, zoom), verbose="auto")
    # The last batch may have been filled.
    return {name: rows[: len(table)] for name, rows in outputs.items()}


def mean_of_looks(task: Task, looks: Sequence[np.ndarray], views: str) -> np.ndarray:
    """Return a task's mean outputs (N, K) of those (N, K) at each of the `views`, as they are of the image itself.

    What is answered of a mirrored image is mirrored back, and left out where nobody knows what a mirror does to it.
    """
    kind, seen = kind_of(task), zip(looks, VIEWS[views], strict=True)
    return kind.mean([kind.mirrored(look) if flip else look for look, (flip, _) in seen if kind.mirrors or not flip])


def with_predictions(table: pd.DataFrame, tasks: Iterable[Task], outputs: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return a copy of the table with the answers that the heads' outputs {task: (N, K)} stand for."""
    table = table.reset_index(drop=True)
    for task in tasks:
        columns = kind_of(task).answer_columns(np.asarray(outputs[task.name], np.float32))
        for column, cells in columns.items():
            table[column] = cells
    return table


def labels_and_answers(answered_table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a task's labels, answers and mask as `Kind.measure` takes them."""
    labels, mask = encode(answered_table, task)
    return labels, kind_of(task).answers_in(answered_table), mask
