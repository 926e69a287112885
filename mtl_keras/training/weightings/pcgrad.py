"""Gradients without the parts in which they work against each other.

Source: Yu et al., Gradient surgery for multi-task learning, 2020, https://arxiv.org/abs/2001.06782.
"""

from keras import ops

from mtl_keras.training.weightings.weighting import Weighting


def pcgrad(tasks: list[str]) -> Weighting:
    """Take from each task's gradient its part against each other task's, one after the other, and add up what is left.

    The paper draws the order of the other tasks anew each time; here it is that of their names, so that a run can be
    repeated whatever the order in which tasks are given.
    """
    order = sorted(range(len(tasks)), key=lambda index: tasks[index])

    def weigh(step):  # -> (P,)
        gradients = ops.where(ops.expand_dims(step.present, -1), step.gradients, 0.0)
        squares = ops.sum(ops.square(gradients), axis=-1)  # (T,)
        combined = ops.zeros_like(gradients[0])
        for task in order:
            rest = gradients[task]
            for other in order:
                if other != task:
                    against = ops.minimum(ops.sum(rest * gradients[other]), 0.0)
                    rest = rest - ops.where(squares[other] > 0, against / squares[other], 0.0) * gradients[other]
            combined = combined + rest
        return combined

    return Weighting("gradients", weigh)
