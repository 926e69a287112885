"""Weights that are at least 0 and add up to 1, of the tasks that a step labels."""

from keras import ops


def onto_simplex(point, present, functions=ops):
    """Return the nearest weights (T,) to a point (T,): at least 0, and 0 for absent tasks, with the sum 1.

    They are max(point - t, 0) where t is the largest (sum of S - 1) / |S| over all sets S of the tasks' numbers (Held,
    Wolfe and Crowder, 1974, https://doi.org/10.1007/BF01580223); those from a number on upwards are the only ones to
    try. Where no task is present they are all 0. `functions` are those of keras.ops or of NumPy.
    """
    of = functions
    sets = of.logical_and(of.expand_dims(point, 0) >= of.expand_dims(point, 1), present)  # (T, T), a row a set
    sums = of.sum(of.where(sets, point, 0.0), axis=1)
    sizes = of.maximum(of.sum(of.where(sets, 1.0, 0.0), axis=1), 1.0)
    shift = of.max(of.where(present, (sums - 1.0) / sizes, -float("inf")))
    return of.where(present, of.maximum(point - shift, 0.0), 0.0)


def share_of_present(weights, present):
    """Return what the present tasks have of the weights (T,), scaled to the sum 1, and the sum that it was.

    Without any weight they have equal shares. Given back with this sum, moved shares leave the absent tasks theirs.
    """
    rows = ops.cast(present, weights.dtype)
    total = ops.sum(rows * weights)
    equal = rows / ops.maximum(ops.sum(rows), 1.0)
    return ops.where(total > 0, rows * weights / ops.where(total > 0, total, 1.0), equal), total
