"""MTAN: one trunk for all tasks, and attention a task on the features of each of its stages.

Source: Liu, Johns and Davison, End-to-end multi-task learning with attention, 2019, https://arxiv.org/abs/1803.10704.
"""

import keras
from keras import layers, ops

from mtl_keras.errors import UserError
from mtl_keras.models.normalization import FusedBatchNormalization
from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk, cut, in_turn


def mtan(trunk: Trunk, tasks: list[str], settings: Settings, *, reduction: int = 1) -> Shared:
    """Share one trunk, and let each task attend to the features of each stage by masks that it learns.

    Task t goes on from stage j with a_j * p_j, p_j being the stage's features and a_j, in 0..1, its mask for them:
    a_j = h(g([p_j, f(a_(j-1) * p_(j-1))])). Here g is a 1x1 convolution with batch normalization and ReLU to the
    number of channels of p_j divided by `reduction`, h a 1x1 convolution with batch normalization and sigmoid; f, which
    the tasks share, a 3x3 convolution with batch normalization, ReLU and max pooling to the size of p_j. The first mask
    sees p_1 alone. What follows the last stage of the trunk is shared too. In the paper g reads features within the
    stage, which a trunk of other blocks need not have.
    """
    if reduction < 1:
        raise UserError(f"reduction {reduction}: expected at least 1, of which the masks have all channels")
    network = trunk.build()
    stages = trunk.backbone.cuts(network)
    parts = cut(network, stages, "shared")

    def by_task(image) -> dict:
        features, attended = image, {}
        for number, part in enumerate(parts[: len(stages)], 1):
            features = part(features)
            seen = dict.fromkeys(tasks, [features])
            if attended:
                earlier = _all_at_once(_transition(attended[tasks[0]], features, number), attended)
                seen = {task: [features, earlier[task]] for task in tasks}
            for task in tasks:
                joined = ops.concatenate(seen[task], axis=-1)
                mask = in_turn(_mask(features.shape[-1], reduction, f"{task}_mask_{number}"), joined)
                attended[task] = layers.Multiply(name=f"{task}_attended_{number}")([mask, features])
        return _all_at_once(parts[len(stages) :], attended)

    return Shared([network], by_task)


def _mask(channels: int, reduction: int, name: str) -> list[keras.layers.Layer]:
    """Return g and h, whose 1x1 convolutions are dense layers over the channels: of maps, or of feature vectors."""
    return [
        layers.Dense(max(1, channels // reduction), name=f"{name}_dense_0"),
        FusedBatchNormalization(momentum=0.9, epsilon=1e-3, name=f"{name}_norm_0"),
        layers.ReLU(name=f"{name}_relu"),
        layers.Dense(channels, name=f"{name}_dense_1"),
        FusedBatchNormalization(momentum=0.9, epsilon=1e-3, name=f"{name}_norm_1"),
        layers.Activation("sigmoid", name=f"{name}_sigmoid"),
    ]


def _transition(before, features, number: int) -> list[keras.layers.Layer]:
    """Return f from what a task attended to before to the shape of the features (B, H, W, C) or (B, C)."""
    name, channels = f"transition_{number}", features.shape[-1]
    maps = len(before.shape) == 4
    found = [
        layers.Conv2D(channels, 3, padding="same", name=f"{name}_conv") if maps else layers.Dense(channels, name=name),
        FusedBatchNormalization(momentum=0.9, epsilon=1e-3, name=f"{name}_norm"),
        layers.ReLU(name=f"{name}_relu"),
    ]
    if maps and len(features.shape) == 2:
        found.append(layers.GlobalMaxPooling2D(name=f"{name}_pool"))
    elif before.shape[1:-1] != features.shape[1:-1]:
        sides = [*zip(before.shape[1:-1], features.shape[1:-1], strict=True)]
        if any(large < small for large, small in sides):
            raise UserError(
                f"mtan cannot follow maps that grow from {before.shape[1:-1]} to {features.shape[1:-1]} between two "
                "stages: leave out the second in `Backbone(stages=...)`"
            )
        strides = [large // small for large, small in sides]
        # So large that exactly as many windows fit as the stage's maps have pixels.
        windows = [large - (small - 1) * stride for (large, small), stride in zip(sides, strides, strict=True)]
        found.append(layers.MaxPooling2D(windows, strides, name=f"{name}_pool"))
    return found


def _all_at_once(shared: list[keras.layers.Layer], features: dict) -> dict:
    """Return what layers that the tasks share make of each one's features.

    All go through together, (T B, ...): so batch normalization has one mean of all tasks, in training and after.
    """
    together = in_turn(shared, ops.concatenate(list(features.values()), axis=0))
    return dict(zip(features, ops.split(together, len(features), axis=0), strict=True))
