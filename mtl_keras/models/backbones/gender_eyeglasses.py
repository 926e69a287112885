"""A small network for gender and eyeglasses on faces of 50 x 50 gray pixels: one shared convolution, a branch a task.

With two tasks it has 1,524,740 parameters, and two networks of one task each have 1,525,060: the 320 of the shared
convolution twice. Biases start at 0 and kernels as Keras' do (Glorot and Bengio, 2010), since the work does not say.
"""

import keras
from keras import layers

from mtl_keras.errors import UserError
from mtl_keras.models.backbones.backbone import Backbone

SHARED_FILTERS, BRANCH_FILTERS, BRANCH_UNITS = 32, 64, 96
# Below this a branch's convolution or pooling has nothing left to see.
SMALLEST_IMAGE = 10


def gender_eyeglasses(image_size: int = 50) -> keras.Model:
    """Return the trunk: gray images (B, S, S, 1) to the maps of the shared convolution (B, (S - 2) // 2, same, 32)."""
    if image_size < SMALLEST_IMAGE:
        raise UserError(f"gender_eyeglasses: image size {image_size} is too small; expected at least {SMALLEST_IMAGE}")

    # === Functional model ===
    inputs = keras.Input((image_size, image_size, 1))
    x = layers.Conv2D(SHARED_FILTERS, 3, activation="relu", name="shared_conv")(inputs)  # (B, S - 2, S - 2, 32)
    return keras.Model(inputs, layers.MaxPooling2D(2, name="shared_pool")(x), name="gender_eyeglasses")


def branch(features, task: str, dropout: float = 0.0):
    """Return a task's own features (B, 96) from the shared maps (B, H, W, 32)."""
    x = layers.Conv2D(BRANCH_FILTERS, 3, activation="relu", name=f"{task}_conv")(features)
    x = layers.Flatten(name=f"{task}_flat")(layers.MaxPooling2D(2, name=f"{task}_pool")(x))
    x = layers.Dense(BRANCH_UNITS, activation="relu", name=f"{task}_dense")(x)
    return layers.Dropout(dropout, name=f"{task}_dropout")(x) if dropout else x


GENDER_EYEGLASSES = Backbone(
    gender_eyeglasses,
    image_size=50,
    channels=1,
    mean=0.0,
    scale=255.0,
    # Frames of eyeglasses are a pixel thin here: the antialiased bilinear filter blurs them.
    resize_method="sharp",
    stages=("shared_pool",),
    maps="shared_conv",
    branch=branch,
)
