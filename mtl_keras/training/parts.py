"""The examples of a step, taken one part after the other, so that only a part's activations are held at a time."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Examples(NamedTuple):
    """Examples of a step: images (B, ...), {task: labels} and {task: weights (B,)}, 0 for no label.

    `weights` is a list of such dictionaries: one, or one for each half of the examples.
    """

    images: object
    labels: dict
    weights: list[dict]

    def rows(self):
        """Return the number of examples; Keras takes images also as {name of the input: images}."""
        return tf.shape(tf.nest.flatten(self.images)[0])[0]


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
        part = part._replace(weights=tf.nest.map_structure(lambda x, s=some: tf.where(s, x, 0.0), part.weights))
        answers, found = function(part)
        outputs.append(tf.nest.map_structure(lambda x, n=end - start: x[:n], answers))
        totals = found if totals is None else tf.nest.map_structure(_sum, totals, found)
    return tf.nest.map_structure(lambda *each: tf.concat(each, axis=0), *outputs), totals


def _sum(first, second):
    return first if second is None else second if first is None else first + second
