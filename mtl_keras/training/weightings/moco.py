"""Weights from gradients that are followed over the steps, so that the noise of a batch does not bend them.

Source: Fernando et al., Mitigating gradient bias in multi-objective learning: a provably convergent approach, 2023,
https://arxiv.org/abs/2210.12624.
"""

from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.simplex import onto_simplex, share_of_present
from mtl_keras.training.weightings.weighting import State, Weighting, variable


def moco(
    tasks: list[str],
    size: int,
    *,
    beta: float = 0.5,
    gamma: float = 0.1,
    rho: float = 0.0,
    sigma: float = 0.5,
) -> Weighting:
    """Follow each task's gradient g by y (P,), and weigh the y by w, which moves towards their shortest combination.

    In step k of a task its y becomes y - b (y - g), and then w becomes the point of the simplex that is nearest to
    w - c (Y Y^T + rho I) w, where Y (T, P) holds the y, b = beta / k^sigma and c = gamma / k^sigma. The step is Y^T w.
    y starts at 0 and w at 1 / T. The settings are those of LibMTL, which scales the gradients by their losses as well;
    as in the paper that is not done here. The state has as many values as T times the shared parameters.
    """
    for name, value, most in (("beta", beta, 1), ("gamma", gamma, None), ("rho", rho, None), ("sigma", sigma, None)):
        if not 0 <= value <= (value if most is None else most):
            expected = "of at least 0" if most is None else f"from 0 to {most}"
            raise UserError(f"moco: {name} is {value}; expected a number {expected}")
    followed = variable(ops.zeros((len(tasks), size)), "followed_gradients")
    weights = variable([1 / len(tasks)] * len(tasks), "weights")
    steps = variable([0.0] * len(tasks), "steps")

    def moved(step):
        """Return the followed gradients (T, P) and shares (T,) after this step, and the weight that is shared."""
        decay = (steps.value + 1.0) ** -sigma  # (T,)
        rate = ops.expand_dims(beta * decay, -1)
        rows = followed.value + rate * (ops.cast(step.gradients, "float32") - followed.value)
        rows = ops.where(ops.expand_dims(step.present, -1), rows, 0.0)
        share, total = share_of_present(weights.value, step.present)
        along = ops.matmul(rows, ops.matmul(share, rows)) + rho * share  # (T,)
        return rows, onto_simplex(share - gamma * decay * along, step.present), total

    def weigh(step):  # -> (P,)
        rows, share, _ = moved(step)
        return ops.matmul(share, rows)

    def update(step):
        rows, share, total = moved(step)
        followed.assign(rows)
        weights.assign(total * share)
        steps.assign(steps + 1.0)

    return Weighting("gradients", weigh, State([followed, weights, steps]), update=update)
