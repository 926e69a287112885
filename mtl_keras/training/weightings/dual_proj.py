"""The mean gradient, moved as little as it takes to work against none of the tasks.

Sources: Lopez-Paz and Ranzato, Gradient episodic memory for continual learning, 2017,
https://arxiv.org/abs/1706.08840; Quinton and Rey, Jacobian descent for multi-objective optimization, 2024,
https://arxiv.org/abs/2406.16232.
"""

import numpy as np
from scipy.optimize import nnls

from mtl_keras.training.weightings.preference import preferences, shares
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import Weighting

# Added to the diagonal of a Gramian of trace 1, so that it is positive definite in spite of rounding.
SOFTNESS = 1e-4


def dual_proj(tasks: list[str], *, preference: tuple[float, ...] = ()) -> Weighting:
    """Weigh the gradients by the w that makes w . G w least among all w >= p, G being their Gramian.

    That is the projection of sum_i p_i g_i onto the directions d with g_i . d >= 0 for all i. p are shares of 1, alike
    if not given.
    """
    counts = preferences("dual_proj: preference", preference, tasks)

    def projected(gramian, preference):
        return projection(gramian)(shares(preference))

    return Weighting("gramian", lambda step: in_numpy(projected, step, counts))


def projection(gramian: np.ndarray):
    """Return the function that projects sum_i u_i g_i onto the dual cone of the gradients: u (N,) -> weights (N,)."""
    softened = gramian / (np.trace(gramian) or 1.0) + SOFTNESS * np.eye(len(gramian))
    root = np.linalg.cholesky(softened).T  # G = root' root

    # w = u + v makes |root (u + v)| least among all v >= 0.
    return lambda weights: weights + nnls(root, -root @ weights, maxiter=100 * len(root))[0]
