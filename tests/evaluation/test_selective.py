"""Scores of the surest answers, by hand."""

import pandas as pd
import pytest

from mtl_keras.evaluation.selective import area, selective_scores
from mtl_keras.tasks import AGE, GENDER, HEAD_POSE

TABLE = pd.DataFrame(
    {
        "path": list("abcde"),
        "gender": ["male", "female", "male", None, "female"],
        "gender.class": ["male", "male", "male", "male", "female"],
        "gender.probability": [0.6, 0.9, 0.8, 0.99, 0.8],
        "age": [20.0, 30.0, None, 40.0, 50.0],
        "age.value": [21.0, 34.0, 0.0, 40.0, 48.0],
        "age.std": [2.0, 9.0, 0.1, 1.0, 4.0],
    }
)


def test_the_surest_come_first_and_rows_without_a_label_do_not_count():
    scores = selective_scores(TABLE, GENDER)
    assert scores.tolist() == pytest.approx([0, 1 / 2, 2 / 3, 3 / 4]) and area(scores) == pytest.approx(23 / 48)
    # By the standard deviation of their distributions, the errors are 0, 1, 2 and 4 years.
    assert selective_scores(TABLE, AGE).tolist() == pytest.approx([0, 1 / 2, 1, 7 / 4])


def test_the_order_of_equally_sure_answers_does_not_count():
    table = TABLE.assign(**{"gender.class": ["male", "male", "female", "male", "female"]})
    scores = selective_scores(table, GENDER)
    assert scores.tolist() == pytest.approx([0, 1 / 4, 1 / 3, 1 / 2])
    assert selective_scores(table.iloc[::-1], GENDER).tolist() == pytest.approx(scores.tolist())


def test_without_labels_or_where_answers_do_not_say_how_sure_they_are_there_are_none():
    assert selective_scores(TABLE.assign(gender=None), GENDER) is None
    turned = TABLE.assign(**{column + end: 1.0 for column in HEAD_POSE.columns for end in ("", ".value")})
    assert selective_scores(turned, HEAD_POSE) is None
