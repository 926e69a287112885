"""Weights of the tasks' losses that stay as they are."""

import math
from numbers import Real

from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.weighting import Weighting


def equal(tasks: list[str]) -> Weighting:
    """Weigh every task 1."""

    def weigh(step):  # -> (T,)
        return ops.ones_like(step.losses)

    return Weighting("losses", weigh, reads_losses=False)


def _is_weight(value) -> bool:
    return isinstance(value, Real) and 0 <= value < math.inf


def fixed(tasks: list[str], by_task: dict[str, float]) -> Weighting:
    """Weigh every task as `by_task` says; a task that it leaves out, or does not know, is an error."""
    if set(by_task) != set(tasks) or not all(_is_weight(weight) for weight in by_task.values()):
        raise UserError(
            f"loss weights {by_task}: expected one weight of at least 0 for each of the tasks {', '.join(tasks)}"
        )
    constant = [float(by_task[task]) for task in tasks]

    def weigh(step):  # -> (T,)
        return ops.convert_to_tensor(constant, step.losses.dtype)

    return Weighting("losses", weigh, reads_losses=False)
