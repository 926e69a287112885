"""MoCo by hand over five steps, one of them without a task."""

import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.moco import moco
from mtl_keras.training.weightings.weighting import Step


def projected(point: np.ndarray) -> np.ndarray:
    """The nearest weights that are at least 0 and add up to 1, by bisection of the shift."""
    low, high = point.min() - 1, point.max()
    for _ in range(60):
        shift = (low + high) / 2
        low, high = (shift, high) if np.maximum(point - shift, 0).sum() > 1 else (low, shift)
    return np.maximum(point - shift, 0)


def test_five_steps_by_hand_one_without_a_task():
    random = np.random.default_rng(0)
    weighting = moco(["a", "b", "c"], 4, beta=0.6, gamma=0.3, rho=0.2, sigma=0.5)
    rows, weights, steps = np.zeros((3, 4)), np.full(3, 1 / 3), np.zeros(3)
    for number in range(5):
        here = np.array([True, number != 2, True])
        gradients = random.normal(size=(3, 4)).astype("float32")
        steps[here] += 1
        decay = steps[here] ** -0.5
        rows[here] += 0.6 * decay[:, None] * (gradients - rows)[here]
        total = weights[here].sum()
        share = weights[here] / total
        along = rows[here] @ rows[here].T @ share + 0.2 * share
        share = projected(share - 0.3 * decay * along)
        weights[here] = total * share
        step = Step(None, here, gradients=gradients)
        before = [variable.numpy() for variable in weighting.state.rows]
        np.testing.assert_allclose(weighting.weigh(step), share @ rows[here], rtol=1e-4, atol=1e-6)
        weighting.update(step)
        for variable, old in zip(weighting.state.rows, before, strict=True):
            variable.assign(np.where(here.reshape(-1, *[1] * (old.ndim - 1)), variable.numpy(), old))
        for variable, expected in zip(weighting.state.rows, (rows, weights, steps), strict=True):
            np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-6)
    assert weights.sum() == pytest.approx(1) and np.ptp(weights) > 0.1


@pytest.mark.parametrize("setting", ["beta", "gamma", "rho", "sigma"])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(UserError, match=f"moco: {setting} is -1; expected a number"):
        moco(["a"], 4, **{setting: -1})
