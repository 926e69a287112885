"""Layers that Keras lacks or has only in a slow form."""

import keras
import tensorflow as tf
from keras import ops

# The GPU kernel silently raises a smaller epsilon to this value, and the result would then differ from Keras' layer.
_SMALLEST_FUSED_EPSILON = 1.001e-5


@keras.saving.register_keras_serializable("mtl_keras")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization with TensorFlow's fused kernel: the arguments, variables and results of Keras' own layer.

    Keras 3 computes moments and normalization as separate operations in float32. The fused kernel reads an image
    batch `(B, H, W, C)` in its own precision and keeps statistics, offset and scale in float32. Anything that the
    kernel does not cover (other ranks or axes, masks, float64, renormalization, synchronized statistics) is left to
    Keras' layer. Source: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167.
    """

    def call(self, inputs, training=None, mask=None):
        """Normalizes `inputs` (B, H, W, C), with the batch's statistics in training and the moving ones otherwise."""
        if mask is not None or not self._kernel_fits(inputs):
            return super().call(inputs, training=training, mask=mask)

        channels = inputs.shape[-1]
        offset = ops.cast(self.beta, "float32") if self.center else ops.zeros((channels,), "float32")
        scale = ops.cast(self.gamma, "float32") if self.scale else ops.ones((channels,), "float32")
        moving_mean = ops.cast(self.moving_mean, "float32")
        moving_variance = ops.cast(self.moving_variance, "float32")

        # As in Keras, a frozen layer uses its moving statistics in training too.
        if not (training and self.trainable):
            outputs, _, _ = tf.compat.v1.nn.fused_batch_norm(
                inputs, scale, offset, moving_mean, moving_variance, epsilon=self.epsilon, is_training=False
            )
            return ops.cast(outputs, self.compute_dtype)

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, scale, offset, epsilon=self.epsilon, is_training=True
        )
        # The kernel returns the variance divided by (n - 1), Keras' moving variance holds the one divided by n.
        n = tf.cast(tf.size(inputs) // channels, "float32")  # B * H * W
        variance = variance * ((n - 1.0) / n)
        # A replica without a row of an epoch's last batch has no statistics: those would be NaN.
        mean, variance = tf.where(n > 0, mean, moving_mean), tf.where(n > 0, variance, moving_variance)
        self.moving_mean.assign(moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return ops.cast(outputs, self.compute_dtype)

    def _kernel_fits(self, inputs) -> bool:
        return (
            len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and keras.backend.standardize_dtype(inputs.dtype) in ("float32", "bfloat16", "float16")
            and self.epsilon >= _SMALLEST_FUSED_EPSILON
            and not self.renorm
            and not self.synchronized
        )


@keras.saving.register_keras_serializable("mtl_keras")
class Luminance(keras.layers.Layer):
    """The brightness (B, H, W, 1) of colors (B, H, W, 3), as ITU-R BT.601 weighs red, green and blue."""

    def call(self, inputs):
        return ops.matmul(inputs, ops.convert_to_tensor([[0.299], [0.587], [0.114]], inputs.dtype))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)


@keras.saving.register_keras_serializable("mtl_keras")
class ColorTransform(keras.layers.Layer):
    """Colors (B, H, W, 3) times a `matrix` (3, 3), plus an `offset` (3,)."""

    def __init__(self, matrix: list[list[float]], offset: list[float], **layer_options):
        super().__init__(**layer_options)
        self.matrix, self.offset = matrix, offset

    def call(self, inputs):
        matrix, offset = (ops.convert_to_tensor(each, inputs.dtype) for each in (self.matrix, self.offset))
        return ops.matmul(inputs, matrix) + offset

    def compute_output_shape(self, input_shape):
        return input_shape

    # === Config ===
    def get_config(self):
        return {**super().get_config(), "matrix": self.matrix, "offset": self.offset}


@keras.saving.register_keras_serializable("mtl_keras")
class ReflectedBorder(keras.layers.Layer):
    """Surrounds images (B, H, W, C) by `width` of their own pixels, mirrored at the edge: (B, H + 2 w, W + 2 w, C)."""

    def __init__(self, width: int, **layer_options):
        super().__init__(**layer_options)
        self.width = width

    def call(self, inputs):
        sides = (self.width, self.width)
        return ops.pad(inputs, ((0, 0), sides, sides, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, height + 2 * self.width, width + 2 * self.width, channels

    # === Config ===
    def get_config(self):
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable("mtl_keras")
class Scale(keras.layers.Layer):
    """Multiplies its input, of any shape, by a constant."""

    def __init__(self, factor: float, **layer_options):
        super().__init__(**layer_options)
        self.factor = float(factor)
        self.supports_masking = True

    def call(self, inputs):
        return inputs * self.factor

    def compute_output_shape(self, input_shape):
        return input_shape

    # === Config ===
    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class SteppingLayer(keras.layers.Layer):
    """A layer whose state follows the steps of training, whatever the number of forward passes in each."""

    def end_step(self) -> None:
        """Let the state follow a step that was taken; called once after it, on every replica."""
        raise NotImplementedError


def stepping_layers(model: keras.Model) -> list[SteppingLayer]:
    """Return the layers of a model, and of models within it, whose state follows the steps of training."""
    found = []
    for layer in model.layers:
        if isinstance(layer, SteppingLayer):
            found.append(layer)
        elif isinstance(layer, keras.Model):
            found += stepping_layers(layer)
    return found
