"""AlexNet in the form of one tower, up to its dense layers.

Sources: Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks, 2012; and
Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014, https://arxiv.org/abs/1404.5997 (the
single tower and its filters). Kernels start as in He et al., 2015, https://arxiv.org/abs/1502.01852: the 0.01 of 2012
hardly moves at first. There is no local response normalization.
"""

import keras
from keras import layers

from mtl_keras.errors import UserError
from mtl_keras.models.backbones.backbone import Backbone

# Of each convolution: filters, side of its kernel, stride, and whether maps are pooled after it.
CONVOLUTIONS = ((64, 11, 4, True), (192, 5, 1, True), (384, 3, 1, False), (256, 3, 1, False), (256, 3, 1, True))
# Below this the last pooling has nothing left to see.
SMALLEST_IMAGE = 63


def alexnet(image_size: int = 224) -> keras.Model:
    """Return the trunk: color images (B, S, S, 3) to flat features (B, 256 P^2), P being 6 for images of 224 pixels."""
    if image_size < SMALLEST_IMAGE:
        raise UserError(f"alexnet: image size {image_size} is too small; expected at least {SMALLEST_IMAGE}")

    # === Functional model ===
    inputs = keras.Input((image_size, image_size, 3))
    x = layers.ZeroPadding2D(2, name="conv1_pad")(inputs)
    for number, (filters, side, stride, pooled) in enumerate(CONVOLUTIONS, 1):
        x = layers.Conv2D(
            filters,
            side,
            stride,
            padding="valid" if number == 1 else "same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(x)
        if pooled:
            x = layers.MaxPooling2D(3, 2, name=f"pool{number}")(x)
    return keras.Model(inputs, layers.Flatten(name="features")(x), name="alexnet")


ALEXNET = Backbone(
    alexnet,
    image_size=224,
    channels=3,
    mean=127.5,
    scale=127.5,
    stages=("pool1", "pool2", "conv3", "conv4", "pool5"),
    maps="conv1",
)
