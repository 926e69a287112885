"""Weights that are drawn anew in every step: the baseline for whatever weighs by a reason.

Source: Lin, Ye, Zhang and Tsang, Reasonable effectiveness of random weighting: a litmus test for multi-task learning,
2022, https://arxiv.org/abs/2111.10603.
"""

import zlib
from typing import Literal

import tensorflow as tf
from keras import ops

from mtl_keras.training.weightings.present import count, shares, softmax
from mtl_keras.training.weightings.weighting import State, Weighting, total, variable


def random(tasks: list[str], *, distribution: Literal["normal", "dirichlet"] = "normal", seed: int = 0) -> Weighting:
    """Weigh the T tasks that are present by T times their part of a draw: as much as equal weights on average.

    By "normal", the paper's usual one, the parts are the softmax of numbers from a standard normal distribution; by
    "dirichlet" they are from the flat Dirichlet distribution. (The paper's weights add up to 1, not to T.) What a task
    draws follows from `seed`, its name and the number of the step, so a resumed run draws on, and replicas draw alike.
    """
    draws = variable(0, "draws")
    keys = [zlib.crc32(f"{seed} {task}".encode()) for task in tasks]

    def drawn(function):  # -> (T,)
        seeds = [tf.stack([tf.constant(key, "int64"), tf.convert_to_tensor(draws.value)]) for key in keys]
        return tf.stack([function((), each, alg="philox") for each in seeds])

    def weigh(step):  # -> (T,)
        if distribution == "normal":
            parts = softmax(drawn(tf.random.stateless_normal), step.present)
        else:
            # Shares of exponential variables are flat on the simplex.
            parts = shares(-tf.math.log1p(-drawn(tf.random.stateless_uniform)), step.present)
        return count(step.present) * parts

    def update(step):
        draws.assign(draws.value + ops.cast(ops.any(step.present), "int64"))

    return Weighting("losses", weigh, State(whole=[draws]), update=update, objective=total, reads_losses=False)
