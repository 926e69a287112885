"""A model's answers on a label table, and what they are worth: with intervals, by group, and against another model."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np
import pandas as pd

from mtl_keras.data.table import encode
from mtl_keras.errors import UserError
from mtl_keras.features import image_batches
from mtl_keras.metrics import answers, measure
from mtl_keras.tasks import Task
from mtl_keras.trainer import MultiTaskModel

AGE_BANDS = (0, 10, 20, 30, 40, 50, 60, 117)
GROUPS = ("gender", "ethnicity", "age_band")
RESAMPLES = 1000
# Ways to look at an image, as (mirrored, how many times as far away), over which answers can be averaged. Of zooms by
# 10 and 20 % and rotations by 8 degrees these were best on the validation split of UTKFace.
VIEWS = {
    "one": ((False, 1.0),),
    "mirror": ((False, 1.0), (True, 1.0)),
    "six": tuple((flip, zoom) for zoom in (1.0, 0.9, 1.1) for flip in (False, True)),
}


def predictions(model: MultiTaskModel, table: pd.DataFrame, batch_size: int = 64, views: str = "one") -> pd.DataFrame:
    """Return the table's rows with the model's answers: `age.value`, `age.std`, `gender.class`, `gender.probability`.

    With the `views` "mirror" or "six" each answer is the mean over several looks at the image, which take as many times
    as long.
    """
    if views not in VIEWS:
        raise UserError(f"unknown views {views!r}; expected one of {', '.join(VIEWS)}")
    seen = [
        model.predict(image_batches(model, table, batch_size, flip, zoom), verbose="auto")
        for flip, zoom in VIEWS[views]
    ]
    return answered(table, model.tasks, {name: np.mean([one[name] for one in seen], axis=0) for name in seen[0]})


def answered(table: pd.DataFrame, tasks: Iterable[Task], outputs: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return a copy of the table with the answers that the heads' outputs {task: (N, K)} stand for."""
    table = table.reset_index(drop=True)
    for task in tasks:
        output = np.asarray(outputs[task.name], np.float32)
        answer = keras.ops.convert_to_numpy(answers(task, output))
        if task.kind == "categorical":
            table[f"{task.name}.class"] = np.array(task.classes)[answer]
            table[f"{task.name}.probability"] = output.max(axis=-1)
            continue
        for index, column in enumerate(task.columns):
            table[f"{column}.value"] = answer[:, index] if task.outputs else answer
        if task.kind == "expectation":
            values = np.asarray(task.values)
            variance = output @ values**2 - (output @ values) ** 2
            table[f"{task.name}.std"] = np.sqrt(np.maximum(variance, 0))
    return table


def _pair(answered_table: pd.DataFrame, task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a task's labels, answers and mask as `mtl_keras.metrics.measure` takes them."""
    labels, mask = encode(answered_table, task)
    if task.kind == "categorical":
        index = {name: number for number, name in enumerate(task.classes)}
        return labels, answered_table[f"{task.name}.class"].map(index).to_numpy(int), mask
    values = answered_table[[f"{column}.value" for column in task.columns]].to_numpy(np.float32)
    return labels, values if task.outputs else values[:, 0], mask


def figures(answered_table: pd.DataFrame, tasks: Iterable[Task], resamples: int = RESAMPLES) -> dict[str, float]:
    """Return {"age.mae": ..., "age.mae.low": ..., "age.mae.high": ..., "age.n": ...}: metrics with 95 % intervals.

    The bounds are percentiles over bootstrap samples of the images (Efron, 1979), the same samples at each call.
    """
    result = {}
    for task in tasks:
        labels, answer, mask = _pair(answered_table, task)
        samples = pd.DataFrame([measure(task, labels[i], answer[i], mask[i]) for i in _resampled(len(mask), resamples)])
        for metric, value in measure(task, labels, answer, mask).items():
            result[f"{task.name}.{metric}"] = value
            if metric != "n" and resamples:
                low, high = np.nanpercentile(samples[metric], [2.5, 97.5]) if mask.any() else (np.nan, np.nan)
                result |= {f"{task.name}.{metric}.low": float(low), f"{task.name}.{metric}.high": float(high)}
    return result


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
    labels, answer, mask = _pair(first, task)
    other = _pair(second, task)[1]

    def minus(rows):
        ours, theirs = (
            measure(task, labels[rows], answer[rows], mask[rows]),
            measure(task, labels[rows], other[rows], mask[rows]),
        )
        return {metric: ours[metric] - theirs[metric] for metric in ours if metric != "n"}

    samples = pd.DataFrame([minus(rows) for rows in _resampled(len(mask), RESAMPLES)])
    bounds = {metric: np.nanpercentile(samples[metric], [2.5, 97.5]) for metric in samples}
    return [
        {"metric": f"{task.name}.{metric}", "difference": value, "low": bounds[metric][0], "high": bounds[metric][1]}
        for metric, value in minus(np.arange(len(mask))).items()
    ]


def by_group(answered_table: pd.DataFrame, tasks: Iterable[Task], keys: Iterable[str] = GROUPS) -> pd.DataFrame:
    """Return each task's metrics by gender, ethnicity and age band, as far as those are labelled: the fairness table.

    `keys` are the labels to group by; a row that lacks one of them is in no group.
    """
    bands = [f"{low}-{high - 1}" for low, high in zip(AGE_BANDS[:-1], AGE_BANDS[1:], strict=True)]
    table = answered_table.copy()
    if "age" in table:
        table["age_band"] = pd.cut(table["age"], AGE_BANDS, right=False, labels=bands).astype(object)
    keys = [key for key in keys if key in table and table[key].notna().any()]
    if not keys:
        return pd.DataFrame(columns=["n"])
    rows = []
    for group, members in table.groupby(keys, sort=True):
        plain = figures(members, tasks, resamples=0)
        rows.append(
            {
                **dict(zip(keys, group, strict=True)),
                "n": len(members),
                **{k: v for k, v in plain.items() if not k.endswith(".n")},
            }
        )
    return pd.DataFrame(rows)


def evaluate(model: MultiTaskModel, table: pd.DataFrame, views: str = "one") -> pd.DataFrame:
    """Return a model's metrics on a label table: a row a metric, with its value and 95 % interval."""
    labelled = [task for task in model.tasks if encode(table, task)[1].any()]
    if not labelled:
        names = ", ".join(task.name for task in model.tasks)
        raise UserError(f"no row of the table has a label of any task of this model ({names}); expected at least one")
    return as_table(figures(predictions(model, table, views=views), labelled))


def as_table(found: dict[str, float]) -> pd.DataFrame:
    """Return what `figures` gives as a table with a row a metric: `n`, `value`, `low`, `high`."""
    rows = {
        name: {
            "n": int(found[f"{name.split('.')[0]}.n"]),
            "value": value,
            "low": found.get(f"{name}.low"),
            "high": found.get(f"{name}.high"),
        }
        for name, value in found.items()
        if name.count(".") == 1 and not name.endswith(".n")
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")
