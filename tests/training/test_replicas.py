"""What replicas exchange."""

import keras
import numpy as np
import tensorflow as tf

from mtl_keras.models.replicas import over_replicas
from mtl_keras.training import distribute
from mtl_keras.training.replicas import all_finite, apply_whole, before_this_replica, either


def on_each(function, *arguments):
    """What a function gives on each of two replicas, one after the other."""
    strategy = distribute.strategy("mirrored")
    found = tf.function(lambda: strategy.run(function, args=arguments))()
    return [np.asarray(each) for each in strategy.experimental_local_results(found)]


def number():
    """1 on the first replica, 2 on the second."""
    return tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group + 1, tf.int32)


def test_sums_are_of_all_replicas_and_what_was_before_of_the_earlier_ones():
    both = on_each(
        lambda: tf.stack([tf.cast(x, "int32") for x in over_replicas([number(), tf.cast(number(), "float64")])])
    )
    assert [each.tolist() for each in both] == [[3, 3], [3, 3]]
    counts = on_each(lambda: before_this_replica(number() * tf.constant([5, 7])))
    assert [each.tolist() for each in counts] == [[0, 0], [5, 7]]
    assert before_this_replica(tf.constant([5, 7])).numpy().tolist() == [0, 0]


def test_gradients_that_are_whole_are_applied_once():
    with distribute.strategy("mirrored").scope():
        variable = keras.Variable([1.0, 2.0])
        optimizer = keras.optimizers.SGD(1.0, clipnorm=5.0)
        optimizer.build([variable])

    def step():
        apply_whole(optimizer, [tf.constant([6.0, 8.0])], [variable])
        return tf.constant(0)

    on_each(step)
    np.testing.assert_allclose(variable.numpy(), [1 - 3, 2 - 4])


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
