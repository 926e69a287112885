"""FairGrad: the equation that its weights solve."""

import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.errors import UserError
from mtl_keras.training.weightings.fairgrad import fair

JACOBIAN = np.random.default_rng(0).normal(size=(5, 8)) * np.array([[1.0], [100.0], [0.01], [1.0], [1.0]])


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("alpha", [0.3, 1.0, 2.0, 10.0])
def test_the_weights_solve_the_equation(alpha, size):
    gramian = size**2 * JACOBIAN @ JACOBIAN.T
    weights = fair(gramian, alpha)
    assert (weights > 0).all()
    np.testing.assert_allclose(gramian @ weights, weights ** (-1 / alpha), rtol=1e-5)


def test_alpha_0_is_the_mean_and_a_gradient_of_0_has_no_weight():
    np.testing.assert_allclose(mtl.aggregate("fairgrad", JACOBIAN, alpha=0.0), JACOBIAN.mean(0))
    np.testing.assert_allclose(fair(np.diag([4.0, 0.0]), 1.0), [0.5, 0.0])
    with pytest.raises(UserError, match="fairgrad: alpha is -1"):
        mtl.aggregate("fairgrad", JACOBIAN, alpha=-1.0)
