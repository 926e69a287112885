"""The stages of a training run, and in which group of a results table a row stands."""

import re
from collections.abc import Mapping
from enum import StrEnum


class Stage(StrEnum):
    """What a row of `runs.csv` tells of, as its column `stage` says it."""

    # An answer that ignores the image.
    BASELINE = "baseline"
    # Figures that others have published.
    REPORTED = "reported"
    # Heads trained on the features of a trunk that stays as it is.
    FROZEN = "frozen"
    # The whole network, trained on from given weights or from the heads of the frozen stage.
    FINE_TUNED = "fine-tuned"
    # The whole network, trained from random weights.
    TRAINED = "trained"
    # A network of which a loss became infinite or NaN in training: there is nothing to measure.
    DIVERGED = "diverged"


class Group(StrEnum):
    """The groups of rows, in the order in which tables and figures show them."""

    BASELINE = "baseline"
    REPORTED = "reported elsewhere"
    SINGLE_TASK = "single-task"
    MULTI_TASK = "multi-task"


GROUP_OF_STAGE = {Stage.BASELINE: Group.BASELINE, Stage.REPORTED: Group.REPORTED}


def group_of(row: Mapping) -> Group:
    """Return the group of a row of `runs.csv`: by its stage, or else by the number of its tasks."""
    return GROUP_OF_STAGE.get(row["stage"], Group.MULTI_TASK if is_multi_task(row) else Group.SINGLE_TASK)


def is_multi_task(row: Mapping) -> bool:
    """Return whether a row of `runs.csv` is of a network that learns several tasks."""
    return len(re.findall(r"\w+", str(row["tasks"]))) > 1
