"""What replicas tell each other in a step: the only all_reduce of the package, and steps that all of them skip."""

from collections.abc import Callable

import tensorflow as tf


def replicas() -> int:
    """Return the number of replicas that compute this step together."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def over_replicas(values):
    """Sum a tensor, or a list of them, over all replicas."""
    if replicas() == 1:
        return values
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)


def before_this_replica(counts):
    """Return the sum of what the replicas before this one count, (T,); 0 on the first."""
    if replicas() == 1:
        return tf.zeros_like(counts)
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    rows = tf.one_hot(number, replicas(), dtype=counts.dtype)[:, None] * counts  # (replicas, T), 0 but for this one's
    return tf.reduce_sum(over_replicas(rows)[:number], axis=0)


def on_first_replica(gradients: list) -> list:
    """Return whole gradients on the first replica and zeros on the others.

    Keras clips before it sums over the replicas: so it clips the whole gradient, and its sum leaves that as it is.
    """
    if replicas() == 1:
        return gradients
    first = tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 0)
    return [tf.where(first, gradient, tf.zeros_like(gradient)) for gradient in gradients]


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
