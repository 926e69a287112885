"""Weights from each task's learned uncertainty.

Source: Kendall, Gal and Cipolla, Multi-task learning using uncertainty to weigh losses for scene geometry and
semantics, 2018, https://arxiv.org/abs/1705.07115.
"""

from keras import ops

from mtl_keras.training.weightings.weighting import State, Weighting, variable


def uncertainty(tasks: list[str]) -> Weighting:
    """Weigh a loss by exp(-s), and add s / 2, s = log(variance) being learned for each task.

    That is the paper's form for classification, taken for every task. Its form for regression, exp(-s) / 2, has its
    lowest point where s is smaller by log(2), with the same weight there, 1 / (2 loss). Losses of 0.5 start there.
    """
    log_variances = variable([0.0] * len(tasks), "log_variances", trained=True)

    def weigh(step):  # -> (T,)
        return ops.exp(-log_variances)

    def penalty(present):
        return ops.sum(ops.where(present, log_variances, 0.0)) / 2

    return Weighting("losses", weigh, State([log_variances]), penalty, reads_losses=False)
