"""MoDo by hand over five steps, one of them without a task."""

import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.modo import modo
from mtl_keras.training.weightings.weighting import Step


def test_five_steps_by_hand_one_without_a_task():
    random = np.random.default_rng(1)
    weighting = modo(["a", "b", "c"], gamma=0.01, rho=0.5)
    weights = np.full(3, 1 / 3)
    for number in range(5):
        here = np.array([True, number != 2, True])
        even, odd = random.normal(size=(2, 3, 6)).astype("float32") * here[:, None]
        total = weights[here].sum()
        share = weights[here] / total
        # Twice a half's gradient stands for the whole batch.
        moved = share - 0.01 * (2 * even[here] @ (2 * odd[here]).T @ share + 0.5 * share)
        share = moved + (1 - moved.sum()) / len(moved)
        assert (share > 0).all()  # so that this is the projection
        weights[here] = total * share
        rows = np.concatenate([even, odd])
        step = Step(None, here, rows @ rows.T)
        expected = np.zeros(3)
        expected[here] = share
        np.testing.assert_allclose(weighting.weigh(step), np.tile(expected, 2), rtol=1e-4)
        (variable,) = weighting.state.rows
        before = variable.numpy()
        weighting.update(step)
        variable.assign(np.where(here, variable.numpy(), before))
        np.testing.assert_allclose(variable, weights, rtol=1e-4)
    assert weights.sum() == pytest.approx(1) and np.ptp(weights) > 0.02


@pytest.mark.parametrize("setting", ["gamma", "rho"])
def test_negative_settings_are_refused(setting):
    with pytest.raises(UserError, match=f"modo: .*{setting} is -1.*at least 0"):
        modo(["a"], **{setting: -1})
