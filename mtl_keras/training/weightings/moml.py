"""Weights that lower the held-out losses of all tasks: multi-objective meta learning.

Source: Ye et al., Multi-objective meta learning, 2021, https://arxiv.org/abs/2102.07121.
"""

from keras import ops

from mtl_keras.training.weightings.adam import Adam
from mtl_keras.training.weightings.mgda import mgda
from mtl_keras.training.weightings.present import softmax
from mtl_keras.training.weightings.settings import check_above_0
from mtl_keras.training.weightings.weighting import State, Step, Weighting, variable

# The part of the longest slope below which their shortest combination is 0.
NO_SLOPE = 1e-3


def moml(tasks: list[str], *, rate: float = 0.001) -> Weighting:
    """Weigh by w = softmax(u), where u lowers every task's held-out loss after a step on the others.

    Of a task's labelled rows the even ones are for training, the odd ones held out. A step of size a on sum_i w_i
    loss_i changes the held-out loss j by -a g_j^T g_i for each unit of w_i, to first order, g_i being a gradient of the
    even rows and g_j one of the odd ones. That gives one gradient at u for each held-out loss. u follows their shortest
    convex combination by Adam of learning rate `rate`, which is the same for any a; the step itself is on all rows,
    weighed by w.

    The paper differentiates through a step of a copy of the network, and takes g_j after it, of a second batch: what
    that adds is of second order in a. `rate` is the authors'.
    """
    check_above_0("moml: rate", rate)
    size, shortest = len(tasks), mgda(tasks)
    logits, adam = variable([0.0] * size, "logits"), Adam(size, rate)

    def weigh(step):  # -> (2 T,)
        return ops.tile(softmax(logits.value, step.present), 2)

    def update(step):
        weights = softmax(logits.value, step.present)
        slopes = -step.gramian[size:, :size]  # (held out, training)
        slopes = weights * (slopes - ops.sum(weights * slopes, axis=1, keepdims=True))
        products = ops.matmul(slopes, ops.transpose(slopes))
        parts = shortest.weigh(Step(step.losses, step.present, products))
        gradient = ops.matmul(parts, slopes)
        # Where no weights are better for all, what is left is rounding, of which Adam would make a whole step.
        longest = ops.sqrt(ops.max(ops.diagonal(products)))
        gradient = ops.where(ops.norm(gradient) > NO_SLOPE * longest, gradient, 0.0)
        logits.assign(logits.value + adam.change(gradient))

    return Weighting("gramian", weigh, State([logits, *adam.rows]), update=update, halves=True)
