"""Weights under which all losses fall at the same rate.

Source: Liu, Feng, Stone and Liu, FAMO: fast adaptive multitask optimization, 2023, https://arxiv.org/abs/2306.03792.
"""

from keras import ops

from mtl_keras.training.weightings.adam import Adam
from mtl_keras.training.weightings.present import shares, softmax
from mtl_keras.training.weightings.settings import check_above_0, check_at_least_0
from mtl_keras.training.weightings.weighting import State, Weighting, total, variable

# So that the logarithm of a loss of 0 is finite.
SMALL = 1e-8


def famo(tasks: list[str], *, gamma: float = 0.001, rate: float = 0.025) -> Weighting:
    """Weigh task i by c z_i / loss_i, z = softmax(w), where c makes the weights add up to 1.

    After the step, w follows by Adam of learning rate `rate` the gradient of sum_i z_i (log loss_i before - log loss_i
    after) + gamma |w|^2 / 2: a loss that fell less weighs more. The settings are the paper's.
    """
    check_at_least_0("famo: gamma", gamma)
    check_above_0("famo: rate", rate)
    logits, adam = variable([0.0] * len(tasks), "logits"), Adam(len(tasks), rate)

    def weigh(step):  # -> (T,)
        return shares(softmax(logits.value, step.present) / (step.losses + SMALL), step.present)

    def update(step):
        z = softmax(logits.value, step.present)
        fall = ops.log(step.losses + SMALL) - ops.log(step.after + SMALL)
        gradient = z * (fall - ops.sum(z * fall)) + gamma * logits.value
        logits.assign(logits.value + adam.change(gradient))

    state = State([logits, *adam.rows])
    return Weighting("losses", weigh, state, update=update, objective=total, looks_again=True)
