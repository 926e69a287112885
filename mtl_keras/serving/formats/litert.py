"""LiteRT, formerly TensorFlow Lite, for phones and small computers."""

import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mtl_keras.serving.formats.format import Format, Order, Run, for_any_size, images_of, threads

FILE = "model.tflite"
# Two signatures, since LiteRT's fast kernels take no part where sides are unknown until an image comes.
ANY_SIZE, CROPS = "serving_default", "crops"


def write(order: Order, folder: Path) -> None:
    """Write `model.tflite` with two signatures: images of any size, and crops of the network's side, which are faster.

    In int8 the weights are whole numbers of 8 bits, and what flows between layers is rounded to such image by image.
    """
    model, size = order.model, order.model.image_size
    archive = keras.export.ExportArchive()
    network = for_any_size(model)
    archive.track(network)
    archive.add_endpoint(ANY_SIZE, lambda image: network(image, training=False), [images_of(None, None)])
    archive.add_endpoint(CROPS, lambda image: model(image, training=False), [images_of(size, size)])
    with tempfile.TemporaryDirectory() as temporary:
        archive.write_out(temporary, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(temporary, signature_keys=[ANY_SIZE, CROPS])
        if order.precision == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        (folder / FILE).write_bytes(converter.convert())


def read(folder: Path, precision: str, image_size: int) -> Run:
    """Return what runs `model.tflite`."""
    interpreter = _interpreter(folder / FILE)
    runners = {name: interpreter.get_signature_runner(name) for name in (ANY_SIZE, CROPS)}

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return runners[CROPS if images.shape[1:3] == (image_size, image_size) else ANY_SIZE](image=images)

    return run


def _interpreter(path: Path) -> tf.lite.Interpreter:
    """Return LiteRT's own interpreter where it is installed, or else the older one that TensorFlow holds."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        Interpreter = tf.lite.Interpreter
    with warnings.catch_warnings():
        # TensorFlow's says that it will be removed, which its user can do nothing about.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated")
        return Interpreter(str(path), num_threads=threads())


LITERT = Format(("float32", "int8"), write, read)
