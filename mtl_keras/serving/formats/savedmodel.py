"""TensorFlow's SavedModel, as TensorFlow Serving takes it."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from mtl_keras.serving.formats.format import Format, Order, Run, for_any_size, images_of
from mtl_keras.serving.formats.harmless import check_operations

SIGNATURE = "serving_default"


def write(order: Order, folder: Path) -> None:
    """Write `saved_model.pb` and `variables/`, with one signature for images of any size."""
    network = for_any_size(order.model)
    answer = tf.function(lambda image: network(image, training=False), [images_of(None, None)], autograph=False)
    # Not by `Model.export`, which writes every variable twice.
    module = tf.Module()
    module.weights = [variable.value for variable in network.variables]
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: answer.get_concrete_function()})


def read(folder: Path, precision: str, image_size: int) -> Run:
    """Return what runs a SavedModel none of whose operations reaches a file or Python."""
    check_operations(folder / "saved_model.pb")
    loaded = tf.saved_model.load(str(folder))
    answer = loaded.signatures[SIGNATURE]

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        # The variables live as long as what was loaded.
        assert loaded is not None
        return {name: output.numpy() for name, output in answer(image=tf.constant(images)).items()}

    return run


SAVEDMODEL = Format(("float32",), write, read)
