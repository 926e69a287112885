"""Kinds of tasks, one file each: how labels are written and encoded, the head, the loss, the metrics, the answer."""

import re
from functools import cache

from mtl_keras import tasks
from mtl_keras.errors import UserError
from mtl_keras.kinds.angle import GEODESIC, Angle
from mtl_keras.kinds.categorical import Categorical
from mtl_keras.kinds.expectation import Expectation
from mtl_keras.kinds.kind import WITHIN_INTERVAL, Kind, Metric, cumulative_score
from mtl_keras.kinds.ordinal import Ordinal
from mtl_keras.kinds.regression import Regression
from mtl_keras.tasks import Task

KINDS: dict[str, type[Kind]] = {
    "angle": Angle,
    "categorical": Categorical,
    "expectation": Expectation,
    "ordinal": Ordinal,
    "regression": Regression,
}
# Those of every task of a kind, and those of some tasks or labels.
METRICS = {
    metric.name: metric
    for metric in (*(metric for kind in KINDS.values() for metric in kind.METRICS), GEODESIC, WITHIN_INTERVAL)
}
# Names of the metrics that are shown while training.
SCORES = {kind.SCORE.name for kind in KINDS.values()}
# How columns end that hold answers, and those of names of classes.
CLASSES = tuple({kind.ANSWERS[0] for kind in KINDS.values() if kind.names})
ANSWERS = tuple(dict.fromkeys(ending for kind in KINDS.values() for ending in kind.ANSWERS))


@cache
def kind_of(task: Task) -> Kind:
    """Return a task as its kind knows it; an unknown kind, or a task that lacks what its kind needs, is an error."""
    if task.kind not in KINDS:
        raise UserError(f"task {task.name!r}: kind {task.kind!r} is unknown; expected one of {', '.join(KINDS)}")
    return KINDS[task.kind](task)


def add_task(task: Task) -> Task:
    """Enter a task of one's own as `mtl_keras.tasks.add_task` does, once its kind has found all that it needs."""
    kind_of(task)
    return tasks.add_task(task)


def metric_of(column: str) -> Metric:
    """Return the metric of a column of figures, such as "age.rmse", "head_pose.yaw_mae" or "age.cs5"."""
    name = column.rpartition(".")[2]
    if name in METRICS:
        return METRICS[name]
    if match := re.fullmatch(r"cs(\d+)(?:_(\d+))?", name):
        return cumulative_score(float(f"{match[1]}.{match[2] or 0}"))
    output, _, base = name.rpartition("_")
    if not output or base not in METRICS:
        raise UserError(f"figure {column!r} has the unknown metric {name!r}; expected one of {', '.join(METRICS)}")
    return METRICS[base].of_output(output)
