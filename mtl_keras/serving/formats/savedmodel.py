"""TensorFlow's SavedModel, as TensorFlow Serving takes it."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from mtl_keras.serving.formats.format import Format, Order, Run, for_any_size, images_of
from mtl_keras.serving.formats.harmless import check_operations

SIGNATURE = "serving_default"


def write(order: Order, folder: Path) -> None:
    """Write `saved_model.pb` and `variables/`, with one signature for images of any size."""
    for_any_size(order.model).export(folder, "tf_saved_model", verbose=False, input_signature=[images_of(None, None)])


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
