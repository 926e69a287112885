"""The calibration error and the temperature by hand, and a network whose weights hold it."""

import numpy as np
import pandas as pd
import pytest
import scipy.special

from mtl_keras.errors import UserError
from mtl_keras.evaluation.calibration import (
    calibrate,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    temperatures_of,
)
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.tasks import AGE_GROUP_ORDINAL, ETHNICITY, GENDER

RANDOM = np.random.default_rng(0)


def test_the_calibration_error_is_the_mean_distance_in_fifteen_bins():
    sure = np.array([0.99, 0.97, 0.61, 0.65, 0.55, 1.0])
    outputs = np.stack([sure, 1 - sure], axis=-1)
    labels = np.array([0, 0, 1, 0, 1, 1])
    bins = reliability(GENDER, labels, outputs)
    # 15 bins: 0.533 to 0.6, 0.6 to 0.667, 0.933 to 1.
    assert bins.index.tolist() == [8, 9, 14] and bins["n"].tolist() == [1, 2, 3]
    assert bins["accuracy"].tolist() == pytest.approx([0, 1 / 2, 2 / 3])
    expected = (0.55 + 2 * abs(0.63 - 1 / 2) + 3 * abs(0.98667 - 2 / 3)) / 6
    assert expected_calibration_error(bins) == pytest.approx(expected, abs=1e-4)
    # The class that answers of ordered classes name is not always the most probable one.
    ordered = reliability(AGE_GROUP_ORDINAL, np.array([1]), np.array([[0.4, 0.3, 0.3, 0, 0]]))
    assert ordered["confidence"].tolist() == [0.3] and ordered["accuracy"].tolist() == [1]


def test_the_likelihood_is_that_of_the_labels_and_no_surprise_is_infinite():
    outputs = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    found = negative_log_likelihood(np.array([0, 1, 0]), outputs)
    assert found == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 3)
    assert 60 < negative_log_likelihood(np.array([1]), outputs[2:]) < 70


@pytest.mark.parametrize("true", [0.5, 3.0])
def test_the_temperature_that_sharpened_the_scores_is_found_again(true):
    scores = RANDOM.normal(0, 2, (4000, 5))
    labels = np.array([RANDOM.choice(5, p=p) for p in scipy.special.softmax(scores, axis=-1)])
    outputs = scipy.special.softmax(true * scores, axis=-1)
    assert fit_temperature(ETHNICITY, labels, outputs) == pytest.approx(true, rel=0.08)


def test_without_a_wrong_answer_nothing_says_how_sure_to_be():
    outputs = np.array([[0.9, 0.1], [0.3, 0.7]])
    assert fit_temperature(GENDER, np.array([0, 1]), outputs) == 1
    assert fit_temperature(GENDER, np.zeros(0, int), outputs[:0]) == 1


def test_probabilities_that_no_temperature_makes_true_are_told_of(capsys):
    table = pd.DataFrame({"gender": ["male", "female"] * 20})
    right = np.array([[0.9, 0.1], [0.1, 0.9]] * 20)
    assert temperatures_of([GENDER], table, {"gender": right[::-1]})["gender"] > 19.8
    assert "gender: no temperature from 0.05 to 20 makes its probabilities true; 20 comes" in capsys.readouterr().out
    mostly = np.concatenate([right[:36], right[36:][::-1]])
    assert temperatures_of([GENDER], table, {"gender": mostly})["gender"] == pytest.approx(1, rel=0.01)
    assert capsys.readouterr().out == ""


def test_a_table_without_any_label_is_refused(tiny_model, faces):
    table = faces[:4].assign(gender=None, ethnicity=None)
    with pytest.raises(UserError, match="^no row has a label of gender, ethnicity; expected some to calibrate"):
        calibrate(tiny_model, table)


def test_a_calibrated_network_answers_the_same_classes_less_surely(tiny_model, faces):
    faces = faces[:12]
    before = predictions(tiny_model, faces)
    # Three of four answers are wrong; and of one task nothing is known.
    other = before["gender.class"].map({"male": "female", "female": "male"})
    table = faces.assign(gender=before["gender.class"].where(np.arange(12) % 4 == 0, other), ethnicity=None)
    temperatures = calibrate(tiny_model, table)
    assert set(temperatures) == {"gender", "ethnicity"} and temperatures["ethnicity"] == 1 < temperatures["gender"]
    after = predictions(tiny_model, faces)
    pd.testing.assert_frame_equal(*(each.drop(columns="gender.probability") for each in (before, after)), rtol=1e-4)
    # Of two classes the scores differ by the logarithm of the odds.
    exact = before["gender.probability"] < 0.999  # beyond, a float32 has lost the odds
    given, divided = (scipy.special.logit(each["gender.probability"][exact].astype(float)) for each in (before, after))
    assert exact.sum() > 5
    np.testing.assert_allclose(divided, given / temperatures["gender"], rtol=1e-2)
