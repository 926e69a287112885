"""IMTL-L by hand: the loss of the paper, its gradient, and where it ends."""

import numpy as np
import tensorflow as tf

from mtl_keras.training.weightings.imtl_l import imtl_l
from mtl_keras.training.weightings.weighting import Step

LOSSES = np.array([0.5, 2.0, 4.0], "float32")


def test_five_steps_by_hand_one_without_a_task():
    weighting, expected = imtl_l(["a", "b", "c"]), np.zeros(3)
    (scales,) = weighting.variables(trained=True)
    for number in range(5):
        present = np.array([True, number != 2, True])
        losses = (LOSSES + number) * present
        with tf.GradientTape() as tape:
            weights = weighting.weigh(Step(losses, present))
            loss = tf.reduce_sum(weights * losses) + weighting.regularizer(present)
        np.testing.assert_allclose(weights, np.exp(expected), rtol=1e-5)
        np.testing.assert_allclose(loss, np.sum(present * (np.exp(expected) * losses - expected)), rtol=1e-5)
        scales.assign(scales.value - 0.1 * tape.gradient(loss, [scales.value])[0])
        expected = expected - 0.1 * present * (np.exp(expected) * losses - 1)


def test_where_scales_are_best_every_loss_weighs_1():
    weighting = imtl_l(["a", "b", "c"])
    weighting.variables(trained=True)[0].assign(-np.log(LOSSES))
    np.testing.assert_allclose(weighting.weigh(Step(LOSSES, np.ones(3, bool))) * LOSSES, [1, 1, 1], rtol=1e-6)
