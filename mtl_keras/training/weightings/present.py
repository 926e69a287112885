"""What is shared out among the tasks that have a label in a step; the others get 0."""

from keras import ops


def count(present):
    """Return the number of tasks that are present, a scalar of float32."""
    return ops.sum(ops.cast(present, "float32"))


def shares(values, present):
    """Return values (T,) of at least 0 as shares, (T,), which add up to 1."""
    values = ops.where(present, values, 0.0)
    return values / ops.maximum(ops.sum(values), 1e-30)


def softmax(values, present):
    """Return the softmax of values (T,), (T,), which adds up to 1."""
    top = ops.max(ops.where(present, values, -1e30))
    return shares(ops.exp(ops.where(present, values - top, 0.0)), present)
