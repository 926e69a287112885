"""What is read from a Gramian: the vectors' lengths, vectors that have it, and how exact it is."""

import numpy as np
from keras import backend


def lengths(gramian: np.ndarray) -> np.ndarray:
    """Return the lengths (N,) of the vectors that have this Gramian (N, N)."""
    return np.sqrt(np.maximum(np.diagonal(gramian), 0.0))


def vectors(gramian: np.ndarray) -> np.ndarray:
    """Return N vectors that have this Gramian (N, N), one a column: (N, N).

    Short vectors are as exact as long ones: it is the cosines that are taken apart. What rounding has made negative in
    them counts as 0.
    """
    sizes = lengths(gramian)
    units = np.where(sizes > 0, sizes, 1.0)
    squares, axes = np.linalg.eigh(gramian / units / units[:, None])
    return np.sqrt(np.maximum(squares, 0.0))[:, None] * axes.T * sizes


def rounding(gramian) -> float:
    """Return the part of a Gramian's largest eigenvalue below which others may be nothing but rounding."""
    return gramian.shape[0] * float(np.finfo(backend.standardize_dtype(gramian.dtype)).eps)
