"""Weights that bring all losses to one size: impartial multi-task learning, its part for losses.

Source: Liu et al., Towards impartial multi-task learning, 2021, https://openreview.net/forum?id=IMPnRXEWpvr.
"""

from keras import ops

from mtl_keras.training.weightings.weighting import State, Weighting, variable


def imtl_l(tasks: list[str]) -> Weighting:
    """Weigh a loss by exp(s), and add -s, s being learned for each task by the model's optimizer, from 0 on.

    Where s is best, exp(s) times the loss is 1.
    """
    scales = variable([0.0] * len(tasks), "log_scales", trained=True)

    def weigh(step):  # -> (T,)
        return ops.exp(scales.value)

    def penalty(present):
        return -ops.sum(ops.where(present, scales, 0.0))

    return Weighting("losses", weigh, State([scales]), penalty, reads_losses=False)
