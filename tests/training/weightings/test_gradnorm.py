"""GradNorm by hand: five steps, one of them without a label of a task."""

import numpy as np
import tensorflow as tf

from mtl_keras.training.weightings.gradnorm import gradnorm


def test_five_steps_by_hand(five_steps, answers, adam_by_hand):
    weighting, weights, first, history = gradnorm(["a", "b", "c"], rate=0.1), np.ones(3), {}, [[], [], []]
    steps = five_steps()
    for step, answer in zip(steps, answers(weighting, steps), strict=True):
        here = np.flatnonzero(step.present)
        np.testing.assert_allclose(answer, weights * step.present, rtol=1e-4)
        for task in here:
            first.setdefault(task, step.losses[task])
        norms = np.linalg.norm(step.gradients[here], axis=1)
        ratios = np.array([step.losses[task] / first[task] for task in here])
        # The paper's loss, with the targets held constant.
        targets = np.mean(weights[here] * norms) * (ratios / ratios.mean()) ** 1.5
        learned = tf.Variable(weights[here])
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.abs(learned * norms - targets))
        old = weights[here].sum()
        for task, gradient in zip(here, tape.gradient(loss, learned).numpy(), strict=True):
            history[task].append(gradient)
            weights[task] += adam_by_hand(history[task], 0.1)
        weights[here] *= old / weights[here].sum()
    np.testing.assert_allclose(weighting.state.rows[0], weights, rtol=1e-4)
    assert weights.sum() - 3 < 1e-6 and np.ptp(weights) > 0.1


def test_weights_stay_at_least_0(five_steps, answers):
    weighting = gradnorm(["a", "b", "c"], rate=5.0)
    found = answers(weighting, 4 * five_steps())
    assert min(answer.min() for answer in found) == 0 and np.isfinite(found).all()
