"""Metrics against scikit-learn, and scores while training against the whole-set metrics."""

import math
import warnings

import keras
import numpy as np
import pytest
import scipy.special
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, root_mean_squared_error

from mtl_keras.kinds import metrics
from mtl_keras.tasks import AGE, AGE_ARGMAX, AGE_REGRESSION, EXPRESSION, GENDER, HEAD_POSE

RANDOM = np.random.default_rng(0)
ROWS = 40


def mask() -> np.ndarray:
    return (RANDOM.random(ROWS) < 0.6).astype("float32")


# === Whole sets ===


@pytest.mark.parametrize("task", [GENDER, EXPRESSION], ids=lambda task: task.name)
def test_classification_agrees_with_scikit_learn(task):
    labels, answer, kept = RANDOM.integers(0, task.size, ROWS), RANDOM.integers(0, task.size, ROWS), mask()
    figures = metrics.measure(task, labels, answer, kept)
    labels, answer = labels[kept > 0], answer[kept > 0]
    assert figures["n"] == kept.sum()
    assert figures["accuracy"] == pytest.approx(accuracy_score(labels, answer))
    assert figures["macro_f1"] == pytest.approx(f1_score(labels, answer, average="macro"))


@pytest.mark.parametrize(
    ("labels", "answer"),
    [([0, 0, 1], [0, 1, 1]), ([2, 2, 2], [2, 2, 2]), ([2, 2, 0], [3, 3, 3]), ([6], [6])],
    ids=["two of seven classes", "one class", "never right", "one row"],
)
def test_macro_f1_leaves_out_classes_that_do_not_occur_as_scikit_learn_does(labels, answer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of a class without an answer
        expected = f1_score(labels, answer, average="macro", zero_division=0)
    assert metrics.macro_f1(np.array(labels), np.array(answer), 7) == pytest.approx(expected)


def test_regression_agrees_with_scikit_learn():
    labels, answer, kept = *RANDOM.uniform(0, 116, (2, ROWS)), mask()
    figures = metrics.measure(AGE, labels, answer, kept)
    labels, answer = labels[kept > 0], answer[kept > 0]
    assert figures["n"] == kept.sum()
    assert figures["mae"] == pytest.approx(mean_absolute_error(labels, answer))
    assert figures["rmse"] == pytest.approx(root_mean_squared_error(labels, answer))


def test_several_outputs_are_averaged():
    labels, answer = RANDOM.normal(0, 20, (2, ROWS, 3))
    figures = metrics.measure(HEAD_POSE, labels, answer, np.ones(ROWS))
    assert figures["mae"] == pytest.approx(mean_absolute_error(labels, answer))
    assert figures["rmse"] == pytest.approx(math.sqrt(((labels - answer) ** 2).mean()))


def test_cumulative_score_counts_errors_of_five_and_less():
    figures = metrics.measure(AGE, np.zeros(4), np.array([0.0, 5.0, 5.01, 30.0]), np.ones(4))
    assert figures["cs5"] == 0.5


@pytest.mark.parametrize("task", [GENDER, AGE, HEAD_POSE], ids=lambda task: task.name)
def test_without_a_label_figures_are_nan(task):
    shape = (3, 3) if task.outputs else (3,)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = metrics.measure(task, np.zeros(shape, int), np.zeros(shape, int), np.zeros(3))
    assert figures.pop("n") == 0
    assert figures and all(math.isnan(figure) for figure in figures.values())


# === Answers ===


def test_age_is_the_expected_value_of_its_distribution():
    outputs = scipy.special.softmax(RANDOM.normal(0, 2, (5, 117)), axis=-1).astype("float32")
    expected = [np.average(np.arange(117), weights=row) for row in outputs]
    np.testing.assert_allclose(metrics.answers(AGE, outputs), expected, rtol=1e-5)


def test_age_by_argmax_is_the_most_probable_bin():
    outputs = np.zeros((2, 117), "float32")
    outputs[[0, 1], [30, 116]], outputs[0, 80] = 0.5, 0.4
    np.testing.assert_array_equal(metrics.answers(AGE_ARGMAX, outputs), [30.0, 116.0])


def test_answers_have_one_number_a_label():
    assert metrics.answers(AGE_REGRESSION, np.ones((4, 1), "float32")).shape == (4,)
    assert metrics.answers(HEAD_POSE, np.ones((4, 3), "float32")).shape == (4, 3)
    np.testing.assert_array_equal(metrics.answers(GENDER, np.array([[0.4, 0.6], [0.7, 0.3]])), [1, 0])


# === While training ===


@pytest.mark.parametrize(
    "task",
    [AGE, AGE_ARGMAX, AGE_REGRESSION, GENDER, EXPRESSION, HEAD_POSE],
    ids=lambda task: f"{task.name} {task.kind}",
)
def test_scores_average_to_the_whole_set_metric(task):
    outputs, kept = scipy.special.softmax(RANDOM.normal(0, 2, (ROWS, task.size)), axis=-1).astype("float32"), mask()
    labels = {"categorical": RANDOM.integers(0, task.size, ROWS)}.get(task.kind, RANDOM.uniform(0, 116, ROWS))
    labels = RANDOM.normal(0, 1, (ROWS, 3)) if task.outputs else labels
    scores = keras.ops.convert_to_numpy(metrics.per_example(task, labels.astype("float32"), outputs))
    answer = keras.ops.convert_to_numpy(metrics.answers(task, outputs))
    figures = metrics.measure(task, labels, answer, kept)
    assert scores.shape == (ROWS,)
    assert np.average(scores, weights=kept) == pytest.approx(figures[metrics.SCORES[task.kind]], rel=1e-5)
