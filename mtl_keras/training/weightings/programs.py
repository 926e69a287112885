"""Weights of gradients that NumPy and its solvers compute, in the middle of a compiled training step."""

import threading
from collections.abc import Callable
from functools import cache

import numpy as np
import tensorflow as tf
from threadpoolctl import ThreadpoolController

from mtl_keras.training.weightings.weighting import Step

# Replicas compute the same at once, and what one sets here another would take for what was set before.
LOCK = threading.Lock()


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def in_numpy(function: Callable, step: Step, *others, columns: int | None = None):
    """Return the weights (T,) that `function(gramian (N, N), *others)` gives the N tasks that are present, else 0.

    All come as NumPy arrays of float64 without the rows and columns of the absent tasks; `others` have one row a task,
    (T,) or (T, ...). With `columns`, the function gives that many numbers for each task, and all are (T, columns). It
    is not called where no task is present, and where a value is not finite the weights are NaN, so that the step is
    skipped. Such a small program takes a tenth of a millisecond; its input is T x T numbers.
    """
    size = step.gramian.shape[0]
    shape = (size,) if columns is None else (size, columns)

    def weights(gramian, present, *arrays):
        chosen = np.flatnonzero(np.tile(present, size // len(present)))
        found = np.zeros(shape)
        arrays = [np.asarray(array, "float64")[chosen[chosen < len(array)]] for array in arrays]
        gramian = np.asarray(gramian, "float64")[np.ix_(chosen, chosen)]
        if not all(np.isfinite(array).all() for array in (gramian, *arrays)):
            found[chosen] = np.nan
        elif len(chosen):
            # In two threads, matrices as small as these wait a hundred times as long for a core as they compute.
            with LOCK, _threads().limit(limits=1, user_api="blas"):
                found[chosen] = function(gramian, *arrays)
        return found

    inputs = [step.gramian, step.present, *others]
    found = tf.numpy_function(weights, inputs, tf.float64, stateful=False)
    return tf.cast(tf.ensure_shape(found, shape), step.gramian.dtype)
