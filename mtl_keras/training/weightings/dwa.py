"""Weights by how slowly each task's loss falls from epoch to epoch.

Source: Liu, Johns and Davison, End-to-end multi-task learning with attention, 2019, https://arxiv.org/abs/1803.10704.
"""

from keras import ops

from mtl_keras.training.weightings.present import count, softmax
from mtl_keras.training.weightings.settings import check_above_0
from mtl_keras.training.weightings.weighting import State, Weighting, total, variable


def dwa(tasks: list[str], *, temperature: float = 2.0) -> Weighting:
    """Weigh task i by T exp(r_i / temperature) / sum_j exp(r_j / temperature): dynamic weight average.

    r_i is the mean loss of the last epoch divided by that of the one before it, and 1 until a task has had labels in
    two epochs. T is the number of tasks that are present. The paper's temperature is 2.
    """
    check_above_0("dwa: temperature", temperature)
    last, before = (variable([0.0] * len(tasks), name) for name in ("last_losses", "losses_before"))

    def weigh(step):  # -> (T,)
        known = before.value > 0
        ratios = ops.where(known, last / ops.where(known, before.value, 1.0), 1.0)
        return count(step.present) * softmax(ratios / temperature, step.present)

    def end_epoch(losses, present):
        before.assign(last.value)
        last.assign(losses)

    return Weighting("losses", weigh, State([last, before]), end_epoch=end_epoch, objective=total, reads_losses=False)
