"""Weights that give the gradients' matrix the same stretch in all its directions.

Source: Senushkin et al., Independent component alignment for multi-task learning, 2023,
https://arxiv.org/abs/2305.19000.
"""

from functools import partial
from typing import Literal

import numpy as np

from mtl_keras.training.weightings.preference import preferences, shares
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import Weighting

# Eigenvalues of a Gramian that are smaller parts of the largest, times the number of tasks, are none: the rounding of
# float32, in which gradients come.
LEAST = float(np.finfo("float32").eps)


def aligned_mtl(
    tasks: list[str],
    *,
    scale: Literal["min", "median", "rmse"] = "min",
    preference: tuple[float, ...] = (),
) -> Weighting:
    """Weigh the gradients by w = sqrt(s) V L^(-1/2) V' p, where G = V L V' is their Gramian and p the preference.

    With them the gradients are perpendicular and of one length, sqrt(s): that of the smallest eigenvalue above 0, of
    the median one, or their mean ("rmse"). Weights may be negative. p are shares of 1, alike if not given.
    """
    counts = preferences("aligned_mtl: preference", preference, tasks)
    return Weighting("gramian", lambda step: in_numpy(partial(_aligned, scale=scale), step, counts))


def _aligned(gramian: np.ndarray, preference: np.ndarray, scale: str) -> np.ndarray:
    values, axes = np.linalg.eigh(gramian)
    kept = values > max(values.max(), 0.0) * len(values) * LEAST
    if not kept.any():
        return shares(preference)
    values, axes = values[kept], axes[:, kept]  # the smallest first
    stretch = {"min": values[0], "median": values[(len(values) - 1) // 2], "rmse": values.mean()}[scale]
    return axes @ (axes.T @ shares(preference) * np.sqrt(stretch / values))
