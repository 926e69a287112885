"""Weights that lower the preferred sum of the losses, and turn them towards the preference.

Source: Ruchte and Grabocka, Scalable Pareto front approximation for deep multi-objective learning, 2021,
https://arxiv.org/abs/2103.13392.
"""

from keras import ops

from mtl_keras.training.weightings.present import shares
from mtl_keras.training.weightings.settings import check_at_least_0, check_preference
from mtl_keras.training.weightings.weighting import Weighting


def cosmos(tasks: list[str], *, penalty: float = 2.0, preference: tuple[float, ...] | None = None) -> Weighting:
    """Minimize p^T l - penalty cos(p, l) of the losses l, p being the preference, which adds up to 1.

    The weights are the derivatives p_i - penalty (p_i / (|p| |l|) - cos(p, l) l_i / |l|^2); where a loss is too large
    beside the others it weighs more, and where it is too small its weight may be negative. The paper's penalties are 2
    to 8 for pairs of pictures and 0.01 for tables; all are preferred alike by default. It also draws the preference
    anew in each step and shows it to the network, which then has a Pareto front in it; here it is one for the training.
    """
    check_at_least_0("cosmos: penalty", penalty)
    preferred = check_preference("cosmos: preference", preference, tasks)

    def known(losses, present):
        """Return the preference (T,), its direction (T,), that of the losses (T,), and the losses' length."""
        wanted, losses = shares(ops.convert_to_tensor(preferred, "float32"), present), ops.where(present, losses, 0.0)
        length = ops.norm(losses)
        return wanted, wanted / ops.maximum(ops.norm(wanted), 1e-30), losses / ops.maximum(length, 1e-30), length

    def weigh(step):  # -> (T,)
        wanted, direction, found, length = known(step.losses, step.present)
        turn = direction - ops.sum(direction * found) * found
        return wanted - penalty * ops.where(length > 0, turn / ops.maximum(length, 1e-30), 0.0)

    def objective(losses, present):
        wanted, direction, found, length = known(losses, present)
        return ops.sum(wanted * found) * length - penalty * ops.sum(direction * found)

    return Weighting("losses", weigh, objective=objective)
