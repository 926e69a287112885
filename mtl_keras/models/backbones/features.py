"""A trunk that passes precomputed features on, for training heads on features that were computed once."""

import keras

from mtl_keras.models.backbones.backbone import Backbone


# === Functional model ===
def features(width: int) -> keras.Model:
    """Builds the identity over feature vectors: (B, D) to (B, D), D being `width`."""
    inputs = keras.Input((width,), name="features")
    return keras.Model(inputs, keras.layers.Identity(name="identity")(inputs), name="features_trunk")


FEATURES = Backbone(features, image_size=1792, channels=0, mean=0.0, scale=1.0)
