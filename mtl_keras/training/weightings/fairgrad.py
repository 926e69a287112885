"""Weights by which the tasks share the progress of a step fairly.

Source: Ban and Ji, Fair resource allocation in multi-task learning, 2024, https://arxiv.org/abs/2402.15638.
"""

from functools import partial

import numpy as np

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.gramians import lengths, vectors
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import Weighting

# Added to the cosines' diagonal: gradients that cancel out have finite weights. Newton's steps, and how exact they are.
SOFTNESS, STEPS, EXACT = 1e-8, 100, 1e-10


def fairgrad(tasks: list[str], *, alpha: float = 1.0) -> Weighting:
    """Weigh the gradients by the w > 0 for which G w = w^(-1 / alpha), G being their Gramian.

    Then the combined gradient d makes sum_i (g_i . d)^(1 - alpha) / (1 - alpha) largest. `alpha` 0 weighs all alike, 1
    is Nash-MTL without its clipping (proportional fairness), and ever larger ones look to the worst-off task alone.
    """
    if alpha < 0:
        raise UserError(f"fairgrad: alpha is {alpha}; expected a number of at least 0")
    return Weighting("gramian", lambda step: in_numpy(partial(fair, alpha=alpha), step))


def fair(gramian: np.ndarray, alpha: float) -> np.ndarray:
    """Return the w (N,) > 0 that solves G w = w^(-1 / alpha), and 0 for a gradient of 0.

    It is where (y . C y) / 2 - sum_i b_i F(y_i) is least, convex, F being the integral of y^(-1 / alpha) and C the
    cosines of the gradients: found by Newton's method.
    """
    weights, sizes = np.full(len(gramian), 1 / len(gramian)), lengths(gramian)
    there = sizes > 0
    if alpha == 0 or not there.any():
        return weights
    power, scale = 1 / alpha, sizes.max()
    units = vectors(gramian)[:, there] / sizes[there]
    cosines = units.T @ units + SOFTNESS * np.eye(there.sum())
    wanted = (sizes[there] / scale) ** (power - 1)
    solution = _newton(cosines, wanted, power)
    weights[:] = 0.0
    weights[there] = solution / (sizes[there] / scale) * scale ** (-2 / (1 + power))
    return weights


def _newton(cosines: np.ndarray, wanted: np.ndarray, power: float) -> np.ndarray:
    """Return the y (N,) > 0 for which C y = b y^(-power)."""

    def value(logs):
        steep = logs if power == 1 else np.expm1((1 - power) * logs) / (1 - power)
        return np.exp(logs) @ cosines @ np.exp(logs) / 2 - wanted @ steep

    solution = wanted ** (1 / (1 + power))
    for _ in range(STEPS):
        pull = wanted * solution**-power
        slope = cosines @ solution - pull
        if np.abs(slope).max() <= EXACT * pull.min():
            break
        move = -np.linalg.solve(cosines + np.diag(power * pull / solution), slope)
        # Halfway to 0 at most, and not beyond where it gets worse.
        length = min(1.0, 0.5 / max((-move / solution).max(), 0.5))
        before, promised = value(np.log(solution)), slope @ move
        while value(np.log(solution + length * move)) > before + 1e-4 * length * promised and length > 1e-6:
            length /= 2
        solution = solution + length * move
    return solution
