"""What methods are worth over several tasks at once: their mean rank, and how much they improve on single tasks."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import t

from mtl_keras.data.table import encode
from mtl_keras.evaluation.predictions import labels_and_answers
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import Task

RESAMPLES = 500


def score_column(task: Task) -> str:
    """Return the column of `runs.csv` by which methods are compared: the figure that is shown while training."""
    return f"{task.name}.{kind_of(task).SCORE.name}"


def improvement(figures, single, lower: Sequence[bool]) -> np.ndarray:
    """Return the mean relative improvement over single-task networks in percent, (...), of figures (..., T).

    delta_m = 100 / T * sum_t (-1)^(l_t) (M_t - S_t) / S_t, where l_t is 1 if the figure M_t is better when it is
    `lower` (Maninis, Radosavovic and Kokkinos, Attentive single-tasking of multiple tasks, 2019,
    https://arxiv.org/abs/1904.08918). `single` (T,) or (..., T) are the S_t. A task takes no part where its S_t is not
    known or 0; where another figure is missing the improvement is NaN.
    """
    figures, single = np.broadcast_arrays(np.asarray(figures, float), np.asarray(single, float))
    known = np.isfinite(single) & (single != 0)
    change = (figures - single) / np.where(known, single, 1.0) * np.where(lower, -1.0, 1.0)
    tasks = known.sum(axis=-1)
    total = np.where(known, change, 0.0).sum(axis=-1)
    return 100 * total / np.where(tasks > 0, tasks, np.nan)


def mean_ranks(figures: pd.DataFrame, lower: Sequence[bool]) -> pd.Series:
    """Return the mean over the columns of each row's rank, of which 1 is the best; those that are alike share theirs.

    A row without one of the figures has none, and takes no place. A column without any figure does not count.
    """
    ranked = figures.loc[:, figures.notna().any()]
    better = [low for low, used in zip(lower, figures.notna().any(), strict=True) if used]
    whole = ranked[ranked.notna().all(axis=1)]
    ranks = {column: whole[column].rank(ascending=low) for column, low in zip(whole, better, strict=True)}
    return pd.DataFrame(ranks, index=whole.index).mean(axis=1).reindex(figures.index)


def resampled_scores(answered: pd.DataFrame, task: Task, test: pd.DataFrame, resamples: int = RESAMPLES) -> np.ndarray:
    """Return a run's figure of a task (1 + resamples,): over the test images, then over bootstrap samples of them.

    `answered` are the rows of the test part that the run has answered. The samples are the same for every run and
    every task, so that differences between runs are paired.
    """
    name, measure = kind_of(task).SCORE.name, kind_of(task).measure
    labels, answers, mask = labels_and_answers(answered, task)
    labels, answers, mask = (column[mask > 0] for column in (labels, answers, mask))
    known = encode(test, task)[1] > 0
    place = np.cumsum(known) - 1  # of a test row among the labelled ones
    samples = np.random.default_rng(0).integers(0, len(test), (resamples, len(test))) if len(test) else []
    rows = [np.arange(len(mask)), *(place[sample[known[sample]]] for sample in samples)]
    return np.array([measure(labels[row], answers[row], mask[row])[name] for row in rows])


def half_interval(differences: np.ndarray) -> float:
    """Return half the width of the 95 % interval of the mean of differences (N,), by Student's t; NaN for fewer than 2.

    For three of them it is 2.5 times their standard deviation, for ten 0.7 times.
    """
    count = len(differences)
    return float(t.ppf(0.975, count - 1) * np.std(differences, ddof=1) / count**0.5) if count > 1 else np.nan


def interval(samples: np.ndarray) -> tuple[float, float]:
    """Return the bounds between which 95 % of the samples lie; NaN where there are none."""
    known = samples[np.isfinite(samples)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return float(low), float(high)
