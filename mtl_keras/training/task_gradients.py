"""Gradients of several tasks' losses as one matrix over the variables that the tasks share."""

import math

import keras
import tensorflow as tf


def filled(gradients: list, variables: list[keras.Variable]) -> list:
    """Return the gradients with zeros where a loss does not reach the variable."""
    return [tf.zeros_like(v.value) if g is None else g for g, v in zip(gradients, variables, strict=True)]


def weighted(by_loss: list[list], weights: list, variables: list[keras.Variable]) -> list:
    """Return the weighted sum of several losses' gradients at each variable, None in a row standing for zeros."""
    found = []
    for column, variable in zip(zip(*by_loss, strict=True), variables, strict=True):
        # A factor of 1 is no work: most losses have it.
        given = [(g, w) for g, w in zip(column, weights, strict=True) if g is not None]
        parts = [g if isinstance(w, float) and w == 1 else g * w for g, w in given]
        found.append(tf.add_n(parts or [tf.zeros_like(variable.value)]))
    return found


def shared_positions(by_task: list[list]) -> list[int]:
    """Return the positions of the variables that the losses of at least two tasks reach.

    `by_task` holds a list of gradients for each task, one a variable, None where the loss does not reach it.
    """
    reached = [sum(gradient is not None for gradient in column) for column in zip(*by_task, strict=True)]
    return [position for position, tasks in enumerate(reached) if tasks > 1]


def parted(by_task: list[list], positions: list[int]) -> tuple[list[list], list[list]]:
    """Return the tasks' gradients without those at these positions, and those alone, None standing for the others."""
    without = [[None if n in positions else g for n, g in enumerate(row)] for row in by_task]
    alone = [[g if n in positions else None for n, g in enumerate(row)] for row in by_task]
    return without, alone


def rows(by_task: list[list], variables: list[keras.Variable], positions: list[int]):
    """Return the tasks' gradients at the variables of these positions, one after the other: (T, P)."""
    flat = [filled([row[p] for p in positions], [variables[p] for p in positions]) for row in by_task]
    return tf.stack([tf.concat([tf.reshape(gradient, (-1,)) for gradient in row], axis=0) for row in flat])


def pieces(vector, variables: list[keras.Variable], positions: list[int]) -> dict:
    """Return {position: gradient} from a vector (P,) of the variables of these positions, one after the other."""
    shapes = [variables[position].shape for position in positions]
    parts = tf.split(vector, [math.prod(shape) for shape in shapes])
    return {p: tf.reshape(part, shape) for p, part, shape in zip(positions, parts, shapes, strict=True)}


def products(gradients: list, scale):
    """Return the dot products (T, T) of the tasks' gradients at one variable, each of them divided by a scale."""
    flat = tf.stack([tf.reshape(gradient, (-1,)) for gradient in gradients])
    # Most optimizers have no scale, and then it is no tensor.
    flat = flat if isinstance(scale, float) else flat / scale
    return tf.matmul(flat, flat, transpose_b=True)
