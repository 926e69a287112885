"""Hard parameter sharing: every task reads the same features (Caruana, Multitask learning, 1997)."""

from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk, dense_layers, in_turn


def hard(trunk: Trunk, tasks: list[str], settings: Settings, *, dense: bool = True) -> Shared:
    """Share one trunk, and dense layers with LeakyReLU and dropout, whose answers (B, units[-1]) all tasks read.

    Two layers as in the article on FaceNet for age, gender and ethnicity, which does not give their widths. If not
    `dense`, the tasks share the trunk alone: among few units there is no room for what many tasks need, or those of
    different kinds.
    """
    network, layers = trunk.build(), dense_layers(settings, "shared") if dense else []

    def by_task(features) -> dict:
        return dict.fromkeys(tasks, in_turn(layers, features))

    return Shared([network], by_task, common=network)
