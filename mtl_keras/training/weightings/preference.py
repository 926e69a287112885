"""How much each task counts, for the programs of NumPy that ask."""

import numpy as np

from mtl_keras.training.weightings.settings import check_preference


def preferences(setting: str, preference: tuple[float, ...], tasks: list[str]) -> np.ndarray:
    """Return how much each of the T tasks counts (T,): alike, if nothing is said; their sum does not matter.

    `preference` is that `setting`, "NAME: SETTING": one number of at least 0 for each task, in their order.
    """
    return np.array(check_preference(setting, preference or None, tasks), "float64")


def shares(preference: np.ndarray) -> np.ndarray:
    """Return preferences scaled so that they add up to 1; all are 0 where they are."""
    return preference / (preference.sum() or 1.0)
