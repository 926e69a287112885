"""Hard and soft parameter sharing combined: first stages that all tasks share, and later ones that are pulled together.

Its parts are those of mtl_keras/models/sharing/hard.py and soft.py; Ruder, An overview of multi-task learning in deep
neural networks, 2017, https://arxiv.org/abs/1706.05098, describes both.
"""

from typing import Literal

import keras

from mtl_keras.errors import UserError
from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk, cut, in_turn
from mtl_keras.models.sharing.soft import pulled_together


def hard_soft(
    trunk: Trunk,
    tasks: list[str],
    settings: Settings,
    *,
    shared_stages: int = 1,
    norm: Literal["l2", "trace"] = "l2",
    strength: float = 1e-3,
) -> Shared:
    """Share the first stages of the trunk, and give each task later ones and dense layers of its own, pulled together.

    `norm` and `strength` are those of soft sharing. With as many `shared_stages` as the backbone has, what is pulled
    are the layers behind them.
    """
    networks = [trunk.build() for _ in tasks]
    stages = trunk.backbone.cuts(networks[0])
    common = cut(networks[0], stages, "shared")[:shared_stages]
    if not 1 <= shared_stages <= len(stages):
        raise UserError(
            f"shared_stages {shared_stages}: expected 1 to {len(stages)}, the stages of {networks[0].name!r}; to share "
            "none take the way of sharing 'soft'"
        )
    later = {task: cut(n, stages, task)[shared_stages:] for n, task in zip(networks, tasks, strict=True)}

    def by_task(image) -> dict:
        return pulled_together(later, in_turn(common, image), settings, norm, strength)

    shared = {layer.name: layer for part in common for layer in part.layers}
    return Shared([networks[0], *(_joined(network, shared) for network in networks[1:])], by_task)


def _joined(network: keras.Model, shared: dict[str, keras.layers.Layer]) -> keras.Model:
    """Return a trunk of the network's layers, but with the shared ones in place of its own of these names."""
    return keras.models.clone_model(network, clone_function=lambda layer: shared.get(layer.name, layer))
