"""Weights that make the combined gradient as short as it can be, which then lowers every task's loss.

Sources: Desideri, Multiple-gradient descent algorithm, 2012, https://doi.org/10.1016/j.crma.2012.03.014; Sener and
Koltun, Multi-task learning as multi-objective optimization, 2018, https://arxiv.org/abs/1810.04650.
"""

import numpy as np
from scipy.optimize import nnls

from mtl_keras.training.weightings.gramians import vectors
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import Weighting


def mgda(tasks: list[str]) -> Weighting:
    """Weigh the gradients by the convex combination of smallest norm; a task's own variables learn as ever.

    It is min |sum_i w_i g_i|, all w_i >= 0 and sum_i w_i = 1, solved exactly.
    """
    return Weighting("gramian", lambda step: in_numpy(lambda gramian: shortest(vectors(gramian)), step))


def shortest(points: np.ndarray) -> np.ndarray:
    """Return the weights (N,) of the point of smallest norm in the convex hull of N points, one a column (D, N).

    They are at least 0 and add up to 1.
    """
    norms = np.linalg.norm(points, axis=0)
    least = norms.min()
    if least == 0:
        return (norms == 0) / np.count_nonzero(norms == 0)
    # |P v|^2 + (1 - sum v)^2 is least, for a given sum of v >= 0, where v points the way that is looked for.
    rows = np.vstack([points / least, np.ones(len(norms))])
    weights, _ = nnls(rows, np.eye(len(rows))[-1], maxiter=100 * len(norms))
    return weights / weights.sum()
