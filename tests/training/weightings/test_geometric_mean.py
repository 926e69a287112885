"""The geometric mean of losses: its value, its gradient, and tasks without a label."""

import numpy as np
import tensorflow as tf

from mtl_keras.training.weightings.geometric_mean import geometric_mean
from mtl_keras.training.weightings.weighting import Step

LOSSES = np.array([0.5, 2.0, 4.0], "float32")


def test_the_weighted_sum_is_the_geometric_mean_and_so_is_its_gradient():
    losses = tf.Variable(LOSSES)
    with tf.GradientTape() as tape:
        mean = tf.exp(tf.reduce_mean(tf.math.log(losses)))
    weights = geometric_mean(["a", "b", "c"]).weigh(Step(LOSSES, np.ones(3, bool)))
    np.testing.assert_allclose(np.sum(weights * LOSSES), mean, rtol=1e-6)
    np.testing.assert_allclose(weights, tape.gradient(mean, losses), rtol=1e-6)


def test_a_task_without_a_label_is_no_part_of_the_mean():
    weights = geometric_mean(["a", "b", "c"]).weigh(Step(LOSSES, np.array([True, False, True])))
    np.testing.assert_allclose(weights, [np.sqrt(2.0) / 1.0, 0.0, np.sqrt(2.0) / 8.0], rtol=1e-6)
