"""Classes in an order: probabilities, the loss against its definition, and the answer."""

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.special
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.kinds.ordinal import RankProbabilities, Thresholds
from mtl_keras.tasks import AGE_GROUP, AGE_GROUP_ORDINAL, Task

RANDOM = np.random.default_rng(0)
KIND = kind_of(AGE_GROUP_ORDINAL)


def test_fewer_than_two_classes_are_refused():
    with pytest.raises(UserError, match="ordinal.*`classes`, got 1"):
        kind_of(Task("mine", "ordinal", classes=("only",)))


@pytest.mark.parametrize("classes", [2, 3, 9])
def test_a_score_of_0_makes_all_classes_equally_probable(classes):
    logits = Thresholds(classes)(np.zeros((1, 1), "float32"))
    assert logits.shape == (1, classes - 1)
    np.testing.assert_allclose(RankProbabilities()(logits), np.full((1, classes), 1 / classes), atol=1e-6)


def test_probabilities_are_the_differences_of_falling_sigmoids():
    logits = -np.sort(-RANDOM.normal(0, 3, (6, 4)), axis=-1)
    above = scipy.special.expit(logits)
    expected = -np.diff(above, axis=-1, prepend=1, append=0)
    np.testing.assert_allclose(RankProbabilities()(logits.astype("float32")), expected, atol=1e-6)


def test_the_loss_is_the_sum_of_the_ranks_cross_entropies():
    above = -np.sort(-RANDOM.random((5, 4)), axis=-1)
    labels = np.arange(5)
    is_above = labels[:, None] > np.arange(4)
    expected = -(is_above * np.log(above) + ~is_above * np.log(1 - above)).sum(-1)
    outputs = -np.diff(above, axis=-1, prepend=1, append=0).astype("float32")
    np.testing.assert_allclose(KIND.loss(labels, outputs), expected, rtol=1e-4)


@pytest.mark.parametrize(("score", "label"), [(60.0, 0), (-60.0, 4)])
def test_the_gradient_is_alive_where_the_answer_is_sure_and_wrong(score, label):
    scores, thresholds = tf.constant([[score]]), Thresholds(5)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = KIND.loss(np.array([label]), RankProbabilities()(thresholds(scores)))
    # Each of the four ranks pulls with 1.
    np.testing.assert_allclose(tape.gradient(loss, scores), [[np.sign(score) * 4]], rtol=1e-3)


def test_the_answer_is_the_median_class_and_its_probability():
    # The most probable class is the first, but it is more probable that the class is above it.
    outputs = np.array([[0.4, 0.3, 0.3, 0, 0], [0, 0, 0, 0.1, 0.9]], "float32")
    np.testing.assert_array_equal(KIND.answers(outputs), [1, 4])
    columns = KIND.answer_columns(outputs)
    assert columns["age_group_ordinal.class"].tolist() == [AGE_GROUP.classes[1], AGE_GROUP.classes[4]]
    np.testing.assert_allclose(columns["age_group_ordinal.probability"], [0.3, 0.9])
    assert KIND.answers_in(pd.DataFrame(columns)).tolist() == [1, 4]


def test_metrics_count_how_many_classes_answers_are_off():
    found = KIND.measure(np.array([0, 1, 4, 2]), np.array([0, 2, 1, 2]), np.array([1, 1, 1, 0]))
    assert found["accuracy"] == pytest.approx(1 / 3) and found["class_mae"] == pytest.approx(4 / 3)
    assert list(found) == ["n", "accuracy", "macro_f1", "class_mae"]


def test_a_network_learns_the_order_with_one_score():
    random = np.random.default_rng(1)
    keras.utils.set_random_seed(0)
    inputs = keras.Input((1,))
    model = keras.Model(inputs, KIND.head(inputs))
    model.compile(keras.optimizers.Adam(0.1), loss=KIND.loss)
    x = random.uniform(0, 1, (400, 1)).astype("float32")
    labels = np.digitize(x[:, 0], [0.1, 0.3, 0.7, 0.9])
    model.fit(x, labels, epochs=60, batch_size=100, verbose=0)
    assert KIND.measure(labels, np.asarray(KIND.answers(model.predict(x, verbose=0))), np.ones(400))["accuracy"] > 0.9


def test_thresholds_survive_their_config():
    again = Thresholds.from_config(Thresholds(4, name="ranks").get_config())
    assert (again.classes, again.name) == (4, "ranks")
