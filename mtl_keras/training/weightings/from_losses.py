"""Weights of the tasks from their losses."""

import math

from keras import ops

from mtl_keras.errors import UserError


def equal(names: list[str]):
    """Weigh every task 1."""

    def weights(losses):  # (T,) -> (T,)
        return ops.ones_like(losses)

    return weights


def fixed(names: list[str], by_task: dict[str, float]):
    """Weigh every task as `by_task` says; a task that it leaves out, or does not know, is an error."""
    if set(by_task) != set(names) or not all(0 <= weight < math.inf for weight in by_task.values()):
        raise UserError(
            f"loss weights {by_task}: expected one weight of at least 0 for each of the tasks {', '.join(names)}"
        )
    constant = [float(by_task[name]) for name in names]

    def weights(losses):  # (T,) -> (T,)
        return ops.convert_to_tensor(constant, losses.dtype)

    return weights
