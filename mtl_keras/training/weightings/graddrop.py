"""Gradients of which, at each of their elements, only those of one sign are kept.

Source: Chen et al., Just pick a sign: optimizing deep multitask models with gradient sign dropout, 2020,
https://arxiv.org/abs/2010.06808.
"""

import tensorflow as tf
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.weighting import State, Weighting, variable


def graddrop(tasks: list[str], *, leak: float = 0.0, seed: int = 0) -> Weighting:
    """Add up, element by element, the gradients of one sign, which is drawn by how much of them is positive.

    With the purity P = (1 + sum g / sum |g|) / 2 and U uniform in [0, 1), positive elements stay where P > U and
    negative ones where P < U; of the others `leak` (0 to 1, the paper's 0) times their value stays. U is drawn from
    the `seed` and the number of the step, the same on every replica.
    """
    if not 0 <= leak <= 1:
        raise UserError(f"graddrop: leak is {leak}; expected a number from 0 to 1")
    steps = variable(0, "steps")

    def weigh(step):  # -> (P,)
        gradients = ops.where(ops.expand_dims(step.present, -1), step.gradients, 0.0)
        sizes = ops.sum(ops.abs(gradients), axis=0)  # (P,)
        purity = (1.0 + ops.sum(gradients, axis=0) / ops.where(sizes > 0, sizes, 1.0)) / 2
        key = tf.stack([tf.constant(seed, "int64"), tf.cast(steps.value, "int64")])
        drawn = ops.cast(tf.random.stateless_uniform(tf.shape(purity), key, alg="philox"), purity.dtype)
        kept = ops.where(gradients > 0, purity > drawn, purity < drawn)
        return ops.sum(ops.where(kept, gradients, leak * gradients), axis=0)

    def update(step):
        steps.assign_add(ops.cast(ops.any(step.present), steps.dtype))

    return Weighting("gradients", weigh, State(whole=[steps]), update=update)
