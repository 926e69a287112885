"""Steps that several replicas take together: what each does of one, and steps that all of them skip."""

from collections.abc import Callable

import keras
import tensorflow as tf

from mtl_keras.models.replicas import over_replicas, replicas


def before_this_replica(counts):
    """Return the sum of what the replicas before this one count, (T,); 0 on the first."""
    if replicas() == 1:
        return tf.zeros_like(counts)
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    rows = tf.one_hot(number, replicas(), dtype=counts.dtype)[:, None] * counts  # (replicas, T), 0 but for this one's
    return tf.reduce_sum(over_replicas(rows)[:number], axis=0)


def apply_whole(optimizer: keras.optimizers.Optimizer, gradients: list, variables: list) -> None:
    """Apply gradients that are those of all replicas already, and alike on each of them.

    Keras would add them up once more, after it has clipped them: as much to send again, and a step as many times too
    large.
    """
    own = optimizer.inner_optimizer if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else optimizer
    if replicas() > 1:
        own._all_reduce_sum_gradients = list
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


def either(condition, then: Callable, otherwise: Callable, values: list, others: list) -> None:
    """Call `then(values)` where a condition (), which is alike on all replicas, holds, else `otherwise(others)`.

    Both change variables. A replica alone must not choose what all of them do together, so that with several of them
    the choice is made between the replicas.
    """
    if tf.__internal__.distribute.strategy_supports_no_merge_call():
        tf.cond(condition, lambda: _done(then(values)), lambda: _done(otherwise(others)))
        return

    def choose(distribution, condition, values, others):
        def on_each(change, arguments):
            return lambda: _done(distribution.extended.call_for_each_replica(change, args=(arguments,)))

        first = distribution.experimental_local_results(condition)[0]
        tf.cond(first, on_each(then, values), on_each(otherwise, others))

    tf.distribute.get_replica_context().merge_call(choose, args=(condition, values, others))


def _done(_) -> None:
    """Return nothing, as both branches of a condition must return alike."""


def assign(variables: list, values: list) -> None:
    """Give variables these values."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def all_finite(values: list):
    """Return whether all values of these tensors are numbers, () bool."""
    return tf.reduce_all([tf.math.is_finite(tf.reduce_sum(tf.cast(each, tf.float32))) for each in values])
