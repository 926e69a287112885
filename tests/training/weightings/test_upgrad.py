"""UPGrad by hand."""

import numpy as np
import pytest

import mtl_keras as mtl


def test_each_gradient_loses_what_is_against_another_before_the_mean_is_taken():
    # (1, 0) becomes its part perpendicular to (-1, 1), (0.5, 0.5); (-1, 1) that to (1, 0), (0, 1).
    np.testing.assert_allclose(mtl.aggregate("upgrad", [[1.0, 0.0], [-1.0, 1.0]]), [0.25, 0.75], atol=1e-3)
    found = mtl.aggregate("upgrad", [[1.0, 0.0], [-1.0, 1.0]], preference=(3.0, 1.0))
    np.testing.assert_allclose(found, [0.375, 0.625], atol=1e-3)


def test_it_is_against_none_of_many():
    gradients = np.random.default_rng(0).normal(size=(6, 10)) * np.logspace(0, 1, 6)[:, None]
    assert (gradients @ gradients.mean(0)).min() < 0
    assert (gradients @ mtl.aggregate("upgrad", gradients)).min() > -1e-3 * np.square(gradients).sum()


@pytest.mark.parametrize("name", ["upgrad", "dual_proj"])
def test_a_gradient_much_shorter_than_the_others_is_followed_with_less_regularization(name):
    short = np.array([-1e-3, 1e-3])
    gradients = [[1.0, 0.0], short]
    assert short @ mtl.aggregate(name, gradients) < 0
    assert short @ mtl.aggregate(name, gradients, regularization=1e-9) > -1e-6
