"""A small convolutional network for quick trials, whose runs on a thousand small images take seconds on a processor."""

import keras
from keras import layers

from mtl_keras.errors import UserError
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.normalization import FusedBatchNormalization

# Filters of each block's convolution.
BLOCKS = (16, 32, 64)
SMALLEST_IMAGE = 2 ** len(BLOCKS)


def small_cnn(image_size: int = 32) -> keras.Model:
    """Return the trunk: gray images (B, S, S, 1) to flat features (B, 64 (S // 8)^2)."""
    if image_size < SMALLEST_IMAGE:
        raise UserError(f"small_cnn: image size {image_size} is too small; expected at least {SMALLEST_IMAGE}")

    # === Functional model ===
    inputs = keras.Input((image_size, image_size, 1))
    x = inputs
    for block, filters in enumerate(BLOCKS, 1):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"block{block}_conv")(x)
        x = FusedBatchNormalization(momentum=0.9, name=f"block{block}_norm")(x)
        x = layers.ReLU(name=f"block{block}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)  # (B, S / 2^block, S / 2^block, filters)
    return keras.Model(inputs, layers.Flatten(name="features")(x), name="small_cnn")


SMALL_CNN = Backbone(
    small_cnn,
    image_size=32,
    channels=1,
    mean=128.0,
    scale=255.0,
    stages=tuple(f"block{block}_pool" for block in range(1, 1 + len(BLOCKS))),
    maps="block1_relu",
)
