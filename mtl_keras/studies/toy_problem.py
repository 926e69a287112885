"""Two losses of a point in a plane, on which ways of weighting are seen at work: valleys that trap, and a front.

Source: Liu et al., Conflict-averse gradient descent for multi-task learning, 2021, https://arxiv.org/abs/2110.14048.
"""

import functools

import keras
import numpy as np
import tensorflow as tf

from mtl_keras.training import weightings
from mtl_keras.training.weightings.weighting import Step, Weighting

# The paper's three starts, and two of Navon et al., Multi-task learning as a bargaining game, 2022,
# https://arxiv.org/abs/2202.01017, whose fifth lies where the losses have a kink.
STARTS = np.array([[-8.5, 7.5], [-8.5, -5.0], [9.0, 9.0], [-7.5, -0.5], [9.0, -1.0]], "float32")
# Plain descent, whose steps are no longer than this: adaptive rates would find a way out of every valley.
RATE, LONGEST, EPOCHS, STEPS = 3.0, 0.2, 6, 50
TASKS = ("first", "second")
# Losses of training are positive: so are these, whose lowest point is at 1. Gradients do not see it.
SHIFT = 21.0
# Where no loss can fall without the other rising: from x = -7, the lowest point of the second, to 7 of the first.
FRONT_ENDS, FRONT_HEIGHT = (-7.0, 7.0), -8.36
# Settings for so few steps of such lengths, where a weighting's own are for long training.
CHOICES = {"moco": "moco:sigma=0", "modo": "modo:gamma=0.1"}


def losses_of(points):
    """Return both losses (..., 2) of points (..., 2)."""
    x, y = points[..., 0], points[..., 1]
    above, below = tf.nn.relu(tf.tanh(y / 2)), tf.nn.relu(tf.tanh(-y / 2))
    valleys = [(-x - 7.0) / 2 + tf.tanh(y), (-x + 3.0) / 2 - tf.tanh(y) + 2.0]
    bowls = [((x - 7.0) ** 2 + (y + 8.0) ** 2 / 10) / 10 - 20.0, ((x + 7.0) ** 2 + (y + 8.0) ** 2 / 10) / 10 - 20.0]
    found = [
        (tf.math.log(tf.maximum(tf.abs(valley), 5e-6)) + 6.0) * above + bowl * below + SHIFT
        for valley, bowl in zip(valleys, bowls, strict=True)
    ]
    return tf.stack(found, axis=-1)


def distances_to_front(points: np.ndarray) -> np.ndarray:
    """Return how far points (..., 2) are from the front, (...), which is all but straight."""
    nearest = np.clip(points[..., 0], *FRONT_ENDS)
    return np.hypot(points[..., 0] - nearest, points[..., 1] - FRONT_HEIGHT)


def paths_of(choice: str, starts: np.ndarray = STARTS) -> np.ndarray:
    """Return the paths (S, N, 2) from S starts (S, 2) down along what a weighting makes of the gradients.

    `choice` is a name of WEIGHTINGS, with settings behind a colon.
    """
    weighting = weightings.find(choice, list(TASKS), lambda: 2)
    point, optimizer = keras.Variable(starts[0], name="point"), keras.optimizers.SGD(RATE, clipnorm=LONGEST / RATE)
    optimizer.build([point, *weighting.variables(trained=True)])
    state = [*optimizer.variables, *weighting.variables()]
    before = [variable.numpy() for variable in state]
    epoch, present = tf.function(functools.partial(_epoch, weighting, point, optimizer)), tf.ones(2, bool)
    paths = []
    for start in starts:
        for variable, value in zip([point, *state], [start, *before], strict=True):
            variable.assign(value)
        places = [start[None]]
        for _ in range(EPOCHS):
            path, losses = epoch()
            places.append(path.numpy())
            if weighting.end_epoch:
                weighting.end_epoch(losses, present)
        paths.append(np.concatenate(places))
    return np.stack(paths)


def _epoch(weighting: Weighting, point: keras.Variable, optimizer: keras.optimizers.Optimizer) -> tuple:
    """Take the steps of an epoch, and return where each led, (STEPS, 2), and the mean losses (2,) before them."""
    places, total = tf.TensorArray(tf.float32, STEPS), tf.zeros(2)
    for number in tf.range(STEPS):
        total += _step(weighting, point, optimizer)
        places = places.write(number, point.value)
    return places.stack(), total / STEPS


def _step(weighting: Weighting, point: keras.Variable, optimizer: keras.optimizers.Optimizer):
    """Move the point by one step of training, and return the losses (2,) before it."""
    trained = weighting.variables(trained=True)
    place = tf.identity(point.value)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(place)
        losses = losses_of(place)
        each = tf.unstack(losses)
    rows = tf.stack([tape.gradient(loss, place) for loss in each])  # (2, 2)
    step = Step(losses, tf.ones(2, bool))
    # Two halves of a batch that are alike: each has half of the gradient.
    rows = tf.concat([rows, rows], axis=0) / 2 if weighting.halves else rows
    if weighting.needs == "gradients":
        step = step._replace(gradients=rows)
    if weighting.needs == "gramian":
        step = step._replace(gramian=tf.matmul(rows, rows, transpose_b=True))
    with tf.GradientTape() as tape:
        answer = weighting.weigh(step)
        rest = tf.reduce_sum(answer * losses) + weighting.regularizer(step.present) if trained else 0.0
    combined = answer if weighting.needs == "gradients" else tf.linalg.matvec(rows, answer, transpose_a=True)
    of_trained = tape.gradient(rest, trained) if trained else []
    optimizer.apply_gradients(zip([combined, *of_trained], [point, *trained], strict=True))
    step = step._replace(answer=answer, after=losses_of(point.value) if weighting.looks_again else None)
    if weighting.update:
        weighting.update(step)
    return losses
