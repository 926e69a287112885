"""Adam for values of a weighting that its own rule moves, one value a task.

Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015, https://arxiv.org/abs/1412.6980.
"""

from keras import ops

from mtl_keras.training.weightings.weighting import variable

FIRST, SECOND, SMALL = 0.9, 0.999, 1e-8


class Adam:
    """Adam of T values, whose `rows` belong into the state: two moments, and how many steps each task has taken.

    So a task that is absent stands still, and goes on as if there had been no step.
    """

    def __init__(self, tasks: int, rate: float):
        self.rate = rate
        self.rows = [variable([0.0] * tasks, name) for name in ("mean", "square", "steps")]

    def change(self, gradient):
        """Follow a gradient (T,), and return what it adds to the values (T,)."""
        rows = [row.value for row in self.rows]
        mean = FIRST * rows[0] + (1 - FIRST) * gradient
        square = SECOND * rows[1] + (1 - SECOND) * ops.square(gradient)
        steps = rows[2] + 1
        for row, value in zip(self.rows, (mean, square, steps), strict=True):
            row.assign(value)
        mean, square = mean / (1 - FIRST**steps), square / (1 - SECOND**steps)
        return -self.rate * mean / (ops.sqrt(square) + SMALL)
