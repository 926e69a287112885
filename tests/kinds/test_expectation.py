"""Numbers as expected values of bins: losses, answers and range."""

from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats

from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.kinds.expectation import expectation_error, label_distribution
from mtl_keras.tasks import AGE, AGE_ARGMAX, Task

RANDOM = np.random.default_rng(0)


def probabilities(rows: int, bins: int) -> np.ndarray:
    return scipy.special.softmax(RANDOM.normal(0, 3, (rows, bins)), axis=-1).astype("float32")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": ("a", "b")}, "`values`, got 0"),
        ({"values": (0, 1), "readout": "median"}, "'median'.*mean or argmax"),
    ],
)
def test_impossible_tasks_are_refused(settings, message):
    with pytest.raises(UserError, match=f"'mine'.*{message}"):
        kind_of(Task("mine", "expectation", **settings))


def test_labels_lie_between_the_first_bin_and_the_last_unless_the_task_says_otherwise():
    cells = pd.Series([0, 116, 117, -1, None])
    assert kind_of(AGE).numbers(cells).notna().tolist() == [True, True, False, False, False]
    assert kind_of(AGE).expected == "a number from 0 to 116 years"
    assert kind_of(replace(AGE, range=(0, 120))).numbers(cells).notna().tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("std", [0.7, 2.0, 5.0])
@pytest.mark.parametrize("values", [AGE.values, (0.0, 1.0, 4.0, 10.0, 100.0)], ids=["ages", "uneven"])
def test_label_distribution_is_a_normalized_gaussian_on_the_bins(values, std):
    labels = np.array([0.0, 2.6, 50.0, 99.0], "float32")
    density = scipy.stats.norm.logpdf(np.array(values)[None], labels[:, None], std)
    expected = scipy.special.softmax(density, axis=-1)
    got = keras.ops.convert_to_numpy(label_distribution(labels, values, std))
    np.testing.assert_allclose(got, expected, atol=1e-6)
    np.testing.assert_allclose(got.sum(-1), 1, rtol=1e-5)


def test_label_distribution_without_spread_is_the_nearest_bin():
    got = label_distribution(np.array([0.0, 2.6, 99.0], "float32"), (0.0, 1.0, 4.0, 100.0), 0.0)
    np.testing.assert_array_equal(got, np.eye(4)[[0, 2, 3]])


def test_expectation_error_is_the_distance_of_the_mean_from_the_label():
    outputs, labels = probabilities(5, 117), np.array([0.0, 3.5, 40.0, 80.0, 116.0], "float32")
    expected = np.abs(outputs.astype("float64") @ np.arange(117) - labels)
    np.testing.assert_allclose(expectation_error(labels, AGE.values, outputs), expected, rtol=1e-4)
    plain, both = replace(AGE, label_std=2.0), replace(AGE, label_std=2.0, error_weight=0.5)
    added = kind_of(both).loss(labels, outputs) - kind_of(plain).loss(labels, outputs)
    np.testing.assert_allclose(added, 0.5 * expected, rtol=1e-3)


@pytest.mark.parametrize("std", [0.0, 2.0])
def test_expectation_tasks_learn_the_label_distribution(std):
    task = Task("score", "expectation", values=tuple(float(value) for value in range(10)), label_std=std)
    labels, outputs = np.array([3.0, 9.0], "float32"), probabilities(2, 10)
    weights = np.exp(-0.5 * ((labels[:, None] - np.arange(10)) / std) ** 2) if std else np.eye(10)[[3, 9]]
    weights = weights / weights.sum(-1, keepdims=True)
    expected = -(weights * np.log(outputs.astype("float64"))).sum(-1)
    np.testing.assert_allclose(kind_of(task).loss(labels, outputs), expected, rtol=1e-5)


def test_age_is_the_expected_value_of_its_distribution():
    outputs = scipy.special.softmax(RANDOM.normal(0, 2, (5, 117)), axis=-1).astype("float32")
    expected = [np.average(np.arange(117), weights=row) for row in outputs]
    np.testing.assert_allclose(kind_of(AGE).answers(outputs), expected, rtol=1e-5)


def test_age_by_argmax_is_the_most_probable_bin():
    outputs = np.zeros((2, 117), "float32")
    outputs[[0, 1], [30, 116]], outputs[0, 80] = 0.5, 0.4
    np.testing.assert_array_equal(kind_of(AGE_ARGMAX).answers(outputs), [30.0, 116.0])


def test_the_deviation_is_that_of_the_distribution():
    outputs = probabilities(4, 117)
    columns = kind_of(AGE).answer_columns(outputs)
    expected = [np.sqrt(np.average((np.arange(117) - np.average(np.arange(117), weights=row)) ** 2, weights=row))
                for row in outputs.astype("float64")]  # fmt: skip
    assert list(columns) == ["age.value", "age.std"]
    np.testing.assert_allclose(columns["age.std"], expected, rtol=1e-3)


def test_the_central_interval_leaves_half_of_the_rest_on_either_side():
    outputs = np.zeros((3, 117))
    outputs[0, [20, 30, 40, 50]] = 0.04, 0.5, 0.4, 0.06  # a tail of 4 % is cut off, one of 6 % is not
    outputs[1, 116] = 1
    outputs[2] = 1 / 117
    np.testing.assert_array_equal(kind_of(AGE).interval(outputs, 0.9), [[30, 50], [116, 116], [5, 111]])


def test_the_constant_answer_is_the_bin_of_the_median():
    kind = kind_of(AGE)
    assert kind.answers(kind.constant(np.array([1.0, 30.0, 80.0]))[None].astype("float32")) == [30.0]
    assert kind.constant_answer == "median age"
