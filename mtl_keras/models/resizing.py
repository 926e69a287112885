"""Resizing as part of a network: what `mtl_keras.data.images.resize` does, from operations that every format has."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("mtl_keras")
class Resized(keras.layers.Layer):
    """Images (B, H, W, 3) uint8 of any sides to (B, size, size, 3) uint8, by a method of `data.images.resize`.

    Each axis is a product with a matrix of the weights that Pillow gives the pixels, a triangle as wide as a pixel of
    the result, so that no level differs by more than one. Images that have the size already go through as they are.
    """

    def __init__(self, size: int, method: str = "bilinear", **layer_options):
        super().__init__(**layer_options)
        self.size, self.method = size, method

    def call(self, inputs):
        height, width = ops.shape(inputs)[1:3]
        if isinstance(height, int) and isinstance(width, int):
            return inputs if height == width == self.size else self._resized(inputs, height, width)
        has_size = ops.logical_and(ops.equal(height, self.size), ops.equal(width, self.size))
        images = ops.cond(has_size, lambda: inputs, lambda: self._resized(inputs, height, width))
        # What comes of either branch has no sides that are known beforehand.
        return ops.reshape(images, (-1, self.size, self.size, 3))

    def _resized(self, images, height, width):
        images = ops.cast(images, "float32")
        if self.method == "sharp":
            near_height, near_width = (ops.minimum(side, 3 * self.size) for side in (height, width))
            images = _antialiased(images, (height, width), (near_height, near_width))
            images = _across(images, _weights(near_width, self.size, antialias=False))
            images = ops.round(_down(images, _weights(near_height, self.size, antialias=False)))
        else:
            images = _antialiased(images, (height, width), (self.size, self.size))
        return ops.cast(images, "uint8")

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((inputs.shape[0], self.size, self.size, 3), "uint8")

    # === Config ===
    def get_config(self):
        return {**super().get_config(), "size": self.size, "method": self.method}


def _antialiased(images, sides: tuple, new_sides: tuple):
    """Return images (B, H, W, 3) of these new (H', W') as Pillow's bilinear filter makes them: whole numbers."""
    images = ops.floor(_across(images, _weights(sides[1], new_sides[1])) + 0.5)
    return ops.floor(_down(images, _weights(sides[0], new_sides[0])) + 0.5)


def _weights(length, new_length, antialias: bool = True):
    """Return the weights (new_length, length) that pixels of an axis have in those of the new one."""
    scale = ops.cast(length, "float32") / ops.cast(new_length, "float32")
    reach = ops.maximum(scale, 1.0) if antialias else 1.0
    centers = (ops.cast(ops.arange(new_length), "float32") + 0.5) * scale
    if not antialias:
        centers = ops.clip(centers, 0.5, ops.cast(length, "float32") - 0.5)
    places = ops.cast(ops.arange(length), "float32") + 0.5
    weights = ops.maximum(1.0 - ops.abs(places[None] - centers[:, None]) / reach, 0.0)
    return weights / ops.sum(weights, axis=1, keepdims=True)


def _across(images, weights):
    """Apply weights (W', W) along the rows of images (B, H, W, 3)."""
    return ops.matmul(weights, images)


def _down(images, weights):
    """Apply weights (H', H) along the columns of images (B, H, W, 3)."""
    shape = ops.shape(images)
    flat = ops.reshape(images, (shape[0], shape[1], shape[2] * 3))
    return ops.reshape(ops.matmul(weights, flat), (shape[0], -1, shape[2], 3))
