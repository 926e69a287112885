"""What every format says of itself, and the network that all of them write."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import joblib
import keras
import numpy as np
import tensorflow as tf

from mtl_keras.models.resizing import Resized
from mtl_keras.training.model import MultiTaskModel

# Takes images (B, H, W, 3) uint8 of any sides and gives {task name: (B, K)} float32.
Run = Callable[[np.ndarray], dict[str, np.ndarray]]


class Order(NamedTuple):
    """What is to be written: a network in a precision of its format.

    `crops` (N, S, S, 3) uint8 are what it will see, where a precision is calibrated on such; `float_layers` are regular
    expressions for names of layers that stay in float when others become int8.
    """

    model: MultiTaskModel
    precision: str
    crops: np.ndarray | None = None
    float_layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """A form of a network on disk.

    It exists in some `precisions`, of which those that are `calibrated` need crops of faces, and can have layers in
    float. `packages` are what writes and runs it, of an `extra` of this package. `write` puts an order's files into an
    empty folder; `read` gives what runs those of a folder, once sums and names are checked, in a precision and for
    crops of a side.
    """

    precisions: tuple[str, ...]
    write: Callable[[Order, Path], None]
    read: Callable[[Path, str, int], Run]
    packages: tuple[str, ...] = ()
    calibrated: tuple[str, ...] = ()
    extra: str = "serve"


def for_any_size(model: MultiTaskModel) -> keras.Model:
    """Return the network behind the resizing of its images: (B, H, W, 3) uint8 to {task name: (B, K)}."""
    images = keras.Input((None, None, 3), dtype="uint8", name="image")
    crops = Resized(model.image_size, model.resize_method, name="resized")(images)
    return keras.Model(images, model(crops, training=False), name="served")


def images_of(*sides: int | None) -> tf.TensorSpec:
    """Return the description of a network's input `image` (B, H, W, 3) of these sides."""
    return tf.TensorSpec((None, *sides, 3), tf.uint8, name="image")


def threads() -> int:
    """Return how many threads a network is to use: one for each processor that this process may use."""
    return joblib.cpu_count()
