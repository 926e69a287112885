"""MobileNetV3-Small of Keras' applications, for processors that have little time for a face.

Source: Howard et al., Searching for MobileNetV3, 2019, https://arxiv.org/abs/1905.02244.
"""

import keras

from mtl_keras.models.backbones.backbone import Backbone


def mobilenet_v3_small(image_size: int = 96) -> keras.Model:
    """Return the trunk with random weights: images (B, S, S, 3) of 0..255 to maps (B, S / 32, S / 32, 576)."""
    return keras.applications.MobileNetV3Small(
        input_shape=(image_size, image_size, 3), include_top=False, weights=None, name="mobilenet_v3_small"
    )


MOBILENET_V3_SMALL = Backbone(
    mobilenet_v3_small,
    image_size=96,
    channels=3,
    # It brings pixels to -1..1 by itself.
    mean=0.0,
    scale=1.0,
    stages=(
        "expanded_conv_project_bn",
        "expanded_conv_2_add",
        "expanded_conv_5_add",
        "expanded_conv_7_add",
        "expanded_conv_10_add",
    ),
    maps="activation",
)
