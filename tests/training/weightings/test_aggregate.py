"""The gradient that weightings make of a matrix of gradients."""

import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.errors import UserError
from mtl_keras.training.weightings import WEIGHTINGS

JACOBIAN = np.array([[1.0, 2.0, 0.0], [-2.0, 0.5, 1.0]])


def test_it_is_the_weighted_sum_of_the_rows():
    shortest = (6.25 * JACOBIAN[0] + 6 * JACOBIAN[1]) / 12.25
    np.testing.assert_allclose(mtl.aggregate("mgda", JACOBIAN), shortest, rtol=1e-5)
    np.testing.assert_allclose(mtl.aggregate("equal", JACOBIAN, losses=[3.0, 4.0]), JACOBIAN.sum(0))


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_every_weighting_gives_a_gradient_of_plain_numbers(name):
    found = mtl.aggregate(name, JACOBIAN, [0.5, 2.0])
    assert type(found) is np.ndarray and found.dtype == "float64" and found.shape == (3,)
    assert np.isfinite(found).all() and np.abs(found).max() > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mgda", [1.0, 2.0]), r"shape \(2,\).*\(tasks, parameters\)"),
        (("mgda", [[np.nan]]), "finite"),
        (("equal", JACOBIAN), "weighs losses: give `losses`, one for each of the 2 rows"),
        (("equal", JACOBIAN, [1.0]), r"losses of shape \(1,\).*\(2,\)"),
        (("mgdaa", JACOBIAN), "mgda"),
    ],
)
def test_what_it_cannot_combine_is_refused(arguments, said):
    with pytest.raises(UserError, match=said):
        mtl.aggregate(*arguments)
