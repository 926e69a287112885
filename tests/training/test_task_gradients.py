"""The matrix of the tasks' gradients at what they share, and back."""

import keras
import numpy as np
import tensorflow as tf

from mtl_keras.training.task_gradients import filled, parted, pieces, products, rows, shared_positions, weighted

VARIABLES = [keras.Variable(np.zeros(shape, "float32")) for shape in ((2, 3), (4,), (2,), (3,))]
# The first is reached by both tasks, the next by one each, the last by none.
BY_TASK = [
    [tf.reshape(tf.range(6.0), (2, 3)), tf.ones(4), None, None],
    [tf.fill((2, 3), 2.0), None, tf.ones(2), None],
]


def test_shared_is_what_at_least_two_losses_reach():
    assert shared_positions(BY_TASK) == [0]
    assert shared_positions([*BY_TASK, [None, tf.ones(4), None, None]]) == [0, 1]
    assert shared_positions(BY_TASK[:1]) == []


def test_rows_are_the_gradients_one_after_the_other_and_zeros_where_none_is():
    matrix = rows(BY_TASK, VARIABLES, [0, 2])
    np.testing.assert_array_equal(matrix, [[0, 1, 2, 3, 4, 5, 0, 0], [2, 2, 2, 2, 2, 2, 1, 1]])
    back = pieces(matrix[0], VARIABLES, [0, 2])
    np.testing.assert_array_equal(back[0], BY_TASK[0][0])
    np.testing.assert_array_equal(back[2], [0, 0])


def test_what_no_loss_reaches_has_a_gradient_of_0():
    assert [gradient.shape.as_list() for gradient in filled([None] * 4, VARIABLES)] == [[2, 3], [4], [2], [3]]


def test_weighted_sums_leave_out_what_is_not_reached():
    found = weighted(BY_TASK, [2.0, tf.constant(3.0)], VARIABLES)
    np.testing.assert_array_equal(found[0], 2 * BY_TASK[0][0] + 6.0)
    assert [gradient.numpy().tolist() for gradient in found[1:]] == [[2.0] * 4, [3.0] * 2, [0.0] * 3]


def test_products_are_those_of_gradients_without_their_scale():
    first, second = np.array([[1.0, 2.0]], "float32"), np.array([[3.0, -1.0]], "float32")
    np.testing.assert_allclose(products([first, second], 1.0), [[5, 1], [1, 10]])
    np.testing.assert_allclose(products([4 * first, 4 * second], tf.constant(4.0)), [[5, 1], [1, 10]])


def test_a_position_is_in_one_part_or_the_other():
    without, alone = parted(BY_TASK, [0])
    assert [[g is None for g in row] for row in without] == [[True, False, True, True], [True, True, False, True]]
    assert [[g is None for g in row] for row in alone] == [[False, True, True, True]] * 2
