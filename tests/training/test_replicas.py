"""What replicas exchange."""

import numpy as np
import tensorflow as tf

from mtl_keras.training import distribute
from mtl_keras.training.replicas import all_finite, before_this_replica, either, on_first_replica, over_replicas


def on_each(function, *arguments):
    """What a function gives on each of two replicas, one after the other."""
    strategy = distribute.strategy("mirrored")
    found = tf.function(lambda: strategy.run(function, args=arguments))()
    return [np.asarray(each) for each in strategy.experimental_local_results(found)]


def number():
    """1 on the first replica, 2 on the second."""
    return tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group + 1, tf.int32)


def test_sums_are_of_all_replicas_and_what_was_before_of_the_earlier_ones():
    assert [each.tolist() for each in on_each(lambda: over_replicas(number()))] == [3, 3]
    counts = on_each(lambda: before_this_replica(number() * tf.constant([5, 7])))
    assert [each.tolist() for each in counts] == [[0, 0], [5, 7]]
    assert before_this_replica(tf.constant([5, 7])).numpy().tolist() == [0, 0]


def test_gradients_are_whole_on_the_first_replica_even_where_others_are_no_numbers():
    found = on_each(lambda: on_first_replica([tf.constant([np.nan, 2.0]) / tf.cast(number(), tf.float32)])[0])
    np.testing.assert_array_equal(found, [[np.nan, 2.0], [0.0, 0.0]])


def test_all_replicas_choose_alike():
    with distribute.strategy("mirrored").scope():
        variable = tf.Variable(0.0, aggregation=tf.VariableAggregation.SUM)

    def change(values):
        variable.assign_add(values[0])

    def step(condition):
        either(condition, change, change, [tf.constant(1.0)], [tf.constant(10.0)])
        return tf.constant(0)

    on_each(step, tf.constant(True))
    assert variable.numpy() == 2
    on_each(step, tf.constant(False))
    assert variable.numpy() == 22


def test_numbers_are_told_from_what_is_none():
    assert all_finite([tf.constant([1.0, 2.0]), tf.constant(3.0)])
    assert not all_finite([tf.constant([1.0, np.nan])]) and not all_finite([tf.constant(1.0), tf.constant([np.inf])])
