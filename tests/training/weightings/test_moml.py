"""Multi-objective meta learning by hand: five steps, one of them without a label of a task."""

import numpy as np
from scipy.optimize import minimize

from mtl_keras.training.weightings.moml import moml
from mtl_keras.training.weightings.weighting import Step


def shortest(rows: np.ndarray) -> np.ndarray:
    """The shortest convex combination of rows."""
    count = len(rows)
    found = minimize(
        lambda parts: np.square(parts @ rows).sum() / np.square(rows).max(),
        np.full(count, 1 / count),
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda parts: parts.sum() - 1},
        options={"ftol": 1e-15, "maxiter": 500},
    )
    return found.x @ rows


def test_five_steps_by_hand(five_steps, answers, adam_by_hand):
    weighting, logits, history = moml(["a", "b", "c"], rate=0.1), np.zeros(3), [[], [], []]
    steps = five_steps(rows=6)
    for step, answer in zip(steps, answers(weighting, steps), strict=True):
        here = np.flatnonzero(step.present)
        weights = np.exp(logits[here]) / np.exp(logits[here]).sum()
        expected = np.zeros(3)
        expected[here] = weights
        np.testing.assert_allclose(answer, np.tile(expected, 2), rtol=1e-3)
        jacobian = np.diag(weights) - np.outer(weights, weights)  # of the softmax
        training, held_out = step.gradients[:3][here].astype("float64"), step.gradients[3:][here]
        slopes = -held_out @ training.T @ jacobian
        for task, gradient in zip(here, shortest(slopes), strict=True):
            history[task].append(gradient)
            logits[task] += adam_by_hand(history[task], 0.1)
    np.testing.assert_allclose(weighting.state.rows[0], logits, rtol=2e-2, atol=1e-3)
    assert np.ptp(logits) > 0.1


def test_where_no_weights_are_better_for_all_nothing_moves(answers):
    # The first task's held-out loss wants more of its own gradient, and the second one's of its own.
    rows = np.float32([[1.1, 0.3], [-0.3, 0.7], [1.3, 0.1], [-0.2, 1.7]])
    weighting = moml(["a", "b"])
    answers(weighting, 3 * [Step(np.ones(2), np.ones(2, bool), rows @ rows.T)])
    np.testing.assert_array_equal(weighting.state.rows[0], [0, 0])
