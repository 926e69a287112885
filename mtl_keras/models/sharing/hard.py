"""Hard parameter sharing: every task reads the same features (Caruana, Multitask learning, 1997)."""

import keras

from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk


def hard(trunk: Trunk, tasks: list[str], settings: Settings) -> Shared:
    """Share one trunk, and dense layers with LeakyReLU and dropout, whose answers (B, units[-1]) all tasks read.

    Two layers as in the article on FaceNet for age, gender and ethnicity, which does not give their widths.
    """
    network = trunk.build()

    def by_task(features) -> dict:
        for index, width in enumerate(settings.units):
            features = keras.layers.Dense(width, name=f"shared_dense_{index}")(features)
            features = keras.layers.LeakyReLU(0.1, name=f"shared_leaky_relu_{index}")(features)
            features = keras.layers.Dropout(settings.dropout, name=f"shared_dropout_{index}")(features)
        return dict.fromkeys(tasks, features)

    return Shared([network], by_task, common=network)
