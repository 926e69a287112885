"""Small programs of NumPy in a compiled step."""

import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.training.weightings.programs import in_numpy
from mtl_keras.training.weightings.weighting import Step

GRAMIAN = np.array([[4.0, 1.0, 2.0], [1.0, 9.0, 3.0], [2.0, 3.0, 16.0]], "float32")


def row_sums(gramian, *others):
    """Weights that show what the function was given."""
    assert gramian.dtype == np.float64
    return gramian.sum(1) + sum(others, 0.0)


def weigh(gramian, present, *others, function=row_sums):
    compiled = tf.function(lambda g, p, *o: in_numpy(function, Step(None, p, g), *o))
    found = compiled(tf.constant(gramian), tf.constant(present), *map(tf.constant, others))
    assert found.dtype == "float32" and found.shape == (len(gramian),)
    return found.numpy()


def test_only_tasks_that_are_present_are_handed_over():
    assert weigh(GRAMIAN, [True, True, True]).tolist() == [7.0, 13.0, 21.0]
    assert weigh(GRAMIAN, [True, False, True]).tolist() == [6.0, 0.0, 18.0]
    assert weigh(GRAMIAN, [True, False, True], [10.0, 20.0, 30.0]).tolist() == [16.0, 0.0, 48.0]
    assert weigh(GRAMIAN, [False, False, False], function=lambda gramian: 1 / 0).tolist() == [0.0, 0.0, 0.0]


def test_both_halves_of_a_task_are_present_or_absent():
    gramian = np.arange(16, dtype="float32").reshape(4, 4)
    assert weigh(gramian, [False, True]).tolist() == [0.0, 5.0 + 7.0, 0.0, 13.0 + 15.0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_gives_weights_that_are_not(value):
    broken = GRAMIAN.copy()
    broken[1, 1] = value
    assert np.isnan(weigh(broken, [True, True, True])).all()
    assert weigh(broken, [True, False, True]).tolist() == [6.0, 0.0, 18.0]


def test_several_numbers_a_task_have_a_row_each():
    step = Step(None, np.array([True, False, True]), GRAMIAN)
    found = in_numpy(lambda gramian: np.stack([gramian.sum(0), gramian.sum(1)], axis=1), step, columns=2)
    assert np.asarray(found).tolist() == [[6.0, 6.0], [0.0, 0.0], [18.0, 18.0]]
