"""Weights that are learned from the losses of held-out examples: Auto-lambda.

Source: Liu, James, Davison and Johns, Auto-lambda: disentangling dynamic task relationships, 2022,
https://arxiv.org/abs/2202.03091.
"""

from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.adam import Adam
from mtl_keras.training.weightings.settings import check_above_0
from mtl_keras.training.weightings.weighting import State, Weighting, variable


def auto_lambda(
    tasks: list[str], *, primary: tuple[str, ...] | None = None, start: float = 0.1, rate: float = 0.0001
) -> Weighting:
    """Weigh by w, which lowers the held-out losses of the `primary` tasks, all by default, after a step on the others.

    Of a task's labelled rows the even ones are for training, the odd ones held out. A step of size a on sum_i w_i
    loss_i changes the held-out loss j by -a g_j^T g_i for each unit of w_i, to first order, g_i being a gradient of the
    even rows and g_j one of the odd ones. w follows sum_j of this by Adam of learning rate `rate`, which is the same
    for any a, and is not below 0; the step itself is on all rows, weighed by w.

    The paper differentiates through a step of a copy of the network, by finite differences, and takes g_j after it, of
    a second batch: what that adds is of second order in a. `start` and `rate` are the paper's.
    """
    check_above_0("auto_lambda: start", start)
    check_above_0("auto_lambda: rate", rate)
    primary, size = tasks if primary is None else primary, len(tasks)
    if not primary or set(primary) - set(tasks):
        raise UserError(f"auto_lambda: primary is {'/'.join(primary)}; expected some of the tasks {', '.join(tasks)}")
    weights, adam = variable([start] * size, "weights"), Adam(size, rate)

    def weigh(step):  # -> (2 T,)
        return ops.tile(ops.where(step.present, weights.value, 0.0), 2)

    def update(step):
        helped = step.gramian[:size, size:]  # (training, held out)
        counts = ops.convert_to_tensor([float(task in primary) for task in tasks], "float32")
        gradient = -ops.sum(helped * ops.where(step.present, counts, 0.0), axis=1)
        weights.assign(ops.maximum(weights.value + adam.change(gradient), 0.0))

    return Weighting("gramian", weigh, State([weights, *adam.rows]), update=update, halves=True)
