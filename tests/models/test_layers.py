"""Layers of our own do what they say and survive saving."""

import keras
import numpy as np
import pytest

from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.layers import ReflectedBorder, Scale, SteppingLayer, stepping_layers
from mtl_keras.training.model import MultiTaskModel


def images(channels: int = 6, batch: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(2.0, 3.0, (batch, 4, 5, channels)).astype("float32")


def test_scale_multiplies():
    np.testing.assert_allclose(Scale(0.5)(np.array([2.0, -4.0], "float32")), [1.0, -2.0])


def test_reflected_border_mirrors_at_the_edge_and_survives_saving(tmp_path):
    inputs = keras.Input((4, 5, 6))
    model = keras.Model(inputs, ReflectedBorder(2, name="border")(inputs))
    expected = np.pad(images(), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(model(images()), expected)
    assert model.output_shape == (None, 8, 9, 6)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(again(images()), expected)


@keras.saving.register_keras_serializable("tests")
class Counting(SteppingLayer):
    """Counts steps."""

    def build(self, input_shape):
        self.steps = self.add_weight((), "zeros", "int32", trainable=False)

    def call(self, inputs):
        return inputs + 0.0

    def end_step(self):
        self.steps.assign(self.steps + 1)


@pytest.mark.parametrize("choices", [{}, {"accumulate": 3}, {"weighting": "famo"}])
def test_a_stepping_layer_follows_steps_that_are_taken_and_not_passes(choices):
    inputs = keras.Input((3,))
    trunk = keras.Model(inputs, Counting(name="counting")(keras.layers.Dense(2)(inputs)))
    backbone = Backbone(trunk, 3, channels=0, mean=0.0, scale=1.0)
    model = MultiTaskModel(["gender", "smile"], backbone, shared_units=(), head_units=(), dropout=0.0)
    model.compile("sgd", **choices)
    labels = {"gender": np.array([0, 1, 1, 0]), "smile": np.array([1, 1, 0, 0])}
    for features in (np.ones((4, 3)), np.full((4, 3), np.nan), np.ones((4, 3))):
        model.train_on_batch(features.astype("float32"), labels)
    (layer,) = stepping_layers(model)
    assert int(layer.steps) == 2
