"""The temperatures by which a run's probabilities were calibrated, and the outputs that they were fitted to."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.evaluation.calibration import divide_scores, temperatures_of
from mtl_keras.evaluation.predictions import outputs_of
from mtl_keras.files import replacing
from mtl_keras.kinds import kind_of
from mtl_keras.state_files import DamagedFileError, positive_number, read_arrays, read_json, read_or_none
from mtl_keras.studies.runs import MEND, OUTPUTS, fingerprint
from mtl_keras.studies.settings import Training
from mtl_keras.tasks import Task
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel

NAME = "temperatures.json"
# No name of a task has a blank.
ROWS = "rows of"


def calibrated(
    settings: Training,
    model: MultiTaskModel,
    validation: pd.DataFrame,
    folder: Path,
    features: np.ndarray | None = None,
) -> MultiTaskModel:
    """Calibrate the model of the run in this folder where its settings say so, note how, and return it.

    With the `features` of the validation rows only the heads are asked. A model that was trained on these rows as well
    stays as it is: its answers about them say nothing of others.
    """
    if not settings.calibrate or settings.refit:
        return model

    def compute():
        return outputs_of(model, validation) if features is None else model.heads_network().predict(features, verbose=0)

    outputs = kept_outputs(folder, "validation", validation, model.tasks, compute)
    temperatures = temperatures_of(model.tasks, validation, outputs)
    divide_scores(model, temperatures)
    with replacing(folder / NAME) as temporary:
        temporary.write_text(json.dumps(temperatures, indent=2) + "\n", encoding="utf-8")
    return model


def temperatures_noted(folder: Path) -> dict[str, float]:
    """Return the temperatures {task: temperature} by which the run in this folder was calibrated; {} if it was not."""
    path = folder / NAME
    return read_json(path, {str: positive_number}, MEND) if path.is_file() else {}


def load_uncalibrated(model: Path, folder: Path) -> MultiTaskModel:
    """Read the model of the run in this folder with the weights that training left."""
    loaded = model_folder.load(model)
    divide_scores(loaded, {task: 1 / temperature for task, temperature in temperatures_noted(folder).items()})
    return loaded


def uncalibrated(tasks: list[Task], outputs: Mapping[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    """Return outputs {task: (N, K)} of the run in this folder as training left it, from those of its saved model."""
    noted = temperatures_noted(folder)
    divided = [task for task in tasks if task.name in noted]
    undone = {task.name: kind_of(task).tempered(outputs[task.name], 1 / noted[task.name]) for task in divided}
    return {**outputs, **undone}


def told(tasks: Iterable[Task], outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return of outputs {task: (N, K)} those of tasks of classes, and the central 90 % (N, 2) of tasks of bins."""
    found = {}
    for task in tasks:
        interval = kind_of(task).interval(outputs[task.name], 0.9)
        if kind_of(task).names or interval is not None:
            found[task.name] = outputs[task.name] if interval is None else interval
    return found


def kept_outputs(
    folder: Path, part: str, table: pd.DataFrame, tasks: list[Task], compute: Callable[[], dict] | None
) -> dict[str, np.ndarray] | None:
    """Return what `told` gives of the run in this folder, as training left it, for the rows of a part of the split.

    `compute` gives what its heads answer where that is not kept yet; None stands for a model that is not there any
    more.
    """
    path, rows = folder / OUTPUTS[part], fingerprint(*table["source"], *(Path(p).name for p in table["path"]))
    if kept := read_or_none(_read_outputs, path, rows, len(table), tasks):
        return kept
    if compute is None:
        return None
    found = told(tasks, compute())
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **{ROWS: rows}, **found)
    return found


def _read_outputs(path: Path, rows: str, count: int, tasks: list[Task]) -> dict[str, np.ndarray]:
    """Return the outputs that a file holds of these rows; {} where it is of others."""
    arrays = read_arrays(path, {ROWS: ("U", 0)})
    if str(arrays.pop(ROWS)) != rows:
        return {}
    sizes = {task.name: task.size if kind_of(task).names else 2 for task in tasks}
    asked = {name: array for name, array in arrays.items() if name in sizes}
    for name, array in asked.items():
        if array.shape != (count, sizes[name]) or array.dtype.kind != "f":
            raise DamagedFileError(path, f"it holds {array.shape} of {name!r}; expected ({count}, {sizes[name]})")
    return asked
