"""Experts, parts of a network that several tasks may read, and how each task mixes them by a gate of its own."""

import keras
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.models.sharing.sharing import Settings, dense_layers, in_turn

# Where no widths are given, a dense expert answers as many numbers as it reads, but no more than this.
WIDEST = 256


@keras.saving.register_keras_serializable("mtl_keras")
class Mixture(keras.layers.Layer):
    """The sum of N experts (B, ...), each times its weight in a gate (B, N), for one `reader`; in float32.

    Called with [gate, first expert, ..., last expert].
    """

    def __init__(self, reader: str, **layer_options):
        # Of bfloat16's digits too few would be left for weights that sum to 1.
        super().__init__(**{"dtype": "float32", **layer_options})
        self.reader = reader

    def call(self, inputs):
        gate, *experts = inputs
        weights = ops.reshape(gate, (-1, len(experts), *[1] * (len(experts[0].shape) - 1)))  # (B, N, 1, ...)
        return sum(weights[:, number] * expert for number, expert in enumerate(experts))

    def compute_output_shape(self, input_shape):
        return input_shape[1]

    # === Config ===
    def get_config(self):
        return {**super().get_config(), "reader": self.reader}


def expert(features, settings: Settings, name: str):
    """Return what one expert makes of features.

    Flat features (B, D) go through the dense layers of the settings, or where these have none, since the backbone's
    branches fix what follows, through one of min(D, 256) units. Maps (B, H, W, C) go through a convolution that keeps
    their shape, so that a backbone's branch finds what it takes.
    """
    if len(features.shape) == 2:
        units = settings.units or (min(features.shape[-1], WIDEST),)
        return in_turn(dense_layers(settings._replace(units=units), name), features)
    x = keras.layers.Conv2D(features.shape[-1], 3, padding="same", name=f"{name}_conv")(features)
    x = keras.layers.LeakyReLU(0.1, name=f"{name}_leaky_relu")(x)
    return keras.layers.Dropout(settings.dropout, name=f"{name}_dropout")(x)


def selector(features, name: str):
    """Return the flat features (B, D) that a gate chooses by: maps (B, H, W, D) are averaged over height and width."""
    if len(features.shape) == 2:
        return features
    return keras.layers.GlobalAveragePooling2D(dtype="float32", name=f"{name}_average")(features)


def softmax_mixture(reader: str, features, experts: list):
    """Return the mixture of N experts for a reader, whose gate is softmax(W x) of flat features x (B, D)."""
    gate = keras.layers.Dense(
        len(experts), activation="softmax", use_bias=False, dtype="float32", name=f"{reader}_gate"
    )(selector(features, f"{reader}_gate"))
    return Mixture(reader, name=f"{reader}_mixture")([gate, *experts])


def check_count(setting: str, value: int, least: int) -> None:
    """Refuse a number of experts, or of what holds them, that leaves nothing to mix."""
    if value < least:
        raise UserError(f"{setting} is {value}; expected at least {least}")


def gate_values(model: keras.Model, images, batch_size: int = 32) -> dict:
    """Return how each task weighs its experts for every image: {task: (N, experts)}, NumPy arrays.

    Where gates stand in several levels, those of the last have the tasks' names, and the others are "TASK_level_1" and
    "shared_level_1". A model without gates is a `UserError`.
    """
    mixtures = [layer for layer in model.layers if isinstance(layer, Mixture)]
    if not mixtures:
        raise UserError("the model has no gates; expected one that shares by mmoe, cgc, ple or dselect_k")
    gates = keras.Model(model.inputs, {layer.reader: layer.input[0] for layer in mixtures})
    return gates.predict(images, batch_size=batch_size, verbose=0)
