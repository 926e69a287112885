"""Weights on which the tasks would agree in a bargain about the step.

Source: Navon et al., Multi-task learning as a bargaining game, 2022, https://arxiv.org/abs/2202.01017.
"""

from functools import partial

import numpy as np
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.fairgrad import fair
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import State, Weighting, variable


def nash_mtl(tasks: list[str], *, max_norm: float = 1.0, update_every: int = 1) -> Weighting:
    """Weigh the gradients by the w > 0 for which G w = 1 / w, G being their Gramian.

    The combined gradient d makes sum_i log(g_i . d) largest; its length is sqrt(T), and at most `max_norm`, 0 being no
    bound. New weights are found every `update_every` steps. The paper finds them in up to 20 linearized programs, here
    they are exact.
    """
    if max_norm < 0:
        raise UserError(f"nash_mtl: max_norm is {max_norm}; expected a number of at least 0, 0 being none")
    if update_every < 1:
        raise UserError(f"nash_mtl: update_every is {update_every}; expected a number of steps of at least 1")
    clipped = partial(_clipped, max_norm=max_norm)
    if update_every == 1:
        return Weighting("gramian", lambda step: in_numpy(lambda gramian: clipped(gramian, fair(gramian, 1.0)), step))
    found, steps = variable([1.0] * len(tasks), "bargain"), variable(0, "steps")

    def bargain(gramian, found, steps):
        return found if steps[0] % update_every else fair(gramian, 1.0)

    def known():
        return found, ops.broadcast_to(steps, (len(tasks),))

    def weigh(step):  # -> (T,)
        return in_numpy(lambda gramian, *known: clipped(gramian, bargain(gramian, *known)), step, *known())

    def update(step):
        found.assign(in_numpy(bargain, step, *known()))
        steps.assign(steps + 1)

    return Weighting("gramian", weigh, State([found], [steps]), update=update)


def _clipped(gramian: np.ndarray, weights: np.ndarray, max_norm: float) -> np.ndarray:
    length = np.sqrt(max(weights @ gramian @ weights, 0.0))
    return weights * max_norm / length if length > max_norm > 0 else weights
