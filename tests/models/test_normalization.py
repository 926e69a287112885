"""FusedBatchNormalization must be Keras' layer in all but speed, and may count the rows of all replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.models.layers import Scale
from mtl_keras.models.normalization import FusedBatchNormalization, counting, with_fused_norms
from mtl_keras.training import distribute


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


# Rows of which some only fill a batch up, the second replica's all in one case, and what they are normalized with.
ROWS = [([1, 1], [1, 1]), ([1, 0], [1, 1]), ([1, 1], [0, 0]), ([0, 0], [0, 0])]


@pytest.mark.parametrize("counted", ROWS, ids=str)
def test_synchronized_statistics_are_those_of_all_rows_that_count(counted):
    x = images(batch=4)
    strategy, (_, alone) = distribute.strategy("mirrored"), pair(6)
    before = [alone.moving_mean.numpy(), alone.moving_variance.numpy()]
    kept = x[np.ravel(counted) > 0]
    expected = step(alone, kept)
    with strategy.scope():
        _, shared = pair(6, synchronized=True)
    parts, rows = (
        strategy.experimental_distribute_values_from_function(
            lambda context, each=each: tf.constant(each[context.replica_id_in_sync_group])
        )
        for each in ((x[:2], x[2:]), np.array(counted, "float32"))
    )

    def on_each(part, rows):
        with counting(rows), tf.GradientTape() as tape:
            tape.watch(part)
            y = shared(part, training=True)
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            weights = tf.convert_to_tensor(weighting)[2 * number : 2 * number + 2]
            loss = tf.reduce_sum(y * weights * rows[:, None, None, None])
        return y, tape.gradient(loss, part)

    weighting = np.zeros(x.shape, "float32")
    weighting[np.ravel(counted) > 0] = np.random.default_rng(2).normal(size=kept.shape)
    found = tf.function(lambda: strategy.run(on_each, (parts, rows)))()
    y, gradient = (np.concatenate([p.numpy() for p in strategy.experimental_local_results(each)]) for each in found)
    moved = [shared.moving_mean.numpy(), shared.moving_variance.numpy()]
    if not len(kept):
        np.testing.assert_allclose(moved, before, rtol=1e-6)
        return
    tolerance = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(y[np.ravel(counted) > 0], expected[0], **tolerance)
    np.testing.assert_allclose(gradient[np.ravel(counted) > 0], expected[1], **tolerance)
    np.testing.assert_allclose(moved, expected[-2:], **tolerance)


def test_statistics_of_what_is_far_from_0_keep_their_digits():
    x, layer = images() + 1e4, FusedBatchNormalization(momentum=0.0, synchronized=True)
    layer.build(x.shape)
    layer.moving_mean.assign(np.full(6, 1e4))
    with counting(tf.ones(3)):
        layer(x, training=True)
    np.testing.assert_allclose(layer.moving_variance, x.astype("float64").var(axis=(0, 1, 2)), rtol=1e-4)


def test_one_replica_keeps_the_fused_kernel():
    layer = FusedBatchNormalization(synchronized=True)
    layer.build((None, 4, 5, 6))
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(tf.TensorSpec((3, 4, 5, 6))).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert "FusedBatchNormV3" in kinds and not any("Collective" in kind for kind in kinds)


def test_keras_own_norms_are_made_fused_ones_with_the_same_weights():
    inputs = keras.Input((4, 5, 6))
    inner = keras.Sequential([keras.layers.BatchNormalization(momentum=0.8, name="inner")], name="block")
    model = keras.Model(inputs, inner(keras.layers.BatchNormalization(scale=False, name="outer")(inputs)))
    model(images(), training=True)
    fused = with_fused_norms(model)
    norms = [fused.get_layer("outer"), fused.get_layer("block").get_layer("inner")]
    assert [type(norm) for norm in norms] == [FusedBatchNormalization] * 2 and norms[1].momentum == 0.8
    np.testing.assert_allclose(fused(images()), model(images()), rtol=1e-5, atol=1e-6)
    assert with_fused_norms(fused) is fused


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
