"""Cross-stitch networks: a trunk a task, whose features are mixed after each stage by learned weights.

Source: Misra, Shrivastava, Gupta and Hebert, Cross-stitch networks for multi-task learning, 2016,
https://arxiv.org/abs/1604.03539.
"""

import keras
import numpy as np
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk, cut


@keras.saving.register_keras_serializable("mtl_keras")
class CrossStitch(keras.layers.Layer):
    """Mixes the features of T tasks, T tensors of one shape, by a learned matrix (T, T).

    Task t goes on with the sum of matrix[t, s] times the features of s over all tasks s. Of its own features a task
    takes `own_part` at first; the other tasks share the rest. With `per_channel` each channel has a matrix (T, T, C).
    """

    def __init__(self, own_part: float = 0.9, per_channel: bool = False, **layer_options):
        super().__init__(**layer_options)
        self.own_part, self.per_channel = own_part, per_channel

    def build(self, input_shape):
        tasks = len(input_shape)
        own = self.own_part if tasks > 1 else 1.0
        start = np.full((tasks, tasks), (1 - own) / max(tasks - 1, 1))
        np.fill_diagonal(start, own)
        if self.per_channel:
            start = np.repeat(start[..., None], input_shape[0][-1], axis=-1)
        self.matrix = self.add_weight(
            name="matrix", shape=start.shape, initializer=lambda shape, dtype: ops.convert_to_tensor(start, dtype)
        )

    def call(self, inputs):
        matrix = ops.cast(self.matrix, inputs[0].dtype)
        return [sum(matrix[t, s] * inputs[s] for s in range(len(inputs))) for t in range(len(inputs))]

    def compute_output_shape(self, input_shape):
        return input_shape

    # === Config ===
    def get_config(self):
        return {**super().get_config(), "own_part": self.own_part, "per_channel": self.per_channel}


def cross_stitch(
    trunk: Trunk, tasks: list[str], settings: Settings, *, own_part: float = 0.9, per_channel: bool = False
) -> Shared:
    """Give each task a trunk of its own and mix their features after each stage of the backbone.

    `own_part` is what a task takes of its own features at first, and `per_channel` says whether each channel is mixed
    by numbers of its own, as in the paper, or all of a stage alike. Behind the last stage the tasks share nothing.
    """
    if not 0 <= own_part <= 1:
        raise UserError(f"own_part {own_part!r}: expected 0 to 1, the part that a task takes of its own features")
    networks = [trunk.build() for _ in tasks]
    stages = trunk.backbone.cuts(networks[0])
    parts = [cut(network, stages, task) for network, task in zip(networks, tasks, strict=True)]

    def by_task(image) -> dict:
        features = [image for _ in tasks]
        for number, level in enumerate(zip(*parts, strict=True), 1):
            features = [part(x) for part, x in zip(level, features, strict=True)]
            if number <= len(stages):
                features = CrossStitch(own_part, per_channel, name=f"cross_stitch_{number}")(features)
        return dict(zip(tasks, features, strict=True))

    return Shared(networks, by_task)
