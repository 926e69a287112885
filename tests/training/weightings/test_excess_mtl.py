"""Excess risks by hand: five steps, one of them without a label of a task."""

import numpy as np

from mtl_keras.training.weightings.excess_mtl import excess_mtl


def test_five_steps_by_hand(five_steps, answers):
    weighting = excess_mtl(["a", "b", "c"], 4, rate=0.5)
    weights, sums, first = np.ones(3), np.zeros((3, 4)), {}
    steps = five_steps()
    for step, answer in zip(steps, answers(weighting, steps), strict=True):
        here = np.flatnonzero(step.present)
        gradients, old = step.gradients.astype("float64"), weights[here].sum()
        for task in here:
            sums[task] += gradients[task] ** 2
            hessian = np.diag(np.sqrt(sums[task] + 1e-7))
            excess = gradients[task] @ np.linalg.inv(hessian) @ gradients[task]
            # In a task's first step there is nothing to compare with.
            weights[task] *= np.exp(0.5 * excess / first[task]) if task in first else 1.0
            first.setdefault(task, excess)
        weights[here] *= old / weights[here].sum()
        np.testing.assert_allclose(answer, weights[here] @ gradients[here], rtol=1e-4)
    np.testing.assert_allclose(weighting.state.rows[2], weights, rtol=1e-4)
    assert np.ptp(weights) > 0.1


def test_a_task_that_comes_later_and_one_without_a_gradient_are_finite(five_steps, answers):
    steps = [step._replace(present=np.array([True, False, True])) for step in five_steps()[:2]] + five_steps()[3:]
    steps = [step._replace(gradients=step.gradients * np.float32([[1], [1], [0]])) for step in steps]
    weighting = excess_mtl(["a", "b", "c"], 4)
    assert np.isfinite(answers(weighting, steps)).all()
    assert np.isfinite(weighting.state.rows[2]).all()
