"""Weights that make the combined gradient as short as it can be, which then lowers every task's loss.

Sources: Desideri, Multiple-gradient descent algorithm, 2012, https://doi.org/10.1016/j.crma.2012.03.014; Sener and
Koltun, Multi-task learning as multi-objective optimization, 2018, https://arxiv.org/abs/1810.04650.
"""

from keras import ops

from mtl_keras.training.weightings.weighting import Weighting

# Pairwise steps converge linearly (Lacoste-Julien and Jaggi, 2015, https://arxiv.org/abs/1511.05932): enough for 1e-4
# with eight tasks.
STEPS = 100


def mgda(tasks: list[str]) -> Weighting:
    """Weigh the gradients by the convex combination of smallest norm; a task's own variables learn as ever."""

    return Weighting("gramian", lambda step: smallest_combination(step.gramian, step.present))


def smallest_combination(gramian, present, steps: int = STEPS):
    """Return the weights (T,) of the point of smallest norm in the convex hull of the gradients that are present.

    They are at least 0 and add up to 1, or are all 0 where none is present. Each step moves weight from the gradient
    that is farthest along the combined one to the one that is least so, as far as that shortens it.
    """
    tiny, tasks = 1e-30, gramian.shape[0]
    rows = ops.cast(present, gramian.dtype)
    start = rows / ops.maximum(ops.sum(rows), 1.0)
    # The weights do not depend on the gradients' common size.
    gramian = gramian / ops.maximum(ops.max(ops.diagonal(gramian) * rows), tiny)

    def step(_, weights):
        along = ops.matmul(gramian, weights)  # (T,)
        least = ops.one_hot(ops.argmin(ops.where(present, along, float("inf"))), tasks)
        most = ops.one_hot(ops.argmax(ops.where(weights > 0, along, -float("inf"))), tasks)
        longest = ops.sum(most * weights)
        curvature = ops.sum((least - most) * ops.matmul(gramian, least - most))
        length = ops.sum((most - least) * along) / ops.maximum(curvature, tiny)
        return weights + (least - most) * ops.clip(length, 0.0, longest)

    return ops.fori_loop(0, steps, step, start)
