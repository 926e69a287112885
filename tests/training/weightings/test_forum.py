"""FORUM by hand: five steps, one of them without a label of a task, and what its program is worth."""

import numpy as np
import pytest
from scipy.optimize import nnls

from mtl_keras.training.weightings.forum import forum

RHO, SIZE, INNER, RATE = 0.4, 0.2, 3, 0.1


def by_least_squares(rows: np.ndarray, phi: float) -> np.ndarray:
    """The m of |m rows[:-1] + n rows[-1]|^2 / 2 - n phi, by another solver: that m adds up to 1 is a heavy row."""
    products = rows @ rows.T + 1e-9 * np.eye(len(rows))
    root, heavy = np.linalg.cholesky(products).T, 1e4
    # |root x|^2 / 2 - phi x[-1] is |root x - goal|^2 / 2 up to a constant.
    goal = np.linalg.solve(root.T, phi * np.eye(len(rows))[-1])
    found, _ = nnls(np.vstack([root, heavy * np.append(np.ones(len(rows) - 1), 0.0)]), np.append(goal, heavy))
    return found[:-1] / found[:-1].sum()


@pytest.mark.parametrize("epoch", [1, 2])
def test_five_steps_by_hand(five_steps, answers, adam_by_hand, epoch):
    weighting = forum(["a", "b", "c"], rho=RHO, step_size=SIZE, inner_steps=INNER, rate=RATE)
    for _ in range(epoch - 1):
        weighting.end_epoch(None, None)
    logits, parts, history, penalties = np.zeros(3), np.zeros(3), [[], [], []], []
    steps = five_steps(rows=6)
    # Training and held-out gradients are alike in part, as they are in training.
    steps = [step._replace(gradients=step.gradients + np.roll(step.gradients, 3, 0) / 2) for step in steps]
    steps = [step._replace(gramian=step.gradients @ step.gradients.T) for step in steps]
    for step, answer in zip(steps, answers(weighting, steps), strict=True):
        here = np.flatnonzero(step.present)
        weights = np.exp(logits[here]) / np.exp(logits[here]).sum()
        # Each half has half of the divisor.
        training, held_out = 2 * step.gradients[:3][here].astype("float64"), step.gradients[3:][here].astype("float64")
        norms = np.linalg.norm(held_out, axis=1)
        at_shared = weights @ training
        falls = INNER * SIZE * training @ at_shared
        at_logits = (np.diag(weights) - np.outer(weights, weights)) @ falls
        slope, count = np.append(at_logits, at_shared), len(here)
        rows = np.hstack([np.zeros((count, count)), held_out / norms[:, None]])
        found = by_least_squares(np.vstack([rows, slope]), RHO * slope @ slope)
        parts[here] = (1 - epoch**-0.75) * parts[here] + epoch**-0.75 * found
        parts[here] /= parts[here].sum()
        penalty = max(parts[here] @ (RHO - rows @ slope / (slope @ slope)), 0)
        penalties.append(penalty)
        expected = np.zeros(6)
        expected[here], expected[3 + here] = 2 * penalty * weights, parts[here] / norms
        np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-3)
        for task, gradient in zip(here, penalty * at_logits, strict=True):
            history[task].append(gradient)
            logits[task] += adam_by_hand(history[task], RATE)
    assert max(penalties) > 0.1
    np.testing.assert_allclose(weighting.state.rows[1], parts, atol=2e-3)
