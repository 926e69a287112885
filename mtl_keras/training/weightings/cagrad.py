"""The gradient near the tasks' mean one that lowers the worst-off task's loss most.

Source: Liu et al., Conflict-averse gradient descent for multi-task learning, 2021, https://arxiv.org/abs/2110.14048.
"""

from functools import partial
from typing import Literal

import numpy as np
from scipy.optimize import brentq

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.gramians import vectors
from mtl_keras.training.weightings.mgda import shortest
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import Weighting

# Of the length of all gradients together: a shorter combination of them is none, and they are at a Pareto optimum.
SHORTEST = 1e-4


def cagrad(tasks: list[str], *, c: float = 0.5, rescale: Literal["none", "square", "linear"] = "none") -> Weighting:
    """Combine the gradients to d = g_0 + c |g_0| g_w / |g_w|, g_0 being their mean and g_w = sum_i w_i g_i.

    w >= 0, with sum 1, makes g_w . g_0 + c |g_0| |g_w| least; then d is what makes min_i g_i . d largest among all with
    |d - g_0| <= c |g_0|. `c` 0 is the mean; from 1 on it comes to minima of MGDA. Where |g_w| is nearly 0, so is d.
    `rescale`, which is of the authors' code, divides d by 1 + c^2 ("square") or by 1 + c ("linear").
    """
    if c < 0:
        raise UserError(f"cagrad: c is {c}; expected a number of at least 0")
    divisor = {"none": 1.0, "square": 1 + c**2, "linear": 1 + c}[rescale]
    return Weighting("gramian", lambda step: in_numpy(partial(_worst_off, c=c), step) / divisor)


def _worst_off(gramian: np.ndarray, c: float) -> np.ndarray:
    alike = np.full(len(gramian), 1 / len(gramian))
    points = vectors(gramian / (np.trace(gramian) or 1.0))
    mean = points.mean(1)
    radius = c * np.linalg.norm(mean)
    if not radius:
        return alike

    # w is where it is least for the length of g_w that it has: then it is the shortest combination of points moved.
    def combined(length):
        weights = shortest(points + length / radius * mean[:, None])
        return weights, np.linalg.norm(points @ weights)

    longest = np.linalg.norm(points, axis=0).max()
    if combined(SHORTEST)[1] < SHORTEST:
        return 0 * alike
    length = brentq(lambda length: combined(length)[1] - length, SHORTEST, longest, xtol=1e-15, rtol=1e-14)
    return alike + radius / length * combined(length)[0]
