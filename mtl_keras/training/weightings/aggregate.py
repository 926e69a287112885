"""The gradient that a weighting makes of those of several tasks, outside of any training."""

import numpy as np

from mtl_keras.errors import UserError
from mtl_keras.training.weightings import find
from mtl_keras.training.weightings.weighting import Step


def aggregate(name: str, jacobian, losses=None, **settings) -> np.ndarray:
    """Return what a weighting makes of the tasks' gradients, (P,), at the first step of training.

    `jacobian` (T, P) has one task's gradient a row. `name` is one of WEIGHTINGS, and `settings` are its own. `losses`
    (T,) are needed only by weightings that look at them.
    """
    jacobian = np.asarray(jacobian, "float64")
    if jacobian.ndim != 2 or not len(jacobian) or not np.isfinite(jacobian).all():
        raise UserError(f"jacobian of shape {jacobian.shape}: expected finite numbers, (tasks, parameters)")
    tasks = [f"task_{number}" for number in range(len(jacobian))]
    weighting = find(name, tasks, lambda: jacobian.shape[1], settings=settings)
    if weighting.needs == "losses" and losses is None:
        raise UserError(f"{name} weighs losses: give `losses`, one for each of the {len(tasks)} rows of the jacobian")
    # As in training; only small programs of the Gramian compute in float64.
    losses = np.asarray(np.ones(len(tasks)) if losses is None else losses, "float32")
    if losses.shape != (len(tasks),):
        raise UserError(f"losses of shape {losses.shape}: expected one for each row of the jacobian, ({len(tasks)},)")
    present = np.ones(len(tasks), bool)
    # Two halves of a batch that are alike: each has half of the gradient.
    rows = np.concatenate([jacobian, jacobian]) / 2 if weighting.halves else jacobian
    if weighting.needs == "gradients":
        return np.asarray(weighting.weigh(Step(losses, present, gradients=rows.astype("float32"))), "float64")
    gramian = rows @ rows.T if weighting.needs == "gramian" else None
    weights = np.asarray(weighting.weigh(Step(losses, present, gramian)), "float64")
    return weights @ rows
