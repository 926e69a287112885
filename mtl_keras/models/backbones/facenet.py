"""FaceNet's trunk, Inception-ResNet-v1, up to global average pooling.

Sources: Szegedy et al., 2016, https://arxiv.org/abs/1602.07261 (the network); Schroff et al., 2015,
https://arxiv.org/abs/1503.03832 (FaceNet). Filters, scales and layer names follow keras-facenet 0.3.2, so that its
weight files can be read by name, see `mtl_keras.models.weights`.
"""

from dataclasses import replace
from typing import NamedTuple

import keras
from keras import layers

from mtl_keras.errors import UserError
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.layers import Scale
from mtl_keras.models.normalization import FusedBatchNormalization
from mtl_keras.models.weights import find_weights, load_facenet_weights

# Below this side the unpadded strided layers leave no pixel for the last of them.
SMALLEST_IMAGE = 75
STAGES = ("Conv2d_4b_3x3_Activation", "Mixed_6a", "Mixed_7a", "AvgPool")


class Conv(NamedTuple):
    """One convolution; its name ends in the kernel's size, rows by columns: `Conv2d_0b_1x7`."""

    name: str
    filters: int
    strides: int = 1
    padding: str = "same"

    @property
    def kernel(self) -> tuple[int, int]:
        rows, columns = self.name.rsplit("_", 1)[1].split("x")
        return int(rows), int(columns)


class Residual(NamedTuple):
    """One kind of residual block: the factor on its correction, and its parallel branches."""

    scale: float
    branches: tuple[tuple[Conv, ...], ...]


STEM = (
    Conv("Conv2d_1a_3x3", 32, 2, "valid"),
    Conv("Conv2d_2a_3x3", 32, 1, "valid"),
    Conv("Conv2d_2b_3x3", 64),
)
STEM_AFTER_POOLING = (
    Conv("Conv2d_3b_1x1", 80),
    Conv("Conv2d_4a_3x3", 192, 1, "valid"),
    Conv("Conv2d_4b_3x3", 256, 2, "valid"),
)
RESIDUALS = {
    "Block35": Residual(
        0.17,
        (
            (Conv("Conv2d_1x1", 32),),
            (Conv("Conv2d_0a_1x1", 32), Conv("Conv2d_0b_3x3", 32)),
            (Conv("Conv2d_0a_1x1", 32), Conv("Conv2d_0b_3x3", 32), Conv("Conv2d_0c_3x3", 32)),
        ),
    ),
    "Block17": Residual(
        0.1,
        (
            (Conv("Conv2d_1x1", 128),),
            (Conv("Conv2d_0a_1x1", 128), Conv("Conv2d_0b_1x7", 128), Conv("Conv2d_0c_7x1", 128)),
        ),
    ),
    "Block8": Residual(
        0.2,
        (
            (Conv("Conv2d_1x1", 192),),
            (Conv("Conv2d_0a_1x1", 192), Conv("Conv2d_0b_1x3", 192), Conv("Conv2d_0c_3x1", 192)),
        ),
    ),
}
# A max pooling branch follows the last of these branches in each reduction.
REDUCTIONS = {
    "Mixed_6a": (
        (Conv("Conv2d_1a_3x3", 384, 2, "valid"),),
        (Conv("Conv2d_0a_1x1", 192), Conv("Conv2d_0b_3x3", 192), Conv("Conv2d_1a_3x3", 256, 2, "valid")),
    ),
    "Mixed_7a": (
        (Conv("Conv2d_0a_1x1", 256), Conv("Conv2d_1a_3x3", 384, 2, "valid")),
        (Conv("Conv2d_0a_1x1", 256), Conv("Conv2d_1a_3x3", 256, 2, "valid")),
        (Conv("Conv2d_0a_1x1", 256), Conv("Conv2d_0b_3x3", 256), Conv("Conv2d_1a_3x3", 256, 2, "valid")),
    ),
}


# === Layers ===
def convolutions(x, convs: tuple[Conv, ...], prefix: str = ""):
    """Convolution without bias, batch normalization and ReLU, one after the other: (B, H, W, C) to (B, H', W', C')."""
    for conv in convs:
        name = prefix + conv.name
        x = layers.Conv2D(conv.filters, conv.kernel, conv.strides, conv.padding, use_bias=False, name=name)(x)
        x = FusedBatchNormalization(momentum=0.995, epsilon=0.001, scale=False, name=f"{name}_BatchNorm")(x)
        x = layers.Activation("relu", name=f"{name}_Activation")(x)
    return x


def branches(x, name: str, parts: tuple[tuple[Conv, ...], ...]) -> list:
    """The parallel branches of one block, each fed with `x` (B, H, W, C)."""
    return [convolutions(x, convs, f"{name}_Branch_{index}_") for index, convs in enumerate(parts)]


def residual(x, kind: str, index: int):
    """Adds a scaled correction to `x` (B, H, W, C), which keeps its shape."""
    name = f"{kind}_{index}"
    # The very last block of the network is linear: neither scaled down nor followed by a ReLU.
    linear = name == "Block8_6"
    correction = layers.Concatenate(name=f"{name}_Concatenate")(branches(x, name, RESIDUALS[kind].branches))
    correction = layers.Conv2D(x.shape[-1], 1, name=f"{name}_Conv2d_1x1")(correction)
    correction = Scale(1.0 if linear else RESIDUALS[kind].scale, name=f"{name}_Scale")(correction)
    x = layers.Add(name=f"{name}_Add")([x, correction])
    return x if linear else layers.Activation("relu", name=f"{name}_Activation")(x)


def reduction(x, name: str):
    """Halves height and width: (B, H, W, C) to (B, (H - 1) // 2, (W - 1) // 2, C')."""
    parts = REDUCTIONS[name]
    pooled = layers.MaxPooling2D(3, 2, name=f"{name}_Branch_{len(parts)}_MaxPool_1a_3x3")(x)
    return layers.Concatenate(name=name)([*branches(x, name, parts), pooled])


# === Functional model ===
def inception_resnet_v1(image_size: int, blocks: tuple[int, int, int], name: str) -> keras.Model:
    """Builds the trunk with these numbers of blocks of each kind: images (B, S, S, 3) to features (B, 1792).

    Images hold (pixel - 127.5) / 128. The features are float32 in mixed precision too. An image side under 75 pixels
    is a `UserError`.
    """
    if image_size < SMALLEST_IMAGE:
        raise UserError(
            f"{name}: image size {image_size} is too small: give {SMALLEST_IMAGE} or more (usual: 160), the "
            "border included"
        )
    inputs = keras.Input((image_size, image_size, 3), name="image")
    x = convolutions(inputs, STEM)
    x = layers.MaxPooling2D(3, 2, name="MaxPool_3a_3x3")(x)
    x = convolutions(x, STEM_AFTER_POOLING)  # at 160 pixels: (B, 17, 17, 256)
    for index in range(blocks[0]):
        x = residual(x, "Block35", index + 1)
    x = reduction(x, "Mixed_6a")  # (B, 8, 8, 896)
    for index in range(blocks[1]):
        x = residual(x, "Block17", index + 1)
    x = reduction(x, "Mixed_7a")  # (B, 3, 3, 1792)
    for index in range(blocks[2]):
        x = residual(x, "Block8", index + 1)
    features = layers.GlobalAveragePooling2D(name="AvgPool", dtype="float32")(x)  # (B, 1792)
    return keras.Model(inputs, features, name=name)


def facenet(image_size: int = 160) -> keras.Model:
    """The whole trunk of FaceNet: images (B, S, S, 3) to features (B, 1792)."""
    return inception_resnet_v1(image_size, (5, 10, 6), "facenet")


def facenet_small(image_size: int = 160) -> keras.Model:
    """FaceNet's trunk without its last blocks, which pretrained weights still fit: (B, S, S, 3) to (B, 1792)."""
    return inception_resnet_v1(image_size, (5, 6, 0), "facenet_small")


# The published weights were trained with (pixel - 127.5) / 128, "fixed image standardization":
# https://github.com/davidsandberg/facenet, src/facenet.py.
FACENET = Backbone(
    facenet,
    image_size=160,
    channels=3,
    mean=127.5,
    scale=128.0,
    stages=STAGES,
    find_weights=find_weights,
    load_weights=load_facenet_weights,
)
FACENET_SMALL = replace(FACENET, build=facenet_small)
