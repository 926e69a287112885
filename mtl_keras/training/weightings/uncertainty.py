"""Weights from each task's learned uncertainty.

Source: Kendall, Gal and Cipolla, Multi-task learning using uncertainty to weigh losses for scene geometry and
semantics, 2018, https://arxiv.org/abs/1705.07115.
"""

from typing import Literal

from keras import ops

from mtl_keras.training.weightings.settings import check_above_0
from mtl_keras.training.weightings.weighting import State, Weighting, variable


def uncertainty(
    tasks: list[str],
    numbers: tuple[str, ...] = (),
    *,
    form: Literal["kind", "classification", "regression"] = "kind",
    speed: float = 1.0,
) -> Weighting:
    """Weigh a loss by exp(-s), or by exp(-s) / 2 if it is one of regression, and add s / 2.

    s = log(variance) is learned for each task, by the model's optimizer, from 0 on. These are the paper's forms for
    classification and for regression; by `form` "kind" tasks of `numbers` have the latter, and all others the former.
    Where s is best, the weight is 1 / (2 loss) in both.

    What the optimizer learns is s / `speed`. An optimizer such as Adam moves every variable by about its learning rate
    a step, so that at a rate for fine-tuning, s hardly leaves 0 within a few thousand steps; times `speed`, it does.
    """
    check_above_0("uncertainty: speed", speed)
    learned = variable([0.0] * len(tasks), "log_variances", trained=True)
    of_numbers = {"kind": numbers, "classification": (), "regression": tasks}[form]
    factors = [0.5 if task in of_numbers else 1.0 for task in tasks]

    def weigh(step):  # -> (T,)
        return ops.convert_to_tensor(factors, "float32") * ops.exp(-speed * learned)

    def penalty(present):
        return ops.sum(ops.where(present, speed * learned, 0.0)) / 2

    return Weighting("losses", weigh, State([learned]), penalty, reads_losses=False)
