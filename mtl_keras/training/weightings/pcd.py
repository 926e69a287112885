"""The primary task's gradient, bent only as far as the other tasks need it to make progress too.

Source: Varam and AlHajri, Not all objectives are born equal: priority-constrained descent for hierarchical
multi-objective optimization, 2026, https://arxiv.org/abs/2606.29521.
"""

import numpy as np
from keras import ops
from scipy.optimize import nnls

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import State, Weighting, variable

# What is added to the mean of squares before its root is divided by.
SMALLEST_SQUARE = 1e-8


def pcd(tasks: list[str], *, primary: str = "", tau: float = 0.02, beta: float = 0.999) -> Weighting:
    """Take the direction d nearest to the primary task's gradient g1 with gj d >= tau gj gj for every other task j.

    All gradients are divided by the root of a moving average of their squared lengths (decay `beta`, corrected for its
    start), so that `tau`, from 0 (no other loss rises, to first order) to 1, means the same for tasks of any size. d
    gets the length of the primary gradient. Where no direction does all that is asked, d is the primary gradient.

    `primary` is a task's name, or "" for the first. In a step without a label of it, the first of the others that has
    one takes its place. `tau` and `beta` are the authors' (https://github.com/DaraVaram/priority-constrained-descent).
    """
    if primary and primary not in tasks:
        raise UserError(f"pcd: primary is {primary!r}; expected one of the tasks {', '.join(tasks)}")
    if not 0 <= tau <= 1 or not 0 <= beta < 1:
        raise UserError(f"pcd: tau is {tau} and beta is {beta}; expected tau from 0 to 1, and beta from 0 to below 1")
    squares = variable([0.0] * len(tasks), "squared_lengths")
    steps = variable([0.0] * len(tasks), "steps")
    leads = [1.0 if task == (primary or tasks[0]) else 0.0 for task in tasks]

    def moved(step):
        """Return the averages (T,) of the squared lengths with those of this step."""
        rate = (1.0 - beta) / (1.0 - beta ** (steps.value + 1.0))
        return squares.value + rate * (ops.cast(ops.diagonal(step.gramian), "float32") - squares.value)

    def weigh(step):  # -> (T,)
        return in_numpy(lambda *arrays: _nearest(*arrays, tau), step, moved(step), ops.convert_to_tensor(leads))

    def update(step):
        squares.assign(moved(step))
        steps.assign(steps + 1.0)

    return Weighting("gramian", weigh, State([squares, steps]), update=update)


def _nearest(gramian: np.ndarray, squares: np.ndarray, leads: np.ndarray, tau: float) -> np.ndarray:
    """Return the weights (N,) of the direction, of a Gramian (N, N); the task with the largest of `leads` is primary.

    The shift x = d - g1 is the shortest with gj x >= bj, where bj = tau gj gj - gj g1. With E of all (gj, bj) and the
    u >= 0 that brings E u nearest to (0, ..., 0, 1), x is the sum of all uj gj over what is left of that 1 (Lawson and
    Hanson, Solving least squares problems, chapter 23, https://doi.org/10.1137/1.9781611971217).
    """
    scales = 1 / np.sqrt(squares + SMALLEST_SQUARE)
    scaled = gramian * np.outer(scales, scales)
    first = int(leads.argmax())
    others = np.delete(np.arange(len(scales)), first)
    weights = np.zeros(len(scales))
    weights[first] = 1.0
    bounds = (tau * np.diag(scaled) - scaled[first])[others]
    if bounds.max(initial=0.0) > 0:
        values, vectors = np.linalg.eigh(scaled)
        rows = (vectors * np.sqrt(np.maximum(values, 0.0)))[others]  # coordinates of the gradients
        found, _ = nnls(np.vstack([rows.T, bounds]), np.eye(len(scales) + 1)[-1])
        left = 1.0 - bounds @ found
        if left > 1e-9:  # else nothing does all that is asked
            weights[others] = found / left
    length = weights @ scaled @ weights
    # A direction of rounding errors is none.
    if length <= 1e-6 * (weights @ np.sqrt(np.diag(scaled))) ** 2:
        return np.zeros(len(scales))
    return weights * scales * np.sqrt(gramian[first, first] / length)
