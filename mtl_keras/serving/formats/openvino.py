"""OpenVINO, the fastest on processors of PCs and servers."""

import logging
import re
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.extras import needed
from mtl_keras.models.resizing import Resized
from mtl_keras.serving.formats.format import Format, Order, Run, images_of, threads

FILE = "model.xml"
# The name of the operation that gives crops of the network's side.
CROP = "crop"


def write(order: Order, folder: Path) -> None:
    """Write `model.xml` and `model.bin`; numbers that need not be of 32 bits have 16."""
    openvino, size = needed("openvino", "serve"), order.model.image_size
    network = _converted(lambda image: order.model(image, training=False), images_of(size, size))
    if order.precision == "int8":
        network = quantized(network, order.crops, order.float_layers)
    resized = Resized(size, order.model.resize_method)
    front = _converted(lambda image: {CROP: resized(image)}, images_of(None, None))
    crop = front.output(CROP).get_node().input_value(0)
    crop.get_node().set_friendly_name(CROP)
    for target in network.input(0).get_target_inputs():
        target.replace_source_output(crop)
    whole = openvino.Model(network.get_results(), front.get_parameters(), "served")
    openvino.save_model(whole, folder / FILE, compress_to_fp16=order.precision != "float32")


def _converted(function, images: tf.TensorSpec):
    concrete = tf.function(function, [images], autograph=False).get_concrete_function()
    return needed("openvino", "serve").convert_model(concrete)


def quantized(network, crops: np.ndarray, float_layers: tuple[str, ...] = ()):
    """Return a network of OpenVINO in int8, calibrated by NNCF on crops (N, S, S, 3) uint8.

    Layers whose names one of the regular expressions `float_layers` finds stay as they are.
    """
    nncf = needed("nncf", "serve")
    names = [operation.get_friendly_name() for operation in network.get_ops()]
    kept = []
    for pattern in float_layers:
        try:
            found = [name for name in names if re.search(pattern, name)]
        except re.error as error:
            raise UserError(f"float layers {pattern!r}: is no regular expression ({error})") from None
        if not found:
            raise UserError(f"float layers {pattern!r}: no layer has such a name; expected a part of one, as 'age_'")
        kept += found
    scope = nncf.IgnoredScope(names=sorted(set(kept)), validate=False)
    nncf.set_log_level(logging.ERROR)
    return nncf.quantize(network, nncf.Dataset(crops[:, None]), subset_size=len(crops), ignored_scope=scope)


def read(folder: Path, precision: str, image_size: int) -> Run:
    """Return what runs `model.xml`, without the resizing for crops that have the network's side."""
    openvino = needed("openvino", "serve")
    core = openvino.Core()
    whole = core.read_model(folder / FILE)
    crop = next((each.output(0) for each in whole.get_ops() if each.get_friendly_name() == CROP), None)
    if crop is None:
        raise UserError(f"{folder / FILE}: has no operation {CROP!r}; expected a network that mtl_keras has exported")
    targets = crop.get_target_inputs()
    front = openvino.Model([openvino.opset13.result(crop)], whole.get_parameters(), "resizing")
    image = openvino.opset13.parameter([-1, image_size, image_size, 3], np.uint8, name="image")
    for target in targets:
        target.replace_source_output(image.output(0))
    network = core.compile_model(
        openvino.Model(whole.get_results(), [image], "network"), "CPU", settings(core, precision)
    )
    names, resize = [output.get_any_name() for output in network.outputs], []

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        if images.shape[1:3] != (image_size, image_size):
            if not resize:  # Rounded weights would move pixels by more than a level.
                resize.append(core.compile_model(front, "CPU", settings(core, "float32")))
            images = resize[0]([images])[0]
        return dict(zip(names, network([images], share_inputs=True).to_tuple(), strict=True))

    return run


def settings(core, precision: str) -> dict[str, object]:
    """Return how OpenVINO is to compute: with all processors on one batch, and in no other precision than asked for."""
    hint = "f32"
    if precision == "bfloat16":
        if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            hint = "bf16"
        else:
            print("this processor knows no bfloat16; the network computes in float32", file=sys.stderr)
    return {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads()}


OPENVINO = Format(("float32", "bfloat16", "int8"), write, read, packages=("openvino", "nncf"), calibrated=("int8",))
