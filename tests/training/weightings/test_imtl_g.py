"""IMTL-G: every gradient has the same projection of the combined one."""

import numpy as np
import tensorflow as tf

import mtl_keras as mtl
from mtl_keras.training.weightings.imtl_g import imtl_g
from mtl_keras.training.weightings.weighting import Step


def test_projections_on_all_gradients_are_the_same_and_weights_add_up_to_1():
    gradients = np.random.default_rng(0).normal(size=(4, 6)) * np.array([[1.0], [10.0], [0.1], [1.0]])
    found = mtl.aggregate("imtl_g", gradients)
    projections = gradients @ found / np.linalg.norm(gradients, axis=1)
    np.testing.assert_allclose(projections, projections[0])
    np.testing.assert_allclose(np.linalg.lstsq(gradients.T, found)[0].sum(), 1.0)


def test_rounding_of_a_singular_gramian_of_float32_is_no_direction():
    gradients = np.random.default_rng(0).normal(size=(8, 3)).astype("float32") + 2
    step = Step(None, tf.ones(8, bool), tf.constant(gradients @ gradients.T))
    found = np.asarray(imtl_g(list("abcdefgh")).weigh(step)) @ gradients
    np.testing.assert_allclose(found, mtl.aggregate("imtl_g", gradients), rtol=0.01)
