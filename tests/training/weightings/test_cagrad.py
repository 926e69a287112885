"""CAGrad: the worst-off task gains as much as it can near the mean gradient."""

import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.errors import UserError

RANDOM = np.random.default_rng(0)
JACOBIAN = RANDOM.normal(size=(4, 6)) * np.array([[1.0], [3.0], [0.2], [1.0]])
MEAN = JACOBIAN.mean(0)


@pytest.mark.parametrize("c", [0.2, 0.5, 0.9])
def test_no_other_step_as_near_the_mean_gradient_lowers_the_worst_off_tasks_loss_more(c):
    found = mtl.aggregate("cagrad", JACOBIAN, c=c)
    radius = c * np.linalg.norm(MEAN)
    assert np.linalg.norm(found - MEAN) == pytest.approx(radius)
    for far in (1e-4, 1e-2, 1.0):
        others = found + far * RANDOM.normal(size=(500, 6)) - MEAN
        others = MEAN + others * radius / np.linalg.norm(others, axis=1, keepdims=True)
        assert (others @ JACOBIAN.T).min(1).max() <= (JACOBIAN @ found).min() + 1e-12


def test_c_0_is_the_mean_and_the_default_is_that_of_the_paper():
    np.testing.assert_allclose(mtl.aggregate("cagrad", JACOBIAN, c=0.0), MEAN)
    np.testing.assert_array_equal(mtl.aggregate("cagrad", JACOBIAN), mtl.aggregate("cagrad", JACOBIAN, c=0.5))
    with pytest.raises(UserError, match="cagrad: c is -1"):
        mtl.aggregate("cagrad", JACOBIAN, c=-1.0)


@pytest.mark.parametrize(("rescale", "divisor"), [("square", 1.16), ("linear", 1.4)])
def test_rescaling_divides(rescale, divisor):
    usual, found = (mtl.aggregate("cagrad", JACOBIAN, c=0.4, rescale=each) for each in ("none", rescale))
    np.testing.assert_allclose(found * divisor, usual)


def test_where_the_gradients_can_cancel_out_there_is_no_step():
    corners = np.array([[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.9]])
    np.testing.assert_array_equal(mtl.aggregate("cagrad", corners, c=2.0), 0)
