"""What a model's answers are worth: metrics with intervals, and paired differences."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from mtl_keras.data.table import bounds, encode, encode_intervals
from mtl_keras.errors import UserError
from mtl_keras.evaluation.predictions import labels_and_answers, predictions
from mtl_keras.kinds import kind_of
from mtl_keras.kinds.kind import WITHIN_INTERVAL
from mtl_keras.tasks import Task
from mtl_keras.training.model import MultiTaskModel

RESAMPLES = 1000


def metrics_with_intervals(
    answered_table: pd.DataFrame, tasks: Iterable[Task], resamples: int = RESAMPLES
) -> dict[str, float]:
    """Return {"age.mae": ..., "age.mae.low": ..., "age.mae.high": ..., "age.n": ...}: metrics with 95 % intervals.

    The bounds are percentiles over bootstrap samples of the images (Efron, 1979), the same samples at each call.
    Where some labels are intervals (`mtl_keras.intervals`), "age.within_interval" is the share of the answers about
    them that lie within, and "age.within_interval.n" their number.
    """
    result = {}
    for task in tasks:
        measure = kind_of(task).measure
        labels, answer, mask = labels_and_answers(answered_table, task)
        samples = pd.DataFrame([measure(labels[i], answer[i], mask[i]) for i in _resampled(len(mask), resamples)])
        for metric, value in measure(labels, answer, mask).items():
            result[f"{task.name}.{metric}"] = value
            if metric != "n" and resamples:
                low, high = np.nanpercentile(samples[metric], [2.5, 97.5]) if mask.any() else (np.nan, np.nan)
                result |= {f"{task.name}.{metric}.low": float(low), f"{task.name}.{metric}.high": float(high)}
        result |= _within_intervals(bounds(answered_table, task), answer, mask, task, resamples)
    return result


def _within_intervals(
    ends: np.ndarray | None, answer: np.ndarray, mask: np.ndarray, task: Task, resamples: int
) -> dict[str, float]:
    """Return the share of answers within their intervals, where some labels of a task are such, with its bounds."""
    if ends is None:
        return {}
    given = np.isfinite(ends).any(axis=1) & (mask == 0)
    hits, name = kind_of(task).within(ends[given], answer[given]), f"{task.name}.{WITHIN_INTERVAL.name}"
    if not len(hits):
        return {}
    found = {name: float(hits.mean()), f"{name}.n": len(hits)}
    if resamples:
        samples = [hits[i].mean() for i in _resampled(len(hits), resamples)]
        low, high = np.percentile(samples, [2.5, 97.5])
        found |= {f"{name}.low": float(low), f"{name}.high": float(high)}
    return found


def _resampled(count: int, resamples: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(0)
    for _ in range(resamples):
        yield generator.integers(0, count, count)


def differences(first: pd.DataFrame, second: pd.DataFrame, task: Task) -> list[dict]:
    """Return {"metric", "difference", "low", "high"} for each metric: first minus second, on the same images.

    Both are resampled together, so that an image that is hard for both does not widen the interval.
    """
    first, second = (table[encode(table, task)[1] > 0] for table in (first, second))
    if first["path"].tolist() != second["path"].tolist():
        raise UserError("paired differences need the same labelled images in the same order in both tables")
    labels, answer, mask = labels_and_answers(first, task)
    other, measure = labels_and_answers(second, task)[1], kind_of(task).measure

    def minus(rows):
        ours, theirs = (measure(labels[rows], given[rows], mask[rows]) for given in (answer, other))
        return {metric: ours[metric] - theirs[metric] for metric in ours if metric != "n"}

    samples = pd.DataFrame([minus(rows) for rows in _resampled(len(mask), RESAMPLES)])
    ends = {metric: np.nanpercentile(samples[metric], [2.5, 97.5]) for metric in samples}
    return [
        {"metric": f"{task.name}.{metric}", "difference": value, "low": ends[metric][0], "high": ends[metric][1]}
        for metric, value in minus(np.arange(len(mask))).items()
    ]


def evaluate(model: MultiTaskModel, table: pd.DataFrame, views: str = "one") -> pd.DataFrame:
    """Return a model's metrics on a label table: a row a metric, with its value and 95 % interval."""
    labelled = [task for task in model.tasks if encode_intervals(table, task)[1].any()]
    if not labelled:
        names = ", ".join(task.name for task in model.tasks)
        raise UserError(f"no row of the table has a label of any task of this model ({names}); expected at least one")
    return as_table(metrics_with_intervals(predictions(model, table, views=views), labelled))


def as_table(found: dict[str, float]) -> pd.DataFrame:
    """Return what `metrics_with_intervals` gives as a table with a row a metric: `n`, `value`, `low`, `high`.

    A metric that no image has a label for has no row.
    """
    metrics = [name for name in found if name.count(".") == 1 and not name.endswith(".n")]
    counts = {name: int(found.get(f"{name}.n", found[f"{name.split('.')[0]}.n"])) for name in metrics}
    rows = {
        name: {
            "n": counts[name],
            "value": found[name],
            "low": found.get(f"{name}.low"),
            "high": found.get(f"{name}.high"),
        }
        for name in metrics
        if counts[name]
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")
