"""A trunk that passes precomputed features on, for training heads on features that were computed once."""

import keras


# === Functional model ===
def features(width: int) -> keras.Model:
    """Builds the identity over feature vectors: (B, D) to (B, D), D being `width`."""
    inputs = keras.Input((width,), name="features")
    return keras.Model(inputs, keras.layers.Identity(name="identity")(inputs), name="features_trunk")
