"""Tasks of classes: losses, metrics and answers against SciPy and scikit-learn, and wrong labels."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
from sklearn.metrics import accuracy_score, f1_score

from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.kinds.categorical import SMALLEST_PROBABILITY, cross_entropy, macro_f1, soft_cross_entropy
from mtl_keras.tasks import EXPRESSION, GENDER, Task

RANDOM = np.random.default_rng(0)


def probabilities(rows: int, classes: int) -> np.ndarray:
    return scipy.special.softmax(RANDOM.normal(0, 3, (rows, classes)), axis=-1).astype("float32")


@pytest.mark.parametrize("classes", [(), ("only",)])
def test_fewer_than_two_classes_are_refused(classes):
    with pytest.raises(UserError, match=f"'mine'.*`classes`, got {len(classes)}"):
        kind_of(Task("mine", "categorical", classes=classes))


# === Cells ===


def test_cells_become_indices_and_indices_cells():
    numbers = kind_of(GENDER).numbers(pd.Series(["female", None, "male", "woman"]))
    np.testing.assert_array_equal(numbers, [1, np.nan, 0, np.nan])
    assert kind_of(GENDER).cells(np.array([1, -1, 0])).tolist() == ["female", None, "male"]
    assert kind_of(GENDER).expected == "one of male, female"


# === Losses ===


def test_cross_entropy_is_minus_the_log_probability_of_the_label():
    outputs, labels = probabilities(9, 7), RANDOM.integers(0, 7, 9)
    expected = [-np.log(float(row[label])) for row, label in zip(outputs, labels, strict=True)]
    np.testing.assert_allclose(kind_of(EXPRESSION).loss(labels, outputs), expected, rtol=1e-5)


def test_soft_cross_entropy_is_divergence_plus_entropy():
    targets, outputs = probabilities(6, 4), probabilities(6, 4)
    expected = scipy.stats.entropy(targets, axis=-1) + scipy.stats.entropy(targets, outputs, axis=-1)
    np.testing.assert_allclose(soft_cross_entropy(targets, outputs), expected, rtol=1e-5)


def test_half_precision_outputs_are_computed_in_float32():
    outputs = tf.constant(probabilities(3, 7), "bfloat16")
    assert kind_of(EXPRESSION).loss(np.zeros(3, "int32"), outputs).dtype == "float32"


# === Where a softmax is all but sure and wrong ===


@pytest.mark.parametrize("gap", [10.0, 40.0, 60.0])
def test_gradient_is_alive_at_tiny_probabilities(gap):
    scores = tf.constant([[0.0, gap]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = cross_entropy(np.array([0]), tf.nn.softmax(scores))
    np.testing.assert_allclose(loss, [np.logaddexp(0, gap)], rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(loss, scores), [[-1.0, 1.0]], atol=1e-3)


def test_probability_zero_gives_a_finite_loss_and_gradient():
    scores = tf.constant([[0.0, 500.0]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = cross_entropy(np.array([0]), tf.nn.softmax(scores))
    np.testing.assert_allclose(loss, [-np.log(SMALLEST_PROBABILITY)], rtol=1e-5)
    assert np.isfinite(tape.gradient(loss, scores)).all()


# === Metrics and answers ===


@pytest.mark.parametrize("task", [GENDER, EXPRESSION], ids=lambda task: task.name)
def test_classification_agrees_with_scikit_learn(task):
    labels, answer = RANDOM.integers(0, task.size, (2, 40))
    kept = (RANDOM.random(40) < 0.6).astype("float32")
    figures = kind_of(task).measure(labels, answer, kept)
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
    assert macro_f1(np.array(labels), np.array(answer), 7) == pytest.approx(expected)


def test_the_answer_is_the_most_probable_class_and_its_probability():
    outputs = np.array([[0.4, 0.6], [0.75, 0.25]], "float32")
    np.testing.assert_array_equal(kind_of(GENDER).answers(outputs), [1, 0])
    columns = kind_of(GENDER).answer_columns(outputs)
    assert columns["gender.class"].tolist() == ["female", "male"]
    np.testing.assert_allclose(columns["gender.probability"], [0.6, 0.75])
    table = pd.DataFrame(columns)
    assert kind_of(GENDER).answers_in(table).tolist() == [1, 0]
    assert kind_of(GENDER).as_json(table.iloc[1]) == {"class": "male", "probability": 0.75}


def test_the_constant_answer_is_the_most_frequent_class():
    assert kind_of(GENDER).constant(np.array([1, 0, 1])).tolist() == [0, 1]
    assert kind_of(GENDER).constant_answer == "most frequent class"
