"""Gradients without the parts in which they work against each other.

Source: Yu et al., Gradient surgery for multi-task learning, 2020, https://arxiv.org/abs/2001.06782.
"""

import numpy as np

from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import Weighting


def pcgrad(tasks: list[str]) -> Weighting:
    """Take from each task's gradient its part against each other task's, one after the other, and add up what is left.

    For each j != i where g_i . g_j < 0, g_i becomes g_i - (g_i . g_j / |g_j|^2) g_j, the g_j being as they came. The
    paper draws the order of the other tasks anew each time; here it is that of their names, so that a run can be
    repeated whatever the order in which tasks are given.
    """
    ranks = np.argsort(np.argsort(tasks))
    return Weighting("gramian", lambda step: in_numpy(_without_conflicts, step, ranks))


def _without_conflicts(gramian: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    # Row i is made of: what becomes of the gradient of task i.
    made_of = np.eye(len(gramian))
    for other in np.argsort(ranks):
        if gramian[other, other] > 0:
            against = np.minimum(made_of @ gramian[other], 0.0) / gramian[other, other]
            against[other] = 0.0
            made_of[:, other] -= against
    return made_of.sum(0)
