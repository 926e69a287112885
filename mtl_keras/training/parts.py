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

    def labelled_rows(self):
        """Return 1 for an example with a label of any task, else 0, (B,)."""
        weights = [weights for each in self.weights for weights in each.values()]
        return tf.cast(tf.reduce_any(tf.stack(weights) > 0, axis=0), tf.float32)


def with_a_row(tensors):
    """Return a structure of tensors (B, ...), with a row of zeros where they have none.

    Convolutions and batch norms of no row fail on some processors.
    """
    rows = tf.nest.flatten(tensors)[0]
    if rows.shape[0]:
        return tensors
    missing = tf.cast(tf.equal(tf.shape(rows)[0], 0), tf.int32)
    return tf.nest.map_structure(lambda x: tf.pad(x, [[0, missing], *[[0, 0]] * (x.shape.rank - 1)]), tensors)


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
