"""Aligned-MTL by the singular values of the gradients' matrix."""

import numpy as np
import pytest

import mtl_keras as mtl

JACOBIAN = np.random.default_rng(0).normal(size=(4, 9)) * np.array([[1.0], [5.0], [0.1], [1.0]])


@pytest.mark.parametrize(
    ("scale", "length"),
    [
        ("min", lambda values: values[-1]),
        ("median", lambda values: values[2]),  # of two in the middle, the lower
        ("rmse", lambda values: np.sqrt(np.mean(values**2))),
    ],
)
def test_all_singular_values_become_one(scale, length):
    left, values, right = np.linalg.svd(JACOBIAN, full_matrices=False)
    found = mtl.aggregate("aligned_mtl", JACOBIAN, scale=scale, preference=(1.0, 2.0, 3.0, 4.0))
    np.testing.assert_allclose(found, length(values) * np.array([0.1, 0.2, 0.3, 0.4]) @ left @ right)


def test_directions_without_a_gradient_are_left_out():
    expected = mtl.aggregate("aligned_mtl", JACOBIAN[:2])
    # The same gradient twice counts as one with the root of 2 of its length.
    twice = np.stack([JACOBIAN[0], JACOBIAN[1] / np.sqrt(2), JACOBIAN[1] / np.sqrt(2)])
    found = mtl.aggregate("aligned_mtl", twice, preference=(1.0, np.sqrt(0.5), np.sqrt(0.5)))
    np.testing.assert_allclose(found / np.linalg.norm(found), expected / np.linalg.norm(expected))
