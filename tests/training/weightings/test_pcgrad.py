"""PCGrad by hand."""

import numpy as np

from mtl_keras.training.weightings.pcgrad import pcgrad
from mtl_keras.training.weightings.weighting import Step


def combined(gradients, names="abc", present=None) -> np.ndarray:
    gradients = np.asarray(gradients, "float32")
    present = np.ones(len(gradients), bool) if present is None else present
    gramian = gradients @ gradients.T
    return np.asarray(pcgrad(list(names[: len(gradients)])).weigh(Step(None, present, gramian))) @ gradients


def test_gradients_that_agree_are_added():
    np.testing.assert_allclose(combined([[1.0, 1.0], [2.0, 0.0]]), [3.0, 1.0], rtol=1e-6)


def test_gradients_in_conflict_lose_what_is_against_the_other():
    # (1, 0) loses its part along (-1, 1) and becomes (0.5, 0.5); (-1, 1) loses its along (1, 0) and becomes (0, 1).
    np.testing.assert_allclose(combined([[1.0, 0.0], [-1.0, 1.0]]), [0.5, 1.5], rtol=1e-6)


def test_projections_follow_the_names_one_on_the_other():
    first, second, third = np.array([[2.0, 0.0], [-1.0, 1.0], [-1.0, -2.0]])

    def without(gradient, other):
        return gradient - min(gradient @ other, 0) / (other @ other) * other

    expected = (
        without(without(first, second), third)
        + without(without(second, first), third)
        + without(without(third, first), second)
    )
    np.testing.assert_allclose(combined([first, second, third]), expected, rtol=1e-5)
    np.testing.assert_allclose(combined([third, first, second], "cab"), expected, rtol=1e-5)
    assert np.abs(combined([first, second, third], "cba") - expected).max() > 0.01


def test_an_absent_gradient_takes_no_part():
    gradients = [[1.0, 0.0], [-1.0, 5.0], [-1.0, 1.0]]
    np.testing.assert_allclose(combined(gradients, present=np.array([True, False, True])), [0.5, 1.5], rtol=1e-6)
