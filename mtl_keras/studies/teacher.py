"""Labels that training rows lack, as a trained network answers them: pseudo-labels (Lee, 2013)."""

import functools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.data.table import encode, encode_intervals
from mtl_keras.errors import UserError
from mtl_keras.evaluation.features import features_path
from mtl_keras.evaluation.predictions import outputs_of, with_predictions
from mtl_keras.files import replacing
from mtl_keras.kinds import kind_of
from mtl_keras.models.weights import sha256
from mtl_keras.state_files import DamagedFileError, read_arrays, read_or_none
from mtl_keras.studies import runs
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.tasks import Task, task_from
from mtl_keras.training import distribute, model_folder
from mtl_keras.training.cluster import read_cluster, told_by_chief
from mtl_keras.training.model import MultiTaskModel

# What a variant calls the first network of its table.
FIRST = "first"
# Of a class that is less probable the label stays blank.
SURE = 0.8


def taught_by(first: Run | None, variants: Iterable[Experiment]) -> list[Experiment]:
    """Return the variants, with the run of their table's first network, where it is there, in place of `FIRST`."""
    return [replace(each, teacher=str(first.folder)) if first and each.teacher == FIRST else each for each in variants]


def identity(teacher: str | None) -> str | None:
    """Return what tells a teacher apart from others: the name of its run, or the sha256 of a network without one."""
    if not teacher or _is_run(teacher):
        return teacher and Path(teacher).name
    network = model_folder.folder_of_model(teacher) / model_folder.NETWORK
    return _sha256(network, network.stat().st_mtime_ns) if network.is_file() else teacher


@functools.cache
def _sha256(network: Path, changed: int) -> str:
    """Return the sha256 of a network's file, read once for all runs as long as it does not change."""
    return sha256(network)


def teaches(experiment: Experiment) -> bool:
    """Return whether the experiment has no teacher or one that answers some of its tasks, without loading a network.

    What names no trained network is a `UserError`. Of a run the model is needed only by runs that are not finished.
    """
    if not experiment.teacher or _is_run(experiment.teacher):
        return True
    about = model_folder.read_sidecar(model_of(experiment.teacher))
    return bool(_common_tasks(experiment, map(task_from, about.get("tasks", []))))


def check_teacher(experiment: Experiment) -> None:
    """Refuse what names no trained network, and one that answers no task of the experiment or another one."""
    if not teaches(experiment):
        none = f"teacher {experiment.teacher}: answers none of {', '.join(experiment.tasks)}"
        raise UserError(f"{none}; expected one of the tasks to learn")


def model_of(teacher: str) -> Path:
    """Return the folder of the model that is named by itself, or by the folder of its run."""
    if teacher == FIRST:
        raise UserError(f"teacher {FIRST!r} is for the other rows of a table; expected the folder of a trained model")
    if not _is_run(teacher):
        return model_folder.folder_of_model(teacher)
    if model := runs.find_model(Path(teacher)):
        return model
    raise UserError(
        f"teacher {teacher}: the model of this run is not there; name a folder below models/, or train the run anew"
    )


def _is_run(teacher: str) -> bool:
    return (Path(teacher) / runs.SETTINGS).is_file()


def taught(experiment: Experiment, rows: pd.DataFrame, cache: Path) -> pd.DataFrame:
    """Return training rows of which each blank holds what the experiment's teacher answers, where it is sure of it.

    A class counts from the probability `SURE` on, a number always. What the teacher answers is kept in `cache`.
    """
    if not experiment.teacher:
        return rows
    teacher = model_folder.load(model_of(experiment.teacher))
    tasks = _common_tasks(experiment, teacher.tasks)
    answered = with_predictions(rows, teacher.tasks, _outputs(experiment, teacher, rows, cache))
    filled = rows.copy()
    for task in tasks:
        kind, blank = kind_of(task), encode_intervals(rows, task)[1] == 0
        if kind.names:
            blank &= kind.confidence(answered) >= SURE
        answers, told = kind.answers_in(answered).reshape(len(rows), -1), ""  # (N, D)
        if not kind.names:
            told = _error_of(answers, rows, task)
            answers = np.clip(answers, *kind.range)
        for number, column in enumerate(task.columns):
            known = filled[column] if column in filled else pd.Series([None] * len(filled), filled.index)
            # An angle that is known stays, though the others of its head pose are not.
            filled[column] = known.mask(blank & known.isna(), pd.Series(kind.cells(answers[:, number]), filled.index))
        print(f"{task.name}: the teacher labels {int(blank.sum())} of {len(rows)} training images{told}")
    return filled


def _error_of(answers: np.ndarray, rows: pd.DataFrame, task: Task) -> str:
    """Say how far answers (N, D) are off the labels, which shows a teacher of other images or of another unit."""
    labels, mask = encode(rows, task)
    if not (mask > 0).any():
        return ""
    labels = labels[mask > 0].reshape(-1, answers.shape[1])
    error, spread = np.abs(answers[mask > 0] - labels).mean(), np.abs(labels - np.median(labels, axis=0)).mean()
    told = f"; on labelled ones its error is {error:.3g}, that of the labels' median {spread:.3g}"
    return told if error <= spread else f"{told}: is it a network of the same unit and of such images?"


def _common_tasks(experiment: Experiment, known: Iterable[Task]) -> list[Task]:
    """Return the experiment's tasks that are among those that its teacher knows."""
    known = {task.name: task for task in known}
    tasks = [task for task in experiment.chosen_tasks() if task.name in known]
    for task, own in ((task, known[task.name]) for task in tasks):
        if (own.classes, own.columns, own.unit) != (task.classes, task.columns, task.unit):
            raise UserError(f"teacher {experiment.teacher}: its task {task.name!r} has other classes, outputs or units")
    return tasks


def _outputs(experiment: Experiment, teacher: MultiTaskModel, rows: pd.DataFrame, cache: Path) -> dict[str, np.ndarray]:
    """Return the teacher's outputs {task: (N, K)} for the rows, of several workers those that the chief has."""
    path = features_path(teacher, rows, cache, identity(experiment.teacher), what="answers")
    sizes = {task.name: (len(rows), task.size) for task in teacher.tasks}
    joined = distribute.joins_workers(experiment.strategy)
    asks = not joined or read_cluster().is_chief
    if asks and read_or_none(_read, path, sizes) is None:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **outputs_of(teacher, rows))
    if joined:
        told = told_by_chief(distribute.strategy(experiment.strategy), path.read_bytes() if asks else b"")
        with replacing(path) as temporary:
            temporary.write_bytes(told)
    return _read(path, sizes)


def _read(path: Path, sizes: dict[str, tuple[int, int]]) -> dict[str, np.ndarray]:
    arrays = read_arrays(path, {name: ("f", 2) for name in sizes})
    if wrong := [name for name, array in arrays.items() if array.shape != sizes[name]]:
        raise DamagedFileError(path, f"it holds {arrays[wrong[0]].shape} of {wrong[0]!r}; expected {sizes[wrong[0]]}")
    return arrays
