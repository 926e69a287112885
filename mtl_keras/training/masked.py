"""Sums and means over the examples that have a label."""

from keras import ops


def masked_sum(values, mask):
    """Return the sum of values (B,) where mask (B,) is 1, and how many those are.

    Not (values * mask): a masked example whose value is not finite must still count as removed.
    """
    mask = ops.cast(mask, "float32")
    total = ops.sum(ops.multiply(ops.where(mask > 0, values, 0.0), mask))
    return ops.cast(total, "float32"), ops.sum(mask)


def mean_of(total, count):
    """Return total / count, and the total itself, which is 0 then, where nothing was counted."""
    return total / ops.where(count > 0, count, 1.0)
