"""The projection onto the directions that no gradient is against."""

import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.training.weightings.dual_proj import projection

RANDOM = np.random.default_rng(0)


def test_of_two_gradients_in_conflict_the_mean_loses_what_is_against_one():
    # The mean (-1, 0.5) is against the first: what is left of it is perpendicular to that.
    np.testing.assert_allclose(mtl.aggregate("dual_proj", [[1.0, 0.0], [-3.0, 1.0]]), [0.0, 0.5], atol=2e-3)
    np.testing.assert_allclose(mtl.aggregate("dual_proj", [[1.0, 0.0], [0.0, 1.0]]), [0.5, 0.5])


@pytest.mark.parametrize("tasks", [3, 8, 30])
def test_the_weights_are_the_least_that_are_not_below_the_given_ones(tasks):
    gradients = RANDOM.normal(size=(tasks, tasks // 2 + 1))
    gramian = gradients @ gradients.T
    given = RANDOM.uniform(size=tasks)
    found = projection(gramian, 1e-4)(given)
    slopes = (gramian / np.trace(gramian) + 1e-4 * np.eye(tasks)) @ found
    assert (found >= given).all() and slopes.min() > -1e-12
    np.testing.assert_allclose(slopes * (found - given), 0, atol=1e-12)
    assert (found > given).any()
