"""Weights that follow the shortest combination of gradients by two independent samples of them.

Source: Chen et al., Three-way trade-off in multi-objective learning: optimization, generalization and
conflict-avoidance, 2023, https://arxiv.org/abs/2305.20057.
"""

from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.simplex import onto_simplex, share_of_present
from mtl_keras.training.weightings.weighting import State, Weighting, variable


def modo(tasks: list[str], *, gamma: float = 0.001, rho: float = 0.1) -> Weighting:
    """Move the weights w to the point of the simplex that is nearest to w - gamma (G1 G2^T w + rho w), each step.

    G1 and G2 (T, P) are the gradients of both halves of the batch: their product has no bias by the noise that one
    sample would multiply with itself. w starts at 1 / T. The settings are LibMTL's; the paper takes a third sample for
    the step itself, here that is the whole batch.
    """
    if gamma < 0 or rho < 0:
        raise UserError(f"modo: gamma is {gamma} and rho is {rho}; expected numbers of at least 0")
    count = len(tasks)
    weights = variable([1 / count] * count, "weights")

    def moved(step):
        """Return the shares (T,) of the present tasks after this step, and the weight that they share."""
        share, total = share_of_present(weights.value, step.present)
        # Each half has about half of a task's gradient, so that a sample of it is twice that.
        between = 4.0 * ops.cast(step.gramian[:count, count:], "float32")
        along = ops.matmul(between, share) + rho * share
        return onto_simplex(share - gamma * along, step.present), total

    def weigh(step):  # -> (2 T,)
        share, _ = moved(step)
        return ops.concatenate([share, share])

    def update(step):
        share, total = moved(step)
        weights.assign(total * share)

    return Weighting("gramian", weigh, State([weights]), update=update, halves=True)
