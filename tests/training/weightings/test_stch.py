"""Smooth Tchebycheff weights: five epochs by hand, and the derivative of what is minimized."""

import numpy as np
import pytest

from mtl_keras.training.weightings.stch import stch
from mtl_keras.training.weightings.weighting import Step

EPOCHS = np.array([[3.0, 1.0, 2.0], [2.0, 0.9, 0.5], [1.0, 0.7, 0.4], [0.9, 0.6, 0.4], [0.3, 0.3, 0.3]])
ALL, FEW = np.ones(3, bool), np.array([True, False, True])


def scalarized(losses, nadir, preference, mu):
    count, parts = len(losses), len(losses) * preference / preference.sum()
    return count * mu * np.log(np.exp(parts * np.log(losses / nadir) / mu).sum())


def derivatives(function, losses):
    return np.array([(function(losses + e) - function(losses - e)) / 2e-6 for e in 1e-6 * np.eye(len(losses))])


@pytest.mark.parametrize(("mu", "preference"), [(1.0, None), (0.3, (1.0, 2.0, 3.0))])
def test_five_epochs_by_hand_one_without_a_task(mu, preference):
    weighting = stch(["a", "b", "c"], mu=mu, preference=preference, warm_up=1)
    wanted = np.array(preference or (1.0, 1.0, 1.0))
    # The second task has no label in the epoch of the nadir: it has the mean before it.
    nadir = np.array([2.0, 1.0, 0.5])
    for number, losses in enumerate(EPOCHS):
        for present in (ALL, FEW):
            expected = np.zeros(3)
            if number < 2:
                expected[present] = 1 / losses[present]
            else:
                expected[present] = derivatives(
                    lambda some, p=present: scalarized(some, nadir[p], wanted[p], mu), losses[present]
                )
            weights = weighting.weigh(Step(losses.astype("float32"), present))
            np.testing.assert_allclose(weights, expected, rtol=1e-4)
        before = weighting.state.rows[0].numpy()
        present = FEW if number == 1 else ALL
        weighting.end_epoch(losses.astype("float32"), present)
        weighting.state.rows[0].assign(np.where(present, weighting.state.rows[0].numpy(), before))


def test_a_task_that_comes_after_the_warm_up_has_its_first_mean_as_nadir():
    weighting = stch(["a", "b"], warm_up=0)
    (nadir,) = weighting.state.rows
    weighting.end_epoch(np.float32([2.0, 0.0]), np.array([True, False]))
    np.testing.assert_array_equal(nadir, [2.0, 0.0])
    assert np.isfinite(weighting.weigh(Step(np.float32([1.0, 3.0]), ALL[:2]))).all()
    weighting.end_epoch(np.float32([1.0, 4.0]), ALL[:2])
    np.testing.assert_array_equal(nadir, [2.0, 4.0])


def test_with_a_small_mu_the_loss_furthest_above_its_preference_is_learned_alone():
    weighting = stch(["a", "b"], mu=0.001, warm_up=0)
    weighting.end_epoch(np.float32([1.0, 10.0]), ALL[:2])
    np.testing.assert_allclose(weighting.weigh(Step(np.float32([0.8, 4.0]), ALL[:2])), [2 / 0.8, 0], atol=1e-6)
