"""The penalty of the boundary intersection: five steps by hand, and losses on the preferred direction."""

import numpy as np
import pytest

from mtl_keras.training.weightings.pbi import pbi
from mtl_keras.training.weightings.weighting import Step

ALL = np.ones(3, bool)


def scalarized(losses, preference, theta):
    direction = preference / np.linalg.norm(preference)
    along = losses @ direction
    return along + theta * np.linalg.norm(losses - along * direction)


@pytest.mark.parametrize("preference", [None, (1.0, 2.0, 3.0)])
def test_five_steps_by_hand_one_without_a_task(five_steps, preference):
    weighting = pbi(["a", "b", "c"], theta=2.0, preference=preference)
    wanted = np.array(preference or (1.0, 1.0, 1.0))
    for step in five_steps():
        here, losses = step.present, step.losses[step.present].astype("float64")
        expected = np.zeros(3)
        expected[here] = [
            (scalarized(losses + small, wanted[here], 2.0) - scalarized(losses - small, wanted[here], 2.0)) / 2e-6
            for small in 1e-6 * np.eye(len(losses))
        ]
        np.testing.assert_allclose(weighting.weigh(step), expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(weighting.worth(step.losses, here), scalarized(losses, wanted[here], 2.0), rtol=1e-5)


def test_on_the_preferred_direction_only_the_length_counts():
    weighting = pbi(["a", "b", "c"], preference=(1.0, 2.0, 2.0))
    weights = weighting.weigh(Step(np.float32([0.1, 0.2, 0.2]), ALL))
    np.testing.assert_allclose(weights, [1 / 3, 2 / 3, 2 / 3], rtol=1e-5)


def test_a_single_task_weighs_1_whatever_its_loss_and_none_is_worth_0():
    weighting = pbi(["a", "b", "c"])
    for loss in np.float32([1e-6, 0.3, 7.1, 1e6]):
        weights = weighting.weigh(Step(np.float32([0, loss, 0]), np.array([False, True, False])))
        np.testing.assert_allclose(weights, [0, 1, 0], atol=1e-6)
    assert float(weighting.worth(np.zeros(3, "float32"), ~ALL)) == 0
