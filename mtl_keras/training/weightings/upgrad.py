"""Gradients moved each as little as it takes to work against none of the tasks, and added up.

Source: Quinton and Rey, Jacobian descent for multi-objective optimization, 2024, https://arxiv.org/abs/2406.16232.
"""

from functools import partial

import numpy as np

from mtl_keras.training.weightings.dual_proj import projection
from mtl_keras.training.weightings.preference import preferences, shares
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.settings import check_above_0
from mtl_keras.training.weightings.weighting import Weighting


def upgrad(tasks: list[str], *, preference: tuple[float, ...] = (), regularization: float = 1e-4) -> Weighting:
    """Combine the gradients to sum_i p_i P(g_i), P being the projection onto the directions d with all g_j . d >= 0.

    p are shares of 1, alike if not given. `regularization` is that of `dual_proj`.
    """
    check_above_0("upgrad: regularization", regularization)
    counts = preferences("upgrad: preference", preference, tasks)
    return Weighting(
        "gramian", lambda step: in_numpy(partial(_unconflicting, regularization=regularization), step, counts)
    )


def _unconflicting(gramian: np.ndarray, preference: np.ndarray, regularization: float) -> np.ndarray:
    project = projection(gramian, regularization)
    return sum(project(row) for row in np.diag(shares(preference)))
