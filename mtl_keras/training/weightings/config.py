"""The direction that has the same cosine with every gradient.

Source: Liu, Chu and Thuerey, ConFIG: towards conflict-free training of physics informed neural networks, 2024,
https://arxiv.org/abs/2408.11104.
"""

from functools import partial

import numpy as np

from mtl_keras.training.weightings.gramians import lengths, rounding
from mtl_keras.training.weightings.preference import preferences, shares
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import Weighting


def config(tasks: list[str], *, preference: tuple[float, ...] = ()) -> Weighting:
    """Combine the gradients to u sum_i g_i . u, the unit vector u having cosines with them that are as `preference`.

    u points along U^+ p, U having the gradients' unit vectors as rows, and p being 1 for each task if not given.
    Weights may be negative.
    """
    counts = preferences("config: preference", preference, tasks)
    return Weighting(
        "gramian",
        lambda step: in_numpy(partial(_conflict_free, tolerance=rounding(step.gramian)), step, counts),
    )


def _conflict_free(gramian: np.ndarray, preference: np.ndarray, tolerance: float) -> np.ndarray:
    sizes = lengths(gramian)
    units = np.where(sizes > 0, sizes, np.inf)  # a gradient of 0 has no part
    cosines = gramian / units / units[:, None]
    along = np.linalg.pinv(cosines, rcond=tolerance, hermitian=True) @ shares(preference)
    squared = along @ cosines @ along
    if squared <= 0:
        return 0 * sizes
    # The sum of the gradients' parts along u, which is sum_i (along_i / |g_i|) g_i / sqrt(squared).
    length = sizes @ cosines @ along / squared
    return along / units * length
