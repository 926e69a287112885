"""How much each task counts, for the weightings that ask."""

import math

import numpy as np

from mtl_keras.errors import UserError


def preferences(preference: tuple[float, ...], tasks: list[str]) -> np.ndarray:
    """Return how much each of the T tasks counts (T,): alike, if nothing is said.

    `preference` has one number of at least 0 for each task, in their order; their sum does not matter.
    """
    fit = not preference or len(preference) == len(tasks)
    if not fit or not all(0 <= each < math.inf for each in preference) or (preference and not any(preference)):
        raise UserError(
            f"preference {'/'.join(map(str, preference))}: expected one number of at least 0 for each of the tasks "
            f"{', '.join(tasks)}, not all 0"
        )
    return np.array(preference or [1.0] * len(tasks), "float64")


def shares(preference: np.ndarray) -> np.ndarray:
    """Return preferences scaled so that they add up to 1; all are 0 where they are."""
    return preference / (preference.sum() or 1.0)
