"""Weights from each task's learned uncertainty.

Source: Kendall, Gal and Cipolla, Multi-task learning using uncertainty to weigh losses for scene geometry and
semantics, 2018, https://arxiv.org/abs/1705.07115.
"""

from typing import Literal

from keras import ops

from mtl_keras.training.weightings.weighting import State, Weighting, variable


def uncertainty(
    tasks: list[str],
    numbers: tuple[str, ...] = (),
    *,
    form: Literal["kind", "classification", "regression"] = "kind",
) -> Weighting:
    """Weigh a loss by exp(-s), or by exp(-s) / 2 if it is one of regression, and add s / 2.

    s = log(variance) is learned for each task, by the model's optimizer, from 0 on. These are the paper's forms for
    classification and for regression; by `form` "kind" tasks of `numbers` have the latter, and all others the former.
    Where s is best, the weight is 1 / (2 loss) in both.
    """
    log_variances = variable([0.0] * len(tasks), "log_variances", trained=True)
    of_numbers = {"kind": numbers, "classification": (), "regression": tasks}[form]
    factors = [0.5 if task in of_numbers else 1.0 for task in tasks]

    def weigh(step):  # -> (T,)
        return ops.convert_to_tensor(factors, "float32") * ops.exp(-log_variances)

    def penalty(present):
        return ops.sum(ops.where(present, log_variances, 0.0)) / 2

    return Weighting("losses", weigh, State([log_variances]), penalty, reads_losses=False)
