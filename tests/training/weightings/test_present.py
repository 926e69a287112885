"""What is shared out among the tasks that are present."""

import numpy as np

from mtl_keras.training.weightings.present import count, shares, softmax

HERE, NONE = np.array([True, False, True]), np.zeros(3, bool)
VALUES = np.array([1.0, 500.0, 3.0], "float32")


def test_only_tasks_that_are_present_have_a_part():
    assert float(count(HERE)) == 2
    np.testing.assert_allclose(shares(VALUES, HERE), [0.25, 0, 0.75])
    np.testing.assert_allclose(softmax(VALUES, HERE), [1 / (1 + np.exp(2)), 0, 1 / (1 + np.exp(-2))], rtol=1e-6)


def test_large_numbers_and_no_task_at_all_are_finite():
    np.testing.assert_allclose(softmax(1e4 * VALUES, HERE), [0, 0, 1])
    for function in (shares, softmax):
        np.testing.assert_array_equal(function(VALUES, NONE), [0, 0, 0])
