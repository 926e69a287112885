"""Cross-stitch networks: a trunk a task, whose features are mixed after each stage by learned weights.

Source: Misra, Shrivastava, Gupta and Hebert, Cross-stitch networks for multi-task learning, 2016,
https://arxiv.org/abs/1604.03539.
"""

import keras
from keras import ops

from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk, cut

# What a task takes of its own features at first; the other tasks share the rest. The paper's values are alike.
OWN_PART = 0.9


@keras.saving.register_keras_serializable("mtl_keras")
class CrossStitch(keras.layers.Layer):
    """Mixes the features of T tasks, T tensors of one shape, by a learned matrix (T, T).

    Task t goes on with the sum of matrix[t, s] times the features of s over all tasks s.
    """

    def build(self, input_shape):
        tasks = len(input_shape)
        own = OWN_PART if tasks > 1 else 1.0
        start = [[own if t == s else (1 - own) / (tasks - 1) for s in range(tasks)] for t in range(tasks)]
        self.matrix = self.add_weight(
            name="matrix", shape=(tasks, tasks), initializer=lambda shape, dtype: ops.convert_to_tensor(start, dtype)
        )

    def call(self, inputs):
        matrix = ops.cast(self.matrix, inputs[0].dtype)
        return [sum(matrix[t, s] * inputs[s] for s in range(len(inputs))) for t in range(len(inputs))]

    def compute_output_shape(self, input_shape):
        return input_shape


def cross_stitch(trunk: Trunk, tasks: list[str], settings: Settings) -> Shared:
    """Give each task a trunk of its own and mix their features after each stage of the backbone.

    Of the settings it takes none: behind the last stage the tasks share nothing.
    """
    networks = [trunk.build() for _ in tasks]
    stages = trunk.backbone.cuts(networks[0])
    parts = [cut(network, stages, task) for network, task in zip(networks, tasks, strict=True)]

    def by_task(image) -> dict:
        features = [image for _ in tasks]
        for number, level in enumerate(zip(*parts, strict=True), 1):
            features = [part(x) for part, x in zip(level, features, strict=True)]
            if number <= len(stages):
                features = CrossStitch(name=f"cross_stitch_{number}")(features)
        return dict(zip(tasks, features, strict=True))

    return Shared(networks, by_task)
