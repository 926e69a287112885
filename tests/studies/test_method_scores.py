"""Mean ranks and relative improvements, by hand."""

import numpy as np
import pandas as pd
import pytest

from mtl_keras.studies.method_scores import improvement, interval, mean_ranks, resampled_scores, score_column
from mtl_keras.tasks import AGE, GENDER

LOWER = (True, False)


def test_improvement_is_the_mean_relative_one_signed_by_direction():
    # Age: 10 % fewer years of error; gender: 0.8 to 0.9 is an eighth more.
    assert improvement([4.5, 0.9], [5.0, 0.8], LOWER) == pytest.approx((10 + 12.5) / 2)
    assert improvement([5.5, 0.9], [5.0, 0.8], LOWER) == pytest.approx((-10 + 12.5) / 2)
    assert improvement([[5.0, 0.8], [4.0, 0.4]], [5.0, 0.8], LOWER).tolist() == pytest.approx([0, (20 - 50) / 2])


def test_a_task_without_a_single_task_figure_takes_no_part():
    assert improvement([4.5, 0.9], [np.nan, 0.8], LOWER) == pytest.approx(12.5)
    assert improvement([4.5, 0.9], [0.0, 0.8], LOWER) == pytest.approx(12.5)
    assert np.isnan(improvement([4.5, np.nan], [5.0, 0.8], LOWER))
    assert np.isnan(improvement([4.5, 0.9], [np.nan, np.nan], LOWER))


def test_ranks_are_by_direction_and_those_that_are_alike_share_theirs():
    figures = pd.DataFrame({"age.mae": [4.0, 5.0, 6.0], "gender.accuracy": [0.9, 0.9, 0.8]}, index=list("abc"))
    # Age: 1, 2, 3; gender: 1.5, 1.5, 3.
    assert mean_ranks(figures, LOWER).to_dict() == {"a": 1.25, "b": 1.75, "c": 3.0}


def test_a_method_without_a_figure_has_no_rank_and_takes_no_place():
    figures = pd.DataFrame({"age.mae": [4.0, np.nan, 6.0], "gender.accuracy": [0.7, 0.99, 0.8], "none": np.nan})
    ranks = mean_ranks(figures, (*LOWER, True))
    assert ranks[[0, 2]].tolist() == [1.5, 1.5] and np.isnan(ranks[1])
    assert mean_ranks(figures.iloc[:0], (*LOWER, True)).empty


def test_figures_over_samples_are_paired_and_over_labelled_rows_alone():
    test = pd.DataFrame({"path": [f"{n}.jpg" for n in range(40)], "gender": ["male", "female"] * 20, "age": 30.0})
    test.loc[::4, "gender"] = None
    right = test.assign(**{"gender.class": test["gender"].fillna("male"), "age.value": 33.0})
    wrong = right.assign(**{"gender.class": "male"})
    scores = resampled_scores(wrong, GENDER, test, 50)
    assert scores.shape == (51,) and scores[0] == pytest.approx(1 / 3) and 0 < scores[1:].std() < 0.2
    assert (resampled_scores(right, GENDER, test, 50) == 1).all() and (resampled_scores(right, AGE, test, 5) == 3).all()
    # A network of one task has answered the labelled rows alone: the same samples all the same.
    alone = wrong[wrong["gender"].notna()].reset_index(drop=True)
    assert np.array_equal(resampled_scores(alone, GENDER, test, 50), scores)
    # Images without a label are in no sample: here most follow the only one that was answered wrongly.
    few = test.assign(gender=[*["male"] * 9, "female", *[None] * 30])
    answered = few.assign(**{"gender.class": "male"})
    scores = resampled_scores(answered, GENDER, few, 200)
    assert scores[0] == pytest.approx(0.9) and scores[1:].mean() == pytest.approx(0.9, abs=0.03)
    assert score_column(AGE) == "age.mae" and score_column(GENDER) == "gender.accuracy"


def test_the_interval_holds_95_percent():
    assert interval(np.arange(101.0)) == (2.5, 97.5)
    assert np.isnan(interval(np.array([np.nan]))).all()
