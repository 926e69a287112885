"""A trained network that answers, whatever form it is saved in."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mtl_keras.faces.geometry import UTKFACE_CROP, CropGeometry
from mtl_keras.tasks import Task
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel


class Runtime(NamedTuple):
    """A network ready to answer: `run` takes face crops (B, S, S, 3) uint8 and gives {task name: (B, K)} float32.

    S is `image_size`, and `resize_method` how crops are brought to it. `crop` says how faces are to be cut out for it.
    """

    tasks: tuple[Task, ...]
    image_size: int
    resize_method: str
    crop: CropGeometry
    run: Callable[[np.ndarray], dict[str, np.ndarray]]


def open_runtime(model: MultiTaskModel | Runtime | Path | str) -> Runtime:
    """Return what answers with a model, or with the folder of one; what was opened already is itself."""
    if isinstance(model, Runtime):
        return model
    built = isinstance(model, MultiTaskModel)
    crop = UTKFACE_CROP if built else model_folder.read_sidecar(model)["crop"]
    network = model if built else model_folder.load(model)
    return Runtime(tuple(network.tasks), network.image_size, network.resize_method, crop, in_keras(network))


def in_keras(model: MultiTaskModel) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Return what answers with Keras, compiled once for any number of crops.

    `Model.predict` takes ten times as long for a single image.
    """
    size = model.image_size
    signature = [tf.TensorSpec((None, size, size, 3), tf.uint8)]
    answer = tf.function(lambda crops: model(crops, training=False), signature, autograph=False)

    def run(crops: np.ndarray) -> dict[str, np.ndarray]:
        return {name: output.numpy() for name, output in answer(crops).items()}

    return run
