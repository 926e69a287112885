"""The shortest combined gradient that stays near a wanted direction, from two samples of the tasks' gradients.

Source: Xiao, Ban and Ji, Direction-oriented multi-objective learning: simple and provable stochastic algorithms, 2023,
https://arxiv.org/abs/2305.18409.
"""

import numpy as np
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.preference import preferences, shares
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.simplex import onto_simplex
from mtl_keras.training.weightings.weighting import State, Weighting, variable


def sdmgrad(
    tasks: list[str],
    *,
    regularization: float = 0.3,
    steps: int = 20,
    learning_rate: float = 0.5,
    momentum: float = 0.5,
    preference: tuple[float, ...] = (),
) -> Weighting:
    """Combine the gradients to (sum_i w_i g_i + l g_0) / (1 + l), l being `regularization` and g_0 = sum_i p_i g_i.

    w >= 0, with sum 1, makes |g_w + l g_0| small: it goes on from that of the last step, by `steps` steps of projected
    gradient descent. Their gradient A (w + l p) is without bias, A = J_1 J_2' being of the gradients of two halves of
    the batch; it is divided by the square of mean_i sqrt(A_ii). p are shares of 1, alike if not given. TorchJD
    has a `learning_rate` of 10, with which weights jump between corners, and rounding decides between which.
    """
    _check(regularization, steps, learning_rate, momentum)
    counts, size = preferences("sdmgrad: preference", preference, tasks), len(tasks)
    weights = variable([1 / size] * size, "weights")

    def solved(gramian, weights, preference):
        half, target = len(weights), regularization * shares(preference)
        products, everyone = _scaled(gramian[:half, half:]), np.ones(half, bool)
        weights, velocity = onto_simplex(weights, everyone, np), 0.0
        for _ in range(steps):
            velocity = momentum * velocity + products @ (weights + target)
            weights = onto_simplex(weights - learning_rate * velocity, everyone, np)
        return np.tile((weights + target) / (1 + regularization), 2)

    def weigh(step):  # -> (2 T,)
        return in_numpy(solved, step, weights, counts)

    def update(step):
        wanted = ops.cast(counts, "float32") * ops.cast(step.present, "float32")
        wanted = wanted / ops.maximum(ops.sum(wanted), 1e-12)
        answer = ops.cast(step.answer[:size], "float32")
        weights.assign((1 + regularization) * answer - regularization * wanted)

    return Weighting("gramian", weigh, State([weights]), update=update, halves=True)


def _check(regularization: float, steps: int, learning_rate: float, momentum: float) -> None:
    for name, value, fit, expected in (
        ("regularization", regularization, regularization >= 0, "a number of at least 0"),
        ("steps", steps, steps >= 1, "a number of steps of at least 1"),
        ("learning_rate", learning_rate, learning_rate > 0, "a number above 0"),
        ("momentum", momentum, 0 <= momentum < 1, "a number from 0 to below 1"),
    ):
        if not fit:
            raise UserError(f"sdmgrad: {name} is {value}; expected {expected}")


def _scaled(products: np.ndarray) -> np.ndarray:
    """Return products (N, N) of which the mean root of the diagonal is 1, if any of it is above 0."""
    return products / (np.mean(np.sqrt(np.maximum(np.diagonal(products), 0.0))) ** 2 or 1.0)
