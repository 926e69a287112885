"""What a weighting is: what it needs of the tasks, the weights that it makes of that, and what it keeps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import keras
from keras import ops


class Step(NamedTuple):
    """What a weighting is told of a training step about T tasks, over all replicas.

    `losses` (T,) are the tasks' mean losses, and `present` (T,) says which of them have a label in this step. Of
    `gramian` (T, T), the dot products of the tasks' gradients at what they share, and `gradients` (T, P), these
    gradients themselves, the one that the weighting needs is there. `update` is also told what `weigh` answered, and,
    where it is asked for, the losses `after` the step (T,), of the same examples.
    """

    losses: object
    present: object
    gramian: object = None
    gradients: object = None
    answer: object = None
    after: object = None


@keras.saving.register_keras_serializable("mtl_keras")
class State(keras.layers.Layer):
    """Variables of a weighting, saved with the model: `rows` have one row a task, (T,) or (T, ...), `whole` do not."""

    def __init__(self, rows: Sequence[keras.Variable] = (), whole: Sequence[keras.Variable] = ()):
        super().__init__(name="weighting_state")
        self.rows, self.whole = list(rows), list(whole)


def variable(start, name: str, trained: bool = False) -> keras.Variable:
    """Return a variable for the state of a weighting, which every replica holds alike, with the value `start`.

    A `trained` one is changed by the model's optimizer. It is of float32, or of int64 where `start` is an int.
    """
    dtype = "int64" if isinstance(start, int) else "float32"
    value = ops.convert_to_tensor(start, dtype)
    return keras.Variable(value, name=name, trainable=trained, aggregation="only_first_replica")


@dataclass(frozen=True)
class Weighting:
    """A way to weigh T tasks against each other.

    `weigh(step)` gets a `Step` and answers from what the weighting `needs`. Tasks without a label in this step must not
    change the answer.

    - "losses": weights (T,) of the tasks' losses.
    - "gramian": weights (T,) of the tasks' gradients at what they share.
    - "gradients": what takes the place of the sum of these gradients, (P,).

    With `halves`, a Gramian (2 T, 2 T) is of the gradients of the T tasks in the even ones of their labelled rows, then
    of those in the odd ones, each with the task's whole divisor, so that the two add up to the task's gradient; the
    weights are (2 T,) as well. A task is present where both halves label it.

    `weigh` only reads the `state`. Trained variables of it follow the gradient of the weighted losses plus
    `penalty(present)`, a scalar that the loss contains too, as if the losses were constants. The others are changed by
    `update(step)` after each training step, and by `end_epoch(losses, present)`, the means of all its steps, after each
    epoch. Rows of tasks without a label are put back in any case. With `looks_again`, the losses after the step are
    computed too, which takes another forward pass.

    `objective(losses, present)` is the scalar by which epochs are compared, in training and validation; without it
    that is the weighted sum of the losses and the penalty where weights are of losses, else their plain sum. A
    weighting whose weights change for another reason than what the model learns should give `total`.

    `reads_losses` is False where `weigh` does not look at this step's losses: the parts of an accumulated batch then
    take one backward pass each, not one a task.
    """

    needs: Literal["losses", "gramian", "gradients"]
    weigh: Callable
    state: State | None = None
    penalty: Callable | None = None
    update: Callable | None = None
    end_epoch: Callable | None = None
    objective: Callable | None = None
    halves: bool = False
    looks_again: bool = False
    reads_losses: bool = True

    def variables(self, trained: bool = False) -> list[keras.Variable]:
        """Return the variables of the state, all or those that the optimizer trains."""
        rows = [*self.state.rows, *self.state.whole] if self.state else []
        return [variable for variable in rows if variable.trainable or not trained]

    def regularizer(self, present):
        """Return what the weighting adds to the weighted losses, a scalar."""
        return self.penalty(present) if self.penalty else 0.0

    def worth(self, losses, present):
        """Return the scalar by which epochs of these mean losses (T,) are compared."""
        if self.objective:
            return self.objective(losses, present)
        if self.needs != "losses":
            return total(losses, present)
        return ops.sum(self.weigh(Step(losses, present)) * losses) + self.regularizer(present)

    def follow(self, step: Step, taken, before: list) -> None:
        """Let the state follow a step; what must not move has again what stood `before`, a value for each variable.

        Rows of tasks without a label do not move, and nothing does where the step was not `taken`, () bool.
        """
        # Where the tasks share nothing, no gradients were combined.
        if self.update and step.answer is not None:
            self.update(step)
        self.put_back(step.present, taken, before)

    def put_back(self, present, taken, before: list) -> None:
        """Give what must not move what stood `before`: rows of tasks not present, and all where a step is not taken."""
        for each, old in zip(self.variables(), before, strict=True):
            moves = taken
            if any(each is row for row in self.state.rows):
                moves = ops.reshape(present & taken, (-1, *[1] * (len(each.shape) - 1)))
            each.assign(ops.where(moves, each.value, old))


def total(losses, present):
    """Return the plain sum of the losses (T,), which is 0 for a task that is not present."""
    return ops.sum(losses)
