"""Weights that make the loss a smooth maximum of the tasks' losses.

Source: Lin et al., Smooth Tchebycheff scalarization for multi-objective optimization, 2024,
https://arxiv.org/abs/2402.19078.
"""

from keras import ops

from mtl_keras.training.weightings.geometric_mean import SMALLEST_LOSS
from mtl_keras.training.weightings.present import count, shares, softmax
from mtl_keras.training.weightings.settings import check_above_0, check_at_least_0, check_preference
from mtl_keras.training.weightings.weighting import State, Weighting, total, variable


def stch(
    tasks: list[str], *, mu: float = 1.0, preference: tuple[float, ...] | None = None, warm_up: int = 4
) -> Weighting:
    """Minimize T mu log(sum_i exp(p_i log(loss_i / nadir_i) / mu)), T being the number of tasks that are present.

    So its derivative weighs a loss by T p_i w_i / loss_i, w being the softmax of p log(loss / nadir) / mu. The nadir is
    a task's mean loss in the epoch after `warm_up` others; up to its end, the sum of log(loss) is minimized. A task
    without a label in that epoch has the last mean before it, else its first after it. p is the preference, scaled to a
    mean of 1. The paper's settings for multi-task learning are mu 1, 4 epochs, and a preference of all alike.

    Epochs are compared by the plain sum of the losses: what is minimized is another thing after the warm-up.
    """
    check_above_0("stch: mu", mu)
    check_at_least_0("stch: warm_up", warm_up)
    preferred = check_preference("stch: preference", preference, tasks)
    nadir, epochs = variable([0.0] * len(tasks), "nadir"), variable(0, "epochs")

    def weigh(step):  # -> (T,)
        losses, tasks_present = ops.maximum(step.losses, SMALLEST_LOSS), count(step.present)
        slopes = ops.where(step.present, 1 / losses, 0.0)  # of log(loss)
        parts = tasks_present * shares(ops.convert_to_tensor(preferred, "float32"), step.present)
        ratios = ops.where(nadir.value > 0, losses / ops.maximum(nadir.value, SMALLEST_LOSS), 1.0)
        smooth = tasks_present * parts * softmax(parts * ops.log(ratios) / mu, step.present)
        return slopes * ops.where(epochs.value > warm_up, smooth, 1.0)

    def end_epoch(losses, present):
        nadir.assign(ops.where((epochs.value <= warm_up) | (nadir.value <= 0), losses, nadir.value))
        epochs.assign(epochs.value + 1)

    return Weighting("losses", weigh, State([nadir], [epochs]), end_epoch=end_epoch, objective=total)
