"""Weights that lower the held-out losses as far as the weighted training loss stays near its lowest.

Source: Ye, Lin, Cao, Zhang and Tsang, A first-order multi-gradient algorithm for multi-objective bi-level optimization,
2024, https://arxiv.org/abs/2401.09257.
"""

import numpy as np
from keras import ops
from scipy.optimize import minimize

from mtl_keras.training.weightings.adam import Adam
from mtl_keras.training.weightings.present import softmax
from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.settings import check_above_0
from mtl_keras.training.weightings.weighting import State, Weighting, variable

SMALL = 1e-8


def forum(
    tasks: list[str], *, rho: float = 0.1, step_size: float = 0.1, inner_steps: int = 5, rate: float = 0.001
) -> Weighting:
    """Combine the held-out gradients f_j and that of a penalty q, sum_j m_j f_j / |f_j| + n dq.

    Of a task's labelled rows the even ones are for training, the odd ones held out. The training loss is L = sum_i w_i
    loss_i, w = softmax(u). q = L - L', L' being L after `inner_steps` steps of `step_size`, the value function. m, on
    the simplex, and n' of at least 0 minimize |sum_j m_j f_j / |f_j| + n' dq|^2 / 2 - n' rho |dq|^2. m is averaged over
    the steps, with the share 1 / k^(3/4) for each new one in epoch k, and n = max(0, sum_j m_j (rho - dq^T f_j / |f_j|
    / |dq|^2)). u follows n dq by Adam of learning rate `rate`.

    dq is g = sum_i w_i g_i at what the tasks share, g_i being the gradients of the even rows. At u the paper takes the
    differences of the losses before and after the inner steps, of a copy of the network; here these are to first
    order, loss_i falling by inner_steps step_size g_i^T g, so that no copy is needed. The paper draws a second batch
    for the held-out gradients. The settings are the authors'.
    """
    for setting, value in (("rho", rho), ("step_size", step_size), ("inner_steps", inner_steps), ("rate", rate)):
        check_above_0(f"forum: {setting}", value)
    size, way = len(tasks), inner_steps * step_size
    logits, parts, adam = variable([0.0] * size, "logits"), variable([0.0] * size, "parts"), Adam(size, rate)
    epochs = variable(0, "epochs")

    def combined(gramian, logits, parts, share):
        """Return how much of each gradient goes into the step (2 T,), as NumPy."""
        count = len(logits)
        weights = np.exp(logits - logits.max())
        weights /= weights.sum()
        # A half has half of the divisor: its gradients are twice their rows.
        training = 4 * gramian[:count, :count]
        norms = np.maximum(np.sqrt(np.diagonal(gramian)[count:]), SMALL)
        held_out = gramian[count:, count:] / np.outer(norms, norms)
        across = 2 * gramian[count:, :count] @ weights / norms  # dq^T f_j / |f_j|
        falls = way * training @ weights
        slopes = weights * (falls - weights @ falls)  # dq at u
        square = weights @ training @ weights + slopes @ slopes
        parts = (1 - share) * parts + share * _least(held_out, across, square, rho)
        parts /= parts.sum()
        penalty = max(parts @ (rho - across / square), 0) if square > SMALL**2 else 0.0
        return np.concatenate([2 * penalty * weights, parts / norms])

    def weigh(step):  # -> (2 T,)
        share = ops.cast(epochs.value + 1, "float32") ** -0.75
        others = (logits.value, parts.value, share * ops.ones(size))
        return in_numpy(combined, step, *others)

    def update(step):
        # What was solved for is in what `weigh` answered.
        penalty = ops.sum(step.answer[:size]) / 2
        norms = ops.maximum(ops.sqrt(ops.maximum(ops.diagonal(step.gramian)[size:], 0.0)), SMALL)
        weights = softmax(logits.value, step.present)
        falls = way * 4 * ops.matmul(step.gramian[:size, :size], weights)
        gradient = penalty * weights * (falls - ops.sum(weights * falls))
        parts.assign(step.answer[size:] * norms)
        logits.assign(logits.value + adam.change(gradient))

    def end_epoch(losses, present):
        epochs.assign(epochs.value + 1)

    state = State([logits, parts, *adam.rows], [epochs])
    return Weighting("gramian", weigh, state, update=update, end_epoch=end_epoch, halves=True)


def _least(held_out: np.ndarray, across: np.ndarray, square: float, rho: float) -> np.ndarray:
    """Return the m (T,) of the program above, of the products of unit gradients and these with dq."""
    count, length = len(across), np.sqrt(max(square, SMALL**2))
    products = np.block([[held_out, across[:, None] / length], [across[None] / length, np.ones((1, 1))]])
    found = minimize(
        lambda x: x @ products @ x / 2 - rho * length * x[-1],
        np.append(np.full(count, 1 / count), 0.0),
        jac=lambda x: products @ x - rho * length * np.append(np.zeros(count), 1.0),
        bounds=[(0, 1)] * count + [(0, None)],
        constraints={"type": "eq", "fun": lambda x: x[:-1].sum() - 1, "jac": lambda x: np.append(np.ones(count), 0.0)},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 200},
    )
    return np.maximum(found.x[:-1], 0) / np.maximum(found.x[:-1], 0).sum()
