"""The mean gradient, moved as little as it takes to work against none of the tasks.

Sources: Lopez-Paz and Ranzato, Gradient episodic memory for continual learning, 2017,
https://arxiv.org/abs/1706.08840; Quinton and Rey, Jacobian descent for multi-objective optimization, 2024,
https://arxiv.org/abs/2406.16232.
"""

import numpy as np
from scipy.optimize import nnls

from mtl_keras.training.weightings.preference import preferences, shares
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.settings import check_above_0
from mtl_keras.training.weightings.weighting import Weighting


def dual_proj(tasks: list[str], *, preference: tuple[float, ...] = (), regularization: float = 1e-4) -> Weighting:
    """Weigh the gradients by the w that makes w . G w least among all w >= p, G being their Gramian.

    That is the projection of sum_i p_i g_i onto the directions d with g_i . d >= 0 for all i. p are shares of 1, alike
    if not given. `regularization` times the trace of G is added to its diagonal: a gradient shorter than about the root
    of it, as a part of the longest, may be worked against, with TorchJD's default one of a hundredth. 1e-9 is small
    enough for one of a ten-thousandth.
    """
    check_above_0("dual_proj: regularization", regularization)
    counts = preferences("dual_proj: preference", preference, tasks)

    def projected(gramian, preference):
        return projection(gramian, regularization)(shares(preference))

    return Weighting("gramian", lambda step: in_numpy(projected, step, counts))


def projection(gramian: np.ndarray, regularization: float):
    """Return the function that projects sum_i u_i g_i onto the dual cone of the gradients: u (N,) -> weights (N,)."""
    softened = gramian / (np.trace(gramian) or 1.0) + regularization * np.eye(len(gramian))
    root = np.linalg.cholesky(softened).T  # G = root' root

    # w = u + v makes |root (u + v)| least among all v >= 0.
    return lambda weights: weights + nnls(root, -root @ weights, maxiter=100 * len(root))[0]
