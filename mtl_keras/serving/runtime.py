"""A trained network that answers, whatever form it is saved in."""

from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.faces.geometry import UTKFACE_CROP, CropGeometry
from mtl_keras.quiet import without_notes
from mtl_keras.serving.exported import read_exported
from mtl_keras.serving.formats import FORMATS
from mtl_keras.serving.formats.format import Run
from mtl_keras.tasks import Task
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel, known_tasks


class Runtime(NamedTuple):
    """A network ready to answer: `run` takes face crops (B, S, S, 3) uint8 and gives {task name: (B, K)} float32.

    S is `image_size`, and `resize_method` how crops are brought to it. `crop` says how faces are to be cut out for it.
    """

    tasks: tuple[Task, ...]
    image_size: int
    resize_method: str
    crop: CropGeometry
    run: Run


def open_runtime(model: MultiTaskModel | Runtime | Path | str) -> Runtime:
    """Return what answers with a model, or with the folder of one: a trained model's, or an exported network's.

    Of an exported one the files are checked first; what is damaged, may do more than compute, or answers other tasks
    than its sidecar names, is a `UserError`. What was opened already is itself.
    """
    if isinstance(model, Runtime):
        return model
    if isinstance(model, MultiTaskModel):
        return _of(model, UTKFACE_CROP)
    about = read_exported(model)
    if about is None:
        return _of(model_folder.load(model), model_folder.read_sidecar(model)["crop"])
    folder, form = model_folder.folder_of_model(model), FORMATS[about["export"]["format"]]
    try:
        tasks = tuple(known_tasks(about["tasks"]))
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
    if {task.name for task in tasks} != set(outputs):
        named = ", ".join(task.name for task in tasks)
        raise UserError(f"{folder}: answers {', '.join(outputs)}, but its model.json names {named}; export it again")
    return Runtime(tasks, about["image_size"], about["resize_method"], about["crop"], _one_at_a_time(run))


def _of(model: MultiTaskModel, crop: CropGeometry) -> Runtime:
    return Runtime(tuple(model.tasks), model.image_size, model.resize_method, crop, in_keras(model))


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
