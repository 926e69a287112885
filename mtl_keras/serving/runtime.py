"""A trained network that answers, whatever form it is saved in."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from mtl_keras.errors import UserError
from mtl_keras.faces.geometry import UTKFACE_CROP, CropGeometry
from mtl_keras.quiet import without_notes
from mtl_keras.serving.bundled import bundled_model
from mtl_keras.serving.exported import read_exported
from mtl_keras.serving.formats import FORMATS
from mtl_keras.serving.formats.format import Run
from mtl_keras.tasks import Task
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel, known_tasks

# In place of names of tasks: every task of the model, also those that it answers on request only.
ALL = "all"


class Runtime(NamedTuple):
    """A network ready to answer: `run` takes face crops (B, S, S, 3) uint8 and gives {task name: (B, K)} float32.

    S is `image_size`, and `resize_method` how crops are brought to it. `crop` says how faces are to be cut out for it.
    Only `tasks` are answered; those that the network could answer besides are not in what `run` gives.
    """

    tasks: tuple[Task, ...]
    image_size: int
    resize_method: str
    crop: CropGeometry
    run: Run

    def predict(self, batches: Iterable[np.ndarray], verbose: str | int = "auto") -> dict[str, np.ndarray]:
        """Return {task name: (N, K)} for batches (B, S, S, 3) uint8 of N crops, as Keras' models do."""
        bar = tqdm(batches, desc="predicting", unit="batch", disable=not verbose)
        parts = [self.run(np.asarray(crops)) for crops in bar]
        return {task.name: np.concatenate([part[task.name] for part in parts]) for task in self.tasks}

    def asked(self, names: Sequence[str], on_request: Iterable[str] = ()) -> "Runtime":
        """Return what answers the tasks of these names alone; of none, all but those that are `on_request`.

        `ALL` stands for every task. A name that is no task's, and nothing left to answer, are a `UserError`.
        """
        known = [task.name for task in self.tasks]
        if unknown := [name for name in names if name not in (*known, ALL)]:
            raise UserError(f"tasks {unknown[0]!r}: expected some of what the model answers: {', '.join(known)}")
        chosen = [name for name in known if name in names or ALL in names or not (names or name in on_request)]
        if not chosen:
            raise UserError(f"the model answers {', '.join(known)} on request only; name what to answer in `tasks`")
        if chosen == known:
            return self

        def run(crops: np.ndarray) -> dict[str, np.ndarray]:
            outputs = self.run(crops)
            return {name: outputs[name] for name in chosen}

        return self._replace(tasks=tuple(task for task in self.tasks if task.name in chosen), run=run)


def open_runtime(
    model: MultiTaskModel | Runtime | Path | str | None = None, tasks: Sequence[str] | None = None
) -> Runtime:
    """Return what answers with a model, or with the folder of one: a trained model's, or an exported network's.

    Without a model that is the one that comes with the package. `tasks` are the names of what is to be answered; by
    default that is all but what the model's `model.json` lists as `on_request`. Of an exported network the files are
    checked first; what is damaged, may do more than compute, or answers other tasks than its sidecar names, is a
    `UserError`. What was opened already is itself.
    """
    if isinstance(tasks, str):
        raise UserError(f"tasks {tasks!r}: expected several names, in a list or tuple, such as ('age', 'gender')")
    tasks = tasks or ()
    if isinstance(model, Runtime):
        return model.asked(tasks)
    if isinstance(model, MultiTaskModel):
        return _of(model, UTKFACE_CROP).asked(tasks)
    model = bundled_model() if model is None else model
    if not isinstance(model, str | Path):
        raise UserError(f"model: got {model!r:.60}; expected a trained model, the folder of one, or what this returns")
    about = read_exported(model)
    if about is None:
        about = model_folder.read_sidecar(model)
        return _of(model_folder.load(model), about["crop"]).asked(tasks, about["on_request"])
    folder, form = model_folder.folder_of_model(model), FORMATS[about["export"]["format"]]
    try:
        known = tuple(known_tasks(about["tasks"]))
        run = form.read(folder, about["export"]["precision"], about["image_size"])
        with without_notes():  # LiteRT's first run says which kernels it takes.
            outputs = run(np.zeros((1, about["image_size"], about["image_size"], 3), np.uint8))
    except UserError:
        raise
    except Exception as error:  # Each format's reader has its own ways to refuse what is damaged.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{folder}: cannot be read ({reason}); export the model again or copy the folder anew"
        ) from None
    if {task.name for task in known} != set(outputs):
        named = ", ".join(task.name for task in known)
        raise UserError(f"{folder}: answers {', '.join(outputs)}, but its model.json names {named}; export it again")
    whole = Runtime(known, about["image_size"], about["resize_method"], about["crop"], _one_at_a_time(run))
    return whole.asked(tasks, about["on_request"])


def _of(model: MultiTaskModel, crop: CropGeometry) -> Runtime:
    crop, run = crop.for_tasks(model.tasks), in_keras(model)
    return Runtime(tuple(model.tasks), model.image_size, model.resize_method, crop, run)


def _one_at_a_time(run: Run) -> Run:
    """Return what lets threads wait for each other: most formats hold one batch at a time."""
    lock = Lock()

    def guarded(crops: np.ndarray) -> dict[str, np.ndarray]:
        with lock:
            return run(crops)

    return guarded


def in_keras(model: MultiTaskModel) -> Run:
    """Return what answers with Keras, compiled once for any number of crops.

    `Model.predict` takes ten times as long for a single image.
    """
    size = model.image_size
    signature = [tf.TensorSpec((None, size, size, 3), tf.uint8)]
    answer = tf.function(lambda crops: model(crops, training=False), signature, autograph=False)

    def run(crops: np.ndarray) -> dict[str, np.ndarray]:
        return {name: output.numpy() for name, output in answer(crops).items()}

    return run
