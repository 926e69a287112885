"""Weights by how far each task's loss is estimated to be above the best that it can be.

Source: He et al., Robust multi-task learning with excess risks, 2024,
https://arxiv.org/abs/2402.02009.
"""

import numpy as np
from keras import ops

from mtl_keras.training.weightings.present import shares
from mtl_keras.training.weightings.settings import check_above_0
from mtl_keras.training.weightings.weighting import State, Weighting, variable

SMALL = 1e-7


def excess_mtl(tasks: list[str], size: int, *, rate: float = 0.01) -> Weighting:
    """Weigh the gradients g_i by w_i, which each step multiplies by exp(rate E_i / first E_i).

    The excess risk E_i is g_i^T H_i^-1 g_i, H_i being the root of the sum of the squares of all gradients of the task
    so far, a diagonal. Then w is scaled to add up to the number of tasks. In a task's first step w stays 1. The rate
    is the authors'. The state has T times P numbers.
    """
    check_above_0("excess_mtl: rate", rate)
    squares = variable(np.zeros((len(tasks), size)), "sums_of_squares")
    first, weights = variable([0.0] * len(tasks), "first_excess"), variable([1.0] * len(tasks), "weights")

    def moved(step):
        """Return what this step makes of the state: the sums (T, P), the first excess risks and the weights (T,)."""
        sums = squares.value + ops.square(step.gradients)
        excess = ops.sum(ops.square(step.gradients) / ops.sqrt(sums + SMALL), axis=-1)
        known = first.value > 0
        growth = rate * ops.where(known, excess / ops.where(known, first.value, 1.0), 0.0)
        # A common factor cancels, and without it nothing is infinite.
        grown = weights.value * ops.exp(growth - ops.max(growth))
        # What the absent have stays theirs.
        own = ops.sum(ops.where(step.present, weights.value, 0.0))
        return sums, ops.where(known, first.value, excess), own * shares(grown, step.present)

    def weigh(step):  # -> (P,)
        return ops.sum(ops.expand_dims(moved(step)[2], -1) * step.gradients, axis=0)

    def update(step):
        for each, value in zip((squares, first, weights), moved(step), strict=True):
            each.assign(value)

    return Weighting("gradients", weigh, State([squares, first, weights]), update=update)
