"""One or several numbers by least squares."""

import keras
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.kinds.kind import Kind, distance


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


class Regression(Kind):
    """A task whose answer is a number, or one for each of `outputs`; outputs (B, D) are in the task's unit."""

    @property
    def intervals(self) -> bool:
        """Whether a label may be an interval: of one number, but not of several."""
        return not self.task.outputs

    def check(self) -> None:
        """Refuse a scale that the error cannot be divided by."""
        if not self.task.scale > 0:
            raise UserError(f"task {self.task.name!r}: scale {self.task.scale}: expected a number above 0")

    def last_layers(self, features, initializer):
        """Return numbers (B, D) in the task's unit."""
        scores = self.scores(features, self.task.size, initializer)
        return Affine(self.task.scale, self.task.center, name=self.task.name, dtype="float32")(scores)

    def loss(self, labels, outputs):
        """Return the squared error (B,) in units of the task's `scale`, averaged over the D outputs.

        Of an interval, labels (B, 2), it is that of the nearer end, and 0 within.
        """
        outputs = ops.cast(outputs, "float32")
        if self.intervals and len(labels.shape) == 2:
            return ops.square(distance(ops.cast(labels, "float32"), outputs[:, 0]) / self.task.scale)
        labels = ops.reshape(labels, ops.shape(outputs))
        return ops.mean(ops.square(self.difference(labels, outputs) / self.task.scale), axis=-1)

    def answers(self, outputs):
        """Return the numbers (B, D), or (B,) for a task without `outputs`."""
        return outputs if self.task.outputs else outputs[:, 0]
