"""How right answers are if only the surest are kept: selective accuracy (El-Yaniv and Wiener, 2010)."""

import numpy as np
import pandas as pd

from mtl_keras.evaluation.predictions import labels_and_answers
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import Task


def selective_scores(answered_table: pd.DataFrame, task: Task) -> np.ndarray | None:
    """Return for n = 1 to N the score (N,) of the n surest answers: the share of right ones, or their mean error.

    Of equally sure answers each counts as their mean, since none of them comes first. None without labelled answers,
    and for tasks whose answers do not say how sure they are.
    """
    labels, answers, mask = labels_and_answers(answered_table, task)
    kind, kept = kind_of(task), mask > 0
    confidence = kind.confidence(answered_table)
    if confidence is None or not kept.any():
        return None
    labels, answers = labels[kept], answers[kept]
    scores = labels == answers if kind.names else np.abs(kind.difference(labels, answers))
    order = np.argsort(-confidence[kept], kind="stable")
    scores = pd.Series(scores, dtype=np.float64).groupby(confidence[kept]).transform("mean").to_numpy()[order]
    return np.cumsum(scores) / np.arange(1, len(scores) + 1)


def area(scores: np.ndarray) -> float:
    """Return the area under what `selective_scores` returns, over the share of answers that are kept.

    Source: Geifman, Uziel and El-Yaniv, Bias-reduced uncertainty estimation for deep neural classifiers, 2019.
    """
    return float(np.mean(scores))
