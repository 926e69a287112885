"""Weights that make the combined gradient move every task alike.

Source: Liu et al., Towards impartial multi-task learning, 2021, https://openreview.net/forum?id=IMPnRXEWpvr; with
linearly dependent gradients as in Quinton and Rey, Jacobian descent for multi-objective optimization, 2024,
https://arxiv.org/abs/2406.16232.
"""

from functools import partial

import numpy as np

from mtl_keras.training.weightings.gramians import lengths, rounding
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import Weighting


def imtl_g(tasks: list[str]) -> Weighting:
    """Weigh the gradients so that the combined one has the same projection on each of them, with weights of sum 1.

    w is v / sum v, where G v = (|g_1|, ..., |g_T|) with G the Gramian; by its pseudoinverse where it is singular.
    Weights may be negative, and are all 0 where the sum of v is.
    """
    return Weighting("gramian", lambda step: in_numpy(partial(_impartial, tolerance=rounding(step.gramian)), step))


def _impartial(gramian: np.ndarray, tolerance: float) -> np.ndarray:
    gramian = gramian / (np.diagonal(gramian).max() or 1.0)
    alike = np.linalg.pinv(gramian, rcond=tolerance, hermitian=True) @ lengths(gramian)
    whole = alike.sum()
    return alike / whole if abs(whole) > 1e-12 else 0 * alike
