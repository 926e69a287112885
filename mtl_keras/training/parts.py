"""The examples of a step, taken one part after the other, so that only a part's activations are held at a time."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Examples(NamedTuple):
    """Examples of a step: images (B, ...), {task: labels} and {task: weights (B,)}, 0 for no label.

    `weights` is a list of such dictionaries: one, or one for each half of the examples. Where some may only fill the
    batch up, `counted` holds a tensor (B,) that is 0 for these and 1 for all others.
    """

    images: object
    labels: dict
    weights: list[dict]
    counted: tuple = ()

    def rows(self):
        """Return the number of examples; Keras takes images also as {name of the input: images}."""
        return tf.shape(tf.nest.flatten(self.images)[0])[0]

    def number(self):
        """Return the number of examples that count, a scalar of float32."""
        return tf.reduce_sum(self.counted[0]) if self.counted else tf.cast(self.rows(), tf.float32)


def with_a_row(tensors, value=0):
    """Return a structure of tensors (B, ...), with a row of this value where they have none.

    Convolutions and batch norms of no row fail on some processors.
    """
    rows = tf.nest.flatten(tensors)[0]
    if rows.shape[0]:
        return tensors
    missing = tf.cast(tf.equal(tf.shape(rows)[0], 0), tf.int32)

    def padded(x):
        return tf.pad(x, [[0, missing], *[[0, 0]] * (x.shape.rank - 1)], constant_values=tf.cast(value, x.dtype))

    return tf.nest.map_structure(padded, tensors)


def in_parts(examples: Examples, count: int, function: Callable) -> tuple:
    """Return `function(examples)`, made up of what it gives for a `count` of parts: outputs, and what is to be added.

    The first are a structure of tensors (B, ...) that are put together, the others one of tensors, or None, that are
    added. Each part waits for the one before. In the graph of a step every part stands for itself, since replicas can
    exchange nothing within a loop.
    """
    if count == 1:
        return function(examples)
    rows, outputs, totals = examples.rows(), [], None
    for number in range(count):
        start, end = number * rows // count, (number + 1) * rows // count
        # A convolution of no image fails: where there are fewer than parts, one counts for nothing in the others.
        first = tf.where(end > start, start, tf.maximum(start - 1, 0))
        last = tf.maximum(end, tf.minimum(first + 1, rows))
        with tf.control_dependencies([] if totals is None else [t for t in tf.nest.flatten(totals) if t is not None]):
            part = tf.nest.map_structure(lambda x, a=first, b=last: tf.identity(x[a:b]), examples)
        some = end > start
        held = tf.nest.map_structure(lambda x, s=some: tf.where(s, x, 0.0), (part.weights, part.counted))
        part = part._replace(weights=held[0], counted=held[1])
        answers, found = function(part)
        outputs.append(tf.nest.map_structure(lambda x, n=end - start: x[:n], answers))
        totals = found if totals is None else tf.nest.map_structure(_sum, totals, found)
    return tf.nest.map_structure(lambda *each: tf.concat(each, axis=0), *outputs), totals


def _sum(first, second):
    return first if second is None else second if first is None else first + second
