"""Vectors from their Gramian."""

import numpy as np
import tensorflow as tf

from mtl_keras.training.weightings.gramians import lengths, rounding, vectors


def test_vectors_have_the_gramian_that_they_are_of_short_ones_too():
    given = np.random.default_rng(0).normal(size=(5, 3)) * np.array([[1e-6], [1.0], [1e5], [1.0], [0.0]])
    gramian = given @ given.T
    sizes, found = lengths(gramian), vectors(gramian)
    np.testing.assert_allclose(sizes, np.linalg.norm(given, axis=1))
    assert (np.abs(found.T @ found - gramian) <= 1e-12 * np.outer(sizes, sizes)).all()


def test_what_rounding_made_negative_counts_as_0():
    found = vectors(np.array([[1.0, 1.0 + 1e-7], [1.0 + 1e-7, 1.0]]))
    np.testing.assert_allclose(found.T @ found, np.ones((2, 2)), atol=1e-6)


def test_rounding_is_that_of_the_numbers_type():
    assert rounding(np.eye(3)) == 3 * 2.0**-52
    assert rounding(tf.eye(3)) == 3 * 2.0**-23
