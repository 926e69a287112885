"""Every network of keras.applications, by its name there: `keras_applications/EfficientNetB0`.

Each sees pixels as its own `preprocess_input` gives them, by a layer within the trunk, and has ImageNet's weights if
wanted: `weights="imagenet"`, or the path of a file of weights without the top.
"""

import inspect
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import keras
import numpy as np

from mtl_keras.errors import UserError
from mtl_keras.files import replacing_folder
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.layers import ColorTransform
from mtl_keras.models.normalization import norms_of
from mtl_keras.models.weights import weights_cache, weights_file

NETWORKS = {name: make for name, make in vars(keras.applications).items() if inspect.isfunction(make)}
IMAGENET = "imagenet"
# Mean and standard deviation of ImageNet's colors of 0..1, red, green and blue.
IMAGENET_MEAN, IMAGENET_STD = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))
# For moving statistics, Keras' usual one. MobileNet has 0.999 and NASNet 0.9997, for the many steps of ImageNet: after
# a thousand steps a third of them, or more, would still be what a network begins with, and its answers chance.
LARGEST_MOMENTUM = 0.99


@cache
def keras_application(name: str) -> Backbone:
    """Return the trunk of this name of keras.applications, with random weights: images of 0..255 to averaged maps."""
    if name not in NETWORKS:
        near = get_close_matches(name, NETWORKS, 1)
        meant = f"; did you mean keras_applications/{near[0]}?" if near else ""
        known = ", ".join(NETWORKS)
        raise UserError(f"unknown backbone 'keras_applications/{name}': expected one of {known} behind the /{meant}")

    def build(side: int) -> keras.Model:
        inputs = keras.Input((side, side, 3), name="image")
        matrix, offset = _preprocessing(NETWORKS[name])
        colors = inputs
        if not (np.array_equal(matrix, np.eye(3)) and not offset.any()):
            colors = ColorTransform(matrix.tolist(), offset.tolist(), name="preprocess_input")(inputs)
        shape = (side, side, 3)
        try:
            trunk = NETWORKS[name](include_top=False, weights=None, input_tensor=colors, input_shape=shape)
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise UserError(f"keras_applications/{name}: image size {side} does not work ({reason[:200]})") from None
        _number_layers(trunk)
        for norm in norms_of(trunk):
            norm.momentum = min(norm.momentum, LARGEST_MOMENTUM)
        return keras.Model(inputs, trunk.outputs[0], name=name.lower())

    return Backbone(build, 224, 3, mean=0.0, scale=1.0, find_weights=lambda weights: _find_weights(name, weights))


def _number_layers(trunk: keras.Model) -> None:
    """Number the layers that Keras named within the trunk: it counts over all networks of a program.

    A saved model names layers, so these must be called alike in the program that reads it.
    """
    numbers = Counter()
    for operation in trunk.operations:
        # As Keras makes a name of a class: BatchNormalization is batch_normalization, ReLU re_lu.
        words = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(operation).__name__))
        kind = words.lower()
        if re.fullmatch(rf"{kind}(_\d+)?", operation.name):
            operation.name = f"{kind}_{numbers[kind]}" if numbers[kind] else kind
            numbers[kind] += 1


def _preprocessing(make: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix (3, 3) and the offset (3,) that bring colors of 0..255 to what a network was trained on.

    Measured on the network's own `preprocess_input`, which is one of three such mappings.
    """
    module = vars(inspect.getmodule(make))

    def preprocessed(color) -> np.ndarray:
        return module["preprocess_input"](np.array(color, np.float64).reshape(1, 1, 1, 3)).reshape(3)

    offset = preprocessed((0, 0, 0))
    matrix = np.stack([(preprocessed(255 * unit) - offset) / 255 for unit in np.eye(3)])
    if "IMAGENET_STDDEV_RGB" in module:
        # EfficientNet divides by the deviation once more where Keras loads ImageNet's weights by their name, and only
        # there: the colors are to come out of its Normalization (x / 255 - mean) / std as many times larger.
        factor = 1 / np.sqrt(IMAGENET_STD)
        matrix, offset = np.diag(factor), 255 * IMAGENET_MEAN * (1 - factor)
    return matrix, offset


def _find_weights(name: str, weights: str | Path) -> Path:
    """Return a file of weights: of this path, or ImageNet's, which Keras downloads and checks the first time."""
    if str(weights) != IMAGENET:
        return weights_file(weights)
    folder = weights_cache() / f"{name}-{IMAGENET}"
    file = folder / "trunk.weights.h5"
    if not file.is_file():
        try:
            trained = NETWORKS[name](include_top=False, weights=IMAGENET)
        except Exception as error:  # Keras raises a bare Exception where it cannot download.
            reason = " ".join(str(error).split())[:300]
            raise UserError(
                f"keras_applications/{name}: the weights of ImageNet cannot be had ({reason}): fetch the file on a "
                "machine with a network, and give its path as weights"
            ) from None
        with replacing_folder(folder) as temporary:
            trained.save_weights(temporary / file.name)
    return file


# For processors that have little time for a face (Howard et al., 2019, https://arxiv.org/abs/1905.02244).
MOBILENET_V3_SMALL = replace(
    keras_application("MobileNetV3Small"),
    image_size=96,
    stages=(
        "expanded_conv_project_bn",
        "expanded_conv_2_add",
        "expanded_conv_5_add",
        "expanded_conv_7_add",
        "expanded_conv_10_add",
    ),
    maps="activation",
)
