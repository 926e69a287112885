"""Auto-lambda by hand: five steps, one of them without a label of a task, and what the weights lower."""

import numpy as np
import pytest

from mtl_keras.training.weightings.auto_lambda import auto_lambda
from mtl_keras.training.weightings.weighting import Step


@pytest.mark.parametrize("primary", [None, ("a", "b")])
def test_five_steps_by_hand(five_steps, answers, adam_by_hand, primary):
    weighting = auto_lambda(["a", "b", "c"], primary=primary, start=0.5, rate=0.01)
    weights, history = np.full(3, 0.5), [[], [], []]
    steps = five_steps(rows=6)
    for step, answer in zip(steps, answers(weighting, steps), strict=True):
        here = np.flatnonzero(step.present)
        np.testing.assert_allclose(answer, np.tile(weights * step.present, 2), rtol=1e-4)
        training, held_out = step.gradients[:3], step.gradients[3:]
        counted = [task for task in here if primary is None or "abc"[task] in primary]
        for task in here:
            history[task].append(-sum(float(held_out[other] @ training[task]) for other in counted))
            weights[task] = max(weights[task] + adam_by_hand(history[task], 0.01), 0)
    np.testing.assert_allclose(weighting.state.rows[0], weights, rtol=1e-4)


def test_the_weight_of_a_task_that_helps_rises_and_of_one_that_harms_falls_to_0(answers):
    # The first task's step lowers both held-out losses, and the second one's raises both.
    rows = np.float32([[1, 0], [0, 1], [1, -2], [0.5, -1]])
    weighting = auto_lambda(["a", "b"], rate=0.03)
    weights = answers(weighting, 5 * [Step(None, np.ones(2, bool), rows @ rows.T)])[-1]
    np.testing.assert_allclose(weights, [0.22, 0, 0.22, 0], rtol=1e-4)
