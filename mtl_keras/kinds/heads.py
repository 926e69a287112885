"""The end of each task's branch: features of a task -> its prediction."""

import keras

from mtl_keras.tasks import Task


@keras.saving.register_keras_serializable("mtl_keras")
class Affine(keras.layers.Layer):
    """x * scale + offset, as the last step of a regression head."""

    def __init__(self, scale: float, offset: float, **layer_options):
        super().__init__(**layer_options)
        self.scale, self.offset = scale, offset

    def call(self, inputs):
        return inputs * self.scale + self.offset

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


def head(task: Task, features, units: tuple[int, ...] = (), dropout: float = 0.0, initializer="glorot_uniform"):
    """Return the prediction (B, K) of a task from its features (B, F): probabilities, or numbers in the task's unit.

    `units` are the widths of dense layers with LeakyReLU before the last one, whose kernel starts as the `initializer`
    says. It computes in float32 whatever the precision of the rest, since probabilities need it.
    """
    for index, width in enumerate(units):
        features = keras.layers.Dense(width, name=f"{task.name}_dense_{index}")(features)
        features = keras.layers.LeakyReLU(0.1, name=f"{task.name}_leaky_relu_{index}")(features)
        if dropout:
            features = keras.layers.Dropout(dropout, name=f"{task.name}_dropout_{index}")(features)
    last = keras.layers.Dense(task.size, kernel_initializer=initializer, name=f"{task.name}_scores", dtype="float32")
    scores = last(features)
    if task.kind == "regression":
        return Affine(task.scale, task.center, name=task.name, dtype="float32")(scores)
    return keras.layers.Softmax(name=task.name, dtype="float32")(scores)
