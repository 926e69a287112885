"""Layers that Keras lacks."""

import keras
from keras import ops


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
