"""Weights that lower the losses along a preferred direction, and bring them onto it.

Source: Zhang and Li, MOEA/D: a multiobjective evolutionary algorithm based on decomposition, 2007,
https://doi.org/10.1109/TEVC.2007.892759.
"""

from keras import ops

from mtl_keras.training.weightings.settings import check_at_least_0, check_preference
from mtl_keras.training.weightings.weighting import Weighting


def pbi(tasks: list[str], *, theta: float = 5.0, preference: tuple[float, ...] | None = None) -> Weighting:
    """Minimize d1 + theta d2, the penalty of the boundary intersection, with 0 as the best that losses can be.

    d1 is the length of the losses along the preference p, l^T p / |p|, and d2 their distance from it, |l - d1 p / |p||.
    The weights are the derivatives p_i / |p| + theta (l - d1 p / |p|)_i / d2, the latter 0 where d2 is; where a loss is
    too small for the preference its weight may be negative. The paper's theta is 5; all are preferred alike by default.
    """
    check_at_least_0("pbi: theta", theta)
    preferred = check_preference("pbi: preference", preference, tasks)

    def parts(losses, present):
        """Return the direction (T,), d1, what stands off it (T,), and d2."""
        direction = ops.where(present, ops.convert_to_tensor(preferred, "float32"), 0.0)
        direction = direction / ops.maximum(ops.norm(direction), 1e-30)
        losses = ops.where(present, losses, 0.0)
        along = ops.sum(losses * direction)
        off = losses - along * direction
        distance = ops.norm(off)
        # Off by no more than numbers are rounded.
        near = distance <= 1e-6 * ops.norm(losses)
        return direction, along, ops.where(near, 0.0, off), ops.where(near, 0.0, distance)

    def weigh(step):  # -> (T,)
        direction, _, off, distance = parts(step.losses, step.present)
        return direction + theta * off / ops.maximum(distance, 1e-30)

    def objective(losses, present):
        _, along, _, distance = parts(losses, present)
        return along + theta * distance

    return Weighting("losses", weigh, objective=objective)
