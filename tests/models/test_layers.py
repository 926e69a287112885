"""FusedBatchNormalization must be Keras' BatchNormalization in all but speed; the others must survive saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.layers import FusedBatchNormalization, ReflectedBorder, Scale, SteppingLayer, stepping_layers
from mtl_keras.training import distribute
from mtl_keras.training.model import MultiTaskModel


def pair(channels: int, dtype: str = "float32", **arguments):
    """Keras' layer and ours with the same, arbitrary variables."""
    rng = np.random.default_rng(1)
    plain = keras.layers.BatchNormalization(dtype=dtype, **arguments)
    fused = FusedBatchNormalization(dtype=dtype, **arguments)
    for layer in (plain, fused):
        layer.build((None, 4, 5, channels))
    values = [rng.uniform(0.5, 2.0, v.shape).astype("float32") for v in plain.weights]
    for layer in (plain, fused):
        layer.set_weights(values)
    return plain, fused


def step(layer, images, training=True):
    """Output, input gradient, variable gradients and moving statistics of one call."""
    x = tf.constant(images)
    weighting = tf.constant(np.random.default_rng(2).normal(size=images.shape).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        loss = tf.reduce_sum(tf.cast(y, "float32") * weighting)
    gradients = tape.gradient(loss, [x, *[v.value for v in layer.trainable_variables]])
    statistics = [layer.moving_mean, layer.moving_variance]
    return [np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(a, "float32"))) for a in [y, *gradients, *statistics]]


def images(channels: int = 6, batch: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(2.0, 3.0, (batch, 4, 5, channels)).astype("float32")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("arguments", [{}, {"scale": False}, {"center": False}, {"axis": 3, "momentum": 0.5}])
def test_equals_keras_in_output_gradients_and_statistics(arguments, training):
    plain, fused = pair(6, **arguments)
    assert [v.name for v in fused.weights] == [v.name for v in plain.weights]
    expected, got = step(plain, images(), training), step(fused, images(), training)
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5)


def test_small_batch_keeps_the_biased_variance():
    # With n = 20 values a channel, the kernel's own variance would be 20 / 19 of Keras'.
    plain, fused = pair(6, momentum=0.0)
    x = images(batch=1)
    plain(x, training=True)
    fused(x, training=True)
    np.testing.assert_allclose(fused.moving_variance, x.var(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(fused.moving_variance, plain.moving_variance, rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_mixed_bfloat16_is_close_to_keras_and_keeps_float32_statistics(training):
    plain, fused = pair(6, dtype="mixed_bfloat16", scale=False)
    x = keras.ops.convert_to_numpy(keras.ops.cast(keras.ops.cast(images(), "bfloat16"), "float32"))
    assert fused(x).dtype == "bfloat16"
    assert fused.moving_mean.dtype == "float32"
    expected, got = step(plain, x, training), step(fused, x, training)
    for a, b in zip(expected[:-2], got[:-2], strict=True):
        np.testing.assert_allclose(b, a, rtol=0.02, atol=0.05)  # bfloat16 keeps 8 bits
    for a, b in zip(expected[-2:], got[-2:], strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4)


def test_frozen_layer_uses_moving_statistics_and_leaves_them():
    plain, fused = pair(6)
    plain.trainable = fused.trainable = False
    before = fused.moving_mean.numpy().copy()
    np.testing.assert_allclose(fused(images(), training=True), plain(images(), training=True), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(fused.moving_mean, before)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_trains_the_same_when_compiled(jit_compile):
    plain, fused = pair(6, scale=False)
    y = [tf.function(layer, jit_compile=jit_compile)(tf.constant(images()), training=True) for layer in (plain, fused)]
    np.testing.assert_allclose(y[1], y[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(fused.moving_mean, plain.moving_mean, rtol=1e-5)
    np.testing.assert_allclose(fused.moving_variance, plain.moving_variance, rtol=1e-5)


def test_falls_back_where_the_kernel_does_not_fit():
    x = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
    plain, fused = keras.layers.BatchNormalization(), FusedBatchNormalization()
    np.testing.assert_allclose(fused(x, training=True), plain(x, training=True), rtol=1e-6)
    plain, fused = pair(6)
    mask = np.zeros((3, 4, 5), bool)
    mask[:, :2] = True
    y = fused(images(), training=True, mask=mask)
    np.testing.assert_allclose(y, plain(images(), training=True, mask=mask), rtol=1e-6)
    plain, fused = pair(6, epsilon=1e-7)
    flat = np.full((3, 4, 5, 6), 1e-3, "float32") * np.arange(3, dtype="float32")[:, None, None, None]
    np.testing.assert_allclose(fused(flat, training=True), plain(flat, training=True), rtol=1e-5, atol=1e-5)


def test_each_replica_uses_its_own_batch_like_keras():
    strategy = distribute.strategy("mirrored")
    moved = []
    for kind in (keras.layers.BatchNormalization, FusedBatchNormalization):
        with strategy.scope():
            layer = kind()
            layer.build((None, 4, 5, 6))
        data = strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(images(batch=2) * (1 + context.replica_id_in_sync_group))
        )
        strategy.run(tf.function(layer), (data,), {"training": True})
        moved.append([layer.moving_mean.numpy(), layer.moving_variance.numpy()])
    np.testing.assert_allclose(moved[1], moved[0], rtol=1e-5)


def test_a_batch_without_rows_leaves_the_statistics():
    # A replica gets one where the last batch of an epoch is too small to be shared.
    _, fused = pair(6, scale=False)
    before = [fused.moving_mean.numpy(), fused.moving_variance.numpy()]
    outputs, *gradients, mean, variance = step(fused, images(batch=0))
    assert outputs.shape == (0, 4, 5, 6)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    np.testing.assert_allclose([mean, variance], before, rtol=1e-6)


def test_save_and_reload_give_the_same_answers(tmp_path):
    inputs = keras.Input((4, 5, 6))
    x = FusedBatchNormalization(momentum=0.9, scale=False)(inputs)
    model = keras.Model(inputs, Scale(0.17)(x))
    model(images(), training=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(images()), model(images()), rtol=1e-6)
    assert isinstance(again.layers[1], FusedBatchNormalization)
    assert again.layers[1].momentum == 0.9
    assert again.layers[2].factor == 0.17


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
