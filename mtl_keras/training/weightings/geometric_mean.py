"""Weights that make the loss the geometric mean of the tasks' losses, whatever the sizes of these.

Source: Chennupati et al., MultiNet++: multi-stream feature aggregation and geometric loss strategy for multi-task
learning, 2019, https://arxiv.org/abs/1904.08492.
"""

from keras import ops

from mtl_keras.training.weightings.weighting import Weighting

# A loss of 0 would end all learning: the mean would be 0 too, whatever the others are.
SMALLEST_LOSS = 1e-8


def geometric_mean(tasks: list[str]) -> Weighting:
    """Weigh each of n losses by G / (n loss), G being their geometric mean: the weighted sum is G.

    To treat these weights as constants gives the gradient of G itself.
    """

    def weigh(step):  # -> (T,)
        losses = ops.maximum(step.losses, SMALLEST_LOSS)
        rows = ops.cast(step.present, losses.dtype)
        count = ops.maximum(ops.sum(rows), 1.0)
        mean = ops.exp(ops.sum(rows * ops.log(losses)) / count)
        return rows * mean / (count * losses)

    return Weighting("losses", weigh)
