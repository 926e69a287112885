"""ConFIG: the direction that has the same cosine with all."""

import numpy as np

import mtl_keras as mtl

JACOBIAN = np.random.default_rng(0).normal(size=(4, 9)) * np.array([[1.0], [5.0], [0.1], [1.0]])
UNITS = JACOBIAN / np.linalg.norm(JACOBIAN, axis=1, keepdims=True)


def test_cosines_with_all_gradients_are_as_preferred_and_the_length_is_the_sum_of_the_gradients_parts():
    for preference in ((), (1.0, 2.0, 1.0, 0.5)):
        found = mtl.aggregate("config", JACOBIAN, preference=preference)
        cosines = UNITS @ found / np.linalg.norm(found)
        np.testing.assert_allclose(cosines / cosines[0], preference or 1.0)
        np.testing.assert_allclose(np.linalg.norm(found) ** 2, (JACOBIAN @ found).sum())


def test_a_gradient_of_0_has_no_part():
    with_zero = np.concatenate([JACOBIAN, np.zeros((1, 9))])
    np.testing.assert_allclose(mtl.aggregate("config", with_zero), mtl.aggregate("config", JACOBIAN))
