"""What replicas of a network tell each other: the only all_reduce of the package."""

import tensorflow as tf


def replicas() -> int:
    """Return the number of replicas that compute this step together."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def over_replicas(values):
    """Sum a tensor, or a list of them, over all replicas."""
    if replicas() == 1:
        return values
    context, flat = tf.distribute.get_replica_context(), tf.nest.flatten(values)
    sums = list(flat)
    # Those of one type travel together, and those of several types cannot.
    for dtype in dict.fromkeys(tensor.dtype for tensor in flat):
        places = [place for place, tensor in enumerate(flat) if tensor.dtype == dtype]
        found = context.all_reduce(tf.distribute.ReduceOp.SUM, [flat[place] for place in places])
        for place, total in zip(places, found, strict=True):
            sums[place] = total
    return tf.nest.pack_sequence_as(values, sums)
