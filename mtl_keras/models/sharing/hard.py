"""Hard parameter sharing: every task reads the same features (Caruana, Multitask learning, 1997)."""

from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk, dense_layers


def hard(trunk: Trunk, tasks: list[str], settings: Settings) -> Shared:
    """Share one trunk, and dense layers with LeakyReLU and dropout, whose answers (B, units[-1]) all tasks read.

    Two layers as in the article on FaceNet for age, gender and ethnicity, which does not give their widths.
    """
    network = trunk.build()

    def by_task(features) -> dict:
        return dict.fromkeys(tasks, dense_layers(features, settings, "shared"))

    return Shared([network], by_task, common=network)
