"""Dual balancing by hand: five steps, one of them without a label of a task."""

import numpy as np
import pytest

from mtl_keras.training.weightings.db_mtl import db_mtl


@pytest.mark.parametrize("beta_sigma", [0.0, 0.5])
def test_five_steps_by_hand(five_steps, answers, beta_sigma):
    weighting = db_mtl(["a", "b", "c"], 4, beta=0.6, beta_sigma=beta_sigma)
    averages, taken = np.zeros((3, 4)), np.zeros(3)
    steps = five_steps()
    for step, answer in zip(steps, answers(weighting, steps), strict=True):
        here = np.flatnonzero(step.present)
        for task in here:
            taken[task] += 1
            beta = 0.6 / taken[task] ** beta_sigma
            averages[task] = beta * averages[task] + (1 - beta) * step.gradients[task] / step.losses[task]
        lengths = np.linalg.norm(averages[here], axis=1)
        expected = sum(
            lengths.max() / length * average for length, average in zip(lengths, averages[here], strict=True)
        )
        np.testing.assert_allclose(answer, expected, rtol=1e-4)
    np.testing.assert_allclose(weighting.state.rows[0], averages, rtol=1e-4)
    assert taken.tolist() == [5, 4, 5]
