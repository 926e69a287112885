"""FAMO by hand: five steps, one of them without a label of a task."""

import numpy as np

from mtl_keras.training.weightings.famo import famo


def test_five_steps_by_hand(five_steps, answers, adam_by_hand):
    weighting, logits, history = famo(["a", "b", "c"], gamma=0.1, rate=0.5), np.zeros(3), [[], [], []]
    assert weighting.looks_again
    steps = five_steps()
    for step, answer in zip(steps, answers(weighting, steps), strict=True):
        here = np.flatnonzero(step.present)
        z = np.exp(logits[here]) / np.exp(logits[here]).sum()
        expected = np.zeros(3)
        expected[here] = z / step.losses[here] / np.sum(z / step.losses[here])
        np.testing.assert_allclose(answer, expected, rtol=1e-4)
        fall = np.log(step.losses[here] / step.after[here])
        jacobian = np.diag(z) - np.outer(z, z)
        for task, gradient in zip(here, jacobian @ fall + 0.1 * logits[here], strict=True):
            history[task].append(gradient)
            logits[task] += adam_by_hand(history[task], 0.5)
    np.testing.assert_allclose(weighting.state.rows[0], logits, rtol=1e-4)
    assert np.ptp(logits) > 0.1


def test_a_loss_that_falls_less_comes_to_weigh_more(five_steps, answers):
    steps = [step._replace(after=step.losses * np.float32([0.5, 0.9, 0.9])) for step in five_steps()]
    weighting = famo(["a", "b", "c"])
    answers(weighting, steps)
    logits = weighting.state.rows[0].numpy()
    assert logits[0] < 0 < min(logits[1:])
