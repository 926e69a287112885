"""What a weighting is: what it needs of the tasks, the weights that it makes of that, and what it keeps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import keras
from keras import ops


@keras.saving.register_keras_serializable("mtl_keras")
class State(keras.layers.Layer):
    """Variables of a weighting, each with one row a task: (T,) or (T, ...). They are saved with the model."""

    def __init__(self, variables: list[keras.Variable]):
        super().__init__(name="weighting_state")
        self.rows = variables


def per_task(start: list[float], name: str, trained: bool) -> keras.Variable:
    """Return a variable (T,) for the state of a weighting, which every replica holds alike.

    A `trained` one is changed by the model's optimizer.
    """
    start = ops.convert_to_tensor(start, "float32")
    return keras.Variable(start, name=name, trainable=trained, aggregation="only_first_replica")


@dataclass(frozen=True)
class Weighting:
    """A way to weigh T tasks against each other.

    `weigh(x, present)` gets what it `needs`, over all replicas, and which tasks have a label in this step, (T,) bool.
    Those that have none must not change the answer.

    - "losses": x (T,) are the tasks' losses, and the answer their weights (T,).
    - "gramian": x (T, T) are the dot products of the tasks' gradients at the variables that tasks share, and the answer
      weights (T,) of those gradients.
    - "gradients": x (T, P) are those gradients, and the answer what takes the place of their sum, (P,).

    It only reads the `state`. Trained variables of it follow the gradient of the weighted losses plus
    `penalty(present)`, a scalar that the loss contains too, as if the losses were constants. The others are changed by
    `update(losses, present)` after each training step. Rows of tasks without a label are put back in any case.
    """

    needs: Literal["losses", "gramian", "gradients"]
    weigh: Callable
    state: State | None = None
    penalty: Callable | None = None
    update: Callable | None = None

    def variables(self, trained: bool = False) -> list[keras.Variable]:
        """Return the variables of the state, all or those that the optimizer trains."""
        rows = self.state.rows if self.state else []
        return [variable for variable in rows if variable.trainable or not trained]

    def regularizer(self, present):
        """Return what the weighting adds to the weighted losses, a scalar."""
        return self.penalty(present) if self.penalty else 0.0

    def follow(self, losses, present, before: list) -> None:
        """Let the state follow a step, after which the tasks without a label have what stood `before`."""
        if self.update:
            self.update(losses, present)
        for variable, old in zip(self.variables(), before, strict=True):
            rows = ops.reshape(present, (-1, *[1] * (len(variable.shape) - 1)))
            variable.assign(ops.where(rows, variable.value, old))
