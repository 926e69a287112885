"""BKNet, a small VGG for faces of 48 x 48 gray pixels, and the branch that each of its tasks has.

Sources: Dinh Viet Sang and Le Tran Bao Cuong, Facial smile detection using convolutional neural networks, KSE 2017, and
Effective deep multi-source multi-task learning frameworks for smile detection, emotion recognition and gender
classification, 2018 (the networks); Simonyan and Zisserman, 2015, https://arxiv.org/abs/1409.1556 (VGG).
"""

import keras
from keras import layers

from mtl_keras.errors import UserError
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.normalization import FusedBatchNormalization

# Filters of each block's convolutions.
BLOCKS = ((32, 32), (64, 64), (128, 128), (256, 256, 256))
BRANCH = (256, 256)
SMALLEST_IMAGE = 2 ** len(BLOCKS)


def initializer() -> keras.initializers.Initializer:
    """Return how all of its kernels start: a truncated normal distribution of standard deviation 0.05."""
    return keras.initializers.TruncatedNormal(stddev=0.05)


def bknet(image_size: int = 48) -> keras.Model:
    """Return the trunk: gray images (B, S, S, 1) to flat features (B, 256 (S // 16)^2)."""
    if image_size < SMALLEST_IMAGE:
        raise UserError(f"bknet: image size {image_size} is too small; expected at least {SMALLEST_IMAGE}")

    # === Functional model ===
    inputs = keras.Input((image_size, image_size, 1))
    x = inputs
    for block, filters in enumerate(BLOCKS, 1):
        for number, width in enumerate(filters, 1):
            name = f"block{block}_conv{number}"
            x = layers.Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer=initializer(), name=name)(x)
            x = FusedBatchNormalization(momentum=0.9, epsilon=1e-3, name=f"{name}_norm")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)  # (B, S / 2^block, S / 2^block, C)
    return keras.Model(inputs, layers.Flatten(name="features")(x), name="bknet")


def branch(features, task: str, dropout: float = 0.5):
    """Return a task's own features (B, 256) from flat ones (B, F): two dense layers with ReLU and dropout."""
    for number, width in enumerate(BRANCH):
        features = layers.Dense(
            width, activation="relu", kernel_initializer=initializer(), name=f"{task}_dense_{number}"
        )(features)
        features = layers.Dropout(dropout, name=f"{task}_dropout_{number}")(features)
    return features


BKNET = Backbone(
    bknet,
    image_size=48,
    channels=1,
    mean=128.0,
    scale=255.0,
    stages=tuple(f"block{block}_pool" for block in range(1, 1 + len(BLOCKS))),
    maps="block1_conv1_relu",
    branch=branch,
    initializer=initializer,
)
