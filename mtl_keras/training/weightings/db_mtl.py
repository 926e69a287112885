"""Gradients of the losses' logarithms, averaged over steps, all as long as the longest: dual balancing.

Source: Lin et al., Dual-balancing for multi-task learning, 2023, https://arxiv.org/abs/2308.12029.
"""

import numpy as np
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.settings import check_at_least_0
from mtl_keras.training.weightings.weighting import State, Weighting, variable

SMALL = 1e-8


def db_mtl(tasks: list[str], size: int, *, beta: float = 0.9, beta_sigma: float = 0.0) -> Weighting:
    """Combine sum_i a_i m_i, where a_i makes each m_i as long as the longest of them.

    m_i is the moving average b m_i + (1 - b) g_i / loss_i, from 0 on, with b = beta / k^beta_sigma in a task's k-th
    step; g_i / loss_i is the gradient of log(loss_i). A task's own variables learn from its loss itself. The settings
    are those of the authors' code. The state has T times P numbers.
    """
    if not 0 <= beta < 1:
        raise UserError(f"db_mtl: beta is {beta}; expected a number from 0 to below 1")
    check_at_least_0("db_mtl: beta_sigma", beta_sigma)
    averages, steps = variable(np.zeros((len(tasks), size)), "averages"), variable([0.0] * len(tasks), "steps")

    def averaged(step):  # -> (T, P)
        kept = ops.expand_dims(beta / (steps.value + 1) ** beta_sigma, -1)
        of_logarithms = step.gradients / ops.expand_dims(step.losses + SMALL, -1)
        return kept * averages.value + (1 - kept) * of_logarithms

    def weigh(step):  # -> (P,)
        found = ops.where(ops.expand_dims(step.present, -1), averaged(step), 0.0)
        norms = ops.sqrt(ops.sum(ops.square(found), axis=-1, keepdims=True))  # (T, 1)
        return ops.sum(ops.max(norms) / (norms + SMALL) * found, axis=0)

    def update(step):
        averages.assign(averaged(step))
        steps.assign(steps.value + 1)

    return Weighting("gradients", weigh, State([averages, steps]), update=update)
