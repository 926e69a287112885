"""A network for Keras itself, with its resizing."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from mtl_keras.serving.formats.format import Format, Order, Run, for_any_size, images_of
from mtl_keras.training.model_folder import NETWORK, read_network


def write(order: Order, folder: Path) -> None:
    """Write the network behind its resizing as `model.keras`."""
    for_any_size(order.model).save(folder / NETWORK)


def read(folder: Path, precision: str, image_size: int) -> Run:
    """Return what runs `model.keras`, which is read in Keras' safe mode."""
    network = read_network(folder / NETWORK)
    answer = tf.function(lambda image: network(image, training=False), [images_of(None, None)], autograph=False)

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return {name: output.numpy() for name, output in answer(images).items()}

    return run


KERAS = Format(("float32",), write, read)
