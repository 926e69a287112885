"""Losses against independent computations in NumPy and SciPy, in float64."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from mtl_keras.kinds import losses
from mtl_keras.tasks import AGE, AGE_REGRESSION, EXPRESSION, HEAD_POSE, Task

RANDOM = np.random.default_rng(0)


def probabilities(rows: int, classes: int) -> np.ndarray:
    return scipy.special.softmax(RANDOM.normal(0, 3, (rows, classes)), axis=-1).astype("float32")


# === Against references ===


def test_cross_entropy_is_minus_the_log_probability_of_the_label():
    outputs, labels = probabilities(9, 7), RANDOM.integers(0, 7, 9)
    expected = [-np.log(float(row[label])) for row, label in zip(outputs, labels, strict=True)]
    np.testing.assert_allclose(losses.per_example(EXPRESSION, labels, outputs), expected, rtol=1e-5)


def test_soft_cross_entropy_is_divergence_plus_entropy():
    targets, outputs = probabilities(6, 4), probabilities(6, 4)
    expected = scipy.stats.entropy(targets, axis=-1) + scipy.stats.entropy(targets, outputs, axis=-1)
    np.testing.assert_allclose(losses.soft_cross_entropy(targets, outputs), expected, rtol=1e-5)


@pytest.mark.parametrize("std", [0.7, 2.0, 5.0])
@pytest.mark.parametrize("values", [AGE.values, (0.0, 1.0, 4.0, 10.0, 100.0)], ids=["ages", "uneven"])
def test_label_distribution_is_a_normalized_gaussian_on_the_bins(values, std):
    labels = np.array([0.0, 2.6, 50.0, 99.0], "float32")
    density = scipy.stats.norm.logpdf(np.array(values)[None], labels[:, None], std)
    expected = scipy.special.softmax(density, axis=-1)
    got = keras.ops.convert_to_numpy(losses.label_distribution(labels, values, std))
    np.testing.assert_allclose(got, expected, atol=1e-6)
    np.testing.assert_allclose(got.sum(-1), 1, rtol=1e-5)


def test_label_distribution_without_spread_is_the_nearest_bin():
    got = losses.label_distribution(np.array([0.0, 2.6, 99.0], "float32"), (0.0, 1.0, 4.0, 100.0), 0.0)
    np.testing.assert_array_equal(got, np.eye(4)[[0, 2, 3]])


def test_expectation_error_is_the_distance_of_the_mean_from_the_label():
    outputs, labels = probabilities(5, 117), np.array([0.0, 3.5, 40.0, 80.0, 116.0], "float32")
    expected = np.abs(outputs.astype("float64") @ np.arange(117) - labels)
    np.testing.assert_allclose(losses.expectation_error(labels, AGE.values, outputs), expected, rtol=1e-4)
    plain, both = replace(AGE, label_std=2.0), replace(AGE, label_std=2.0, error_weight=0.5)
    added = losses.per_example(both, labels, outputs) - losses.per_example(plain, labels, outputs)
    np.testing.assert_allclose(added, 0.5 * expected, rtol=1e-3)


@pytest.mark.parametrize("std", [0.0, 2.0])
def test_expectation_tasks_learn_the_label_distribution(std):
    task = Task("score", "expectation", values=tuple(float(value) for value in range(10)), label_std=std)
    labels, outputs = np.array([3.0, 9.0], "float32"), probabilities(2, 10)
    weights = np.exp(-0.5 * ((labels[:, None] - np.arange(10)) / std) ** 2) if std else np.eye(10)[[3, 9]]
    weights = weights / weights.sum(-1, keepdims=True)
    expected = -(weights * np.log(outputs.astype("float64"))).sum(-1)
    np.testing.assert_allclose(losses.per_example(task, labels, outputs), expected, rtol=1e-5)


def test_regression_is_the_mean_squared_error_in_units_of_the_scale():
    labels, outputs = RANDOM.normal(0, 30, (2, 5, 3)).astype("float32")
    expected = (((outputs.astype("float64") - labels) / 30) ** 2).mean(-1)
    np.testing.assert_allclose(losses.per_example(HEAD_POSE, labels, outputs), expected, rtol=1e-5)


def test_regression_of_one_number_does_not_mix_rows():
    # (B,) against (B, 1) would silently broadcast to (B, B).
    labels, outputs = np.array([10.0, 50.0], "float32"), np.array([[30.0], [50.0]], "float32")
    np.testing.assert_allclose(losses.per_example(AGE_REGRESSION, labels, outputs), [1.0, 0.0])


def test_masked_sum_counts_the_labelled():
    total, count = losses.masked_sum(np.array([1.0, 2.0, 4.0], "float32"), np.array([1.0, 0.0, 1.0], "float32"))
    assert (float(total), float(count)) == (5.0, 2.0)


def test_half_precision_outputs_are_computed_in_float32():
    outputs = tf.constant(probabilities(3, 7), "bfloat16")
    assert losses.per_example(EXPRESSION, np.zeros(3, "int32"), outputs).dtype == "float32"


# === Where a softmax is all but sure and wrong ===


@pytest.mark.parametrize("gap", [10.0, 40.0, 60.0])
def test_gradient_is_alive_at_tiny_probabilities(gap):
    scores = tf.constant([[0.0, gap]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = losses.cross_entropy(np.array([0]), tf.nn.softmax(scores))
    np.testing.assert_allclose(loss, [np.logaddexp(0, gap)], rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(loss, scores), [[-1.0, 1.0]], atol=1e-3)


def test_probability_zero_gives_a_finite_loss_and_gradient():
    scores = tf.constant([[0.0, 500.0]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = losses.cross_entropy(np.array([0]), tf.nn.softmax(scores))
    np.testing.assert_allclose(loss, [-np.log(losses.SMALLEST_PROBABILITY)], rtol=1e-5)
    assert np.isfinite(tape.gradient(loss, scores)).all()
