"""Weights that give the tasks' gradients lengths by how much each task still has to learn.

Source: Chen et al., GradNorm: gradient normalization for adaptive loss balancing in deep multitask networks, 2018,
https://arxiv.org/abs/1711.02257.
"""

from keras import ops

from mtl_keras.training.weightings.adam import Adam
from mtl_keras.training.weightings.present import count, shares
from mtl_keras.training.weightings.settings import check_above_0, check_at_least_0
from mtl_keras.training.weightings.weighting import State, Weighting, variable


def gradnorm(tasks: list[str], *, alpha: float = 1.5, rate: float = 0.025) -> Weighting:
    """Weigh by w, which follows the gradient of sum_i |G_i - mean(G) r_i^alpha|, with the targets held constant.

    G_i is w_i times the norm of task i's gradient, and r_i its loss divided by its first one, over the mean of these
    ratios. After each step of Adam of learning rate `rate`, w is scaled to add up to the number of tasks again, and not
    negative. The settings are the paper's for pictures of rooms. Gradients are taken at all shared variables; the paper
    takes the last shared layer's.
    """
    check_at_least_0("gradnorm: alpha", alpha)
    check_above_0("gradnorm: rate", rate)
    weights, adam = variable([1.0] * len(tasks), "weights"), Adam(len(tasks), rate)
    first = variable([0.0] * len(tasks), "first_losses")

    def weigh(step):  # -> (T,)
        return ops.where(step.present, weights.value, 0.0)

    def update(step):
        def mean(values):
            return ops.sum(ops.where(step.present, values, 0.0)) / ops.maximum(count(step.present), 1.0)

        norms = ops.sqrt(ops.maximum(ops.diagonal(step.gramian), 0.0))
        lengths, old = weights.value * norms, weights.value
        start = ops.where(first.value > 0, first.value, step.losses)
        ratios = ops.where(start > 0, step.losses / ops.where(start > 0, start, 1.0), 1.0)
        targets = mean(lengths) * (ratios / ops.maximum(mean(ratios), 1e-8)) ** alpha
        moved = ops.maximum(old + adam.change(ops.sign(lengths - targets) * norms), 0.0)
        first.assign(start)
        # What the absent have stays theirs.
        weights.assign(ops.sum(ops.where(step.present, old, 0.0)) * shares(moved, step.present))

    return Weighting("gramian", weigh, State([weights, first, *adam.rows]), update=update)
