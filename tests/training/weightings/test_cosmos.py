"""COSMOS: five steps by hand."""

import numpy as np
import pytest

from mtl_keras.training.weightings.cosmos import cosmos
from mtl_keras.training.weightings.weighting import Step

ALL = np.ones(3, bool)


def scalarized(losses, preference, penalty):
    preference = preference / preference.sum()
    cosine = preference @ losses / np.linalg.norm(preference) / np.linalg.norm(losses)
    return preference @ losses - penalty * cosine


@pytest.mark.parametrize("preference", [None, (1.0, 2.0, 3.0)])
def test_five_steps_by_hand_one_without_a_task(five_steps, preference):
    weighting = cosmos(["a", "b", "c"], penalty=1.5, preference=preference)
    wanted = np.array(preference or (1.0, 1.0, 1.0))
    for step in five_steps():
        here, losses = step.present, step.losses[step.present].astype("float64")
        expected = np.zeros(3)
        expected[here] = [
            (scalarized(losses + small, wanted[here], 1.5) - scalarized(losses - small, wanted[here], 1.5)) / 2e-6
            for small in 1e-6 * np.eye(len(losses))
        ]
        np.testing.assert_allclose(weighting.weigh(step), expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            weighting.worth(step.losses, here), scalarized(losses, wanted[here], 1.5), rtol=1e-4, atol=1e-5
        )


def test_a_single_task_weighs_1_and_none_is_worth_0():
    weighting = cosmos(["a", "b", "c"])
    for loss in np.float32([1e-6, 0.3, 7.1, 1e6]):
        weights = weighting.weigh(Step(np.float32([0, loss, 0]), np.array([False, True, False])))
        np.testing.assert_allclose(weights, [0, 1, 0], atol=1e-6)
    assert float(weighting.worth(np.zeros(3, "float32"), ~ALL)) == 0
