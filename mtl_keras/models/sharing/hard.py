"""Hard parameter sharing: every task reads the same features (Caruana, Multitask learning, 1997)."""

import keras


def hard(features, names: list[str], units: tuple[int, ...] = (512, 256), dropout: float = 0.3) -> dict:
    """Return the same features (B, units[-1]) for every task, after dense layers with LeakyReLU and dropout.

    Two layers as in the article on FaceNet for age, gender and ethnicity, which does not give their widths.
    """
    for index, width in enumerate(units):
        features = keras.layers.Dense(width, name=f"shared_dense_{index}")(features)
        features = keras.layers.LeakyReLU(0.1, name=f"shared_leaky_relu_{index}")(features)
        features = keras.layers.Dropout(dropout, name=f"shared_dropout_{index}")(features)
    return dict.fromkeys(names, features)
