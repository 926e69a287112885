"""MGDA against a solver of quadratic programs and against published combinations."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize

from mtl_keras.training.weightings.mgda import smallest_combination

# As in a training step, and a step of the loop is a hundred times as fast.
compiled = tf.function(smallest_combination)


def combined(gradients: np.ndarray, present=None) -> np.ndarray:
    """The combination (P,) of gradients (T, P)."""
    present = np.ones(len(gradients), bool) if present is None else present
    weights = compiled(tf.constant(gradients @ gradients.T, "float32"), tf.constant(present))
    assert np.asarray(weights).min() >= 0 and np.sum(weights) == pytest.approx(1, abs=1e-5)
    return np.asarray(weights) @ gradients


def by_solver(gradients: np.ndarray) -> np.ndarray:
    """The same by sequential quadratic programming, from every corner and from the middle."""
    tasks, gramian = len(gradients), gradients @ gradients.T
    found = [
        minimize(
            lambda weights: weights @ gramian @ weights,
            start,
            jac=lambda weights: 2 * gramian @ weights,
            bounds=[(0, 1)] * tasks,
            constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        for start in [np.full(tasks, 1 / tasks), *np.eye(tasks)]
    ]
    return min(found, key=lambda result: result.fun).x @ gradients


@pytest.mark.parametrize("tasks", [2, 3, 5, 8])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_it_is_the_smallest_combination(tasks, size):
    random = np.random.default_rng(tasks)
    for shift in (0.0, 0.5, 2.0):  # from gradients all against each other to gradients of one direction
        gradients = size * (random.normal(size=(tasks, 20)) * random.uniform(0.2, 3, (tasks, 1)) + shift)
        np.testing.assert_allclose(combined(gradients), by_solver(gradients / size) * size, atol=1e-4 * size)


def test_of_two_gradients_it_is_the_foot_of_the_perpendicular():
    first, second = np.array([1.0, 3.0]), np.array([1.0, -1.0])
    np.testing.assert_allclose(combined(np.stack([first, second])), [1.0, 0.0], atol=1e-6)
    # Where that lies beyond the shorter one, it is the shorter one.
    np.testing.assert_allclose(combined(np.array([[3.0, 0.0], [1.0, 0.5]])), [1.0, 0.5], atol=1e-6)


def test_an_absent_gradient_takes_no_part():
    gradients = np.array([[1.0, 3.0], [0.0, 0.0], [1.0, -1.0]])
    np.testing.assert_allclose(combined(gradients, np.array([True, False, True])), [1.0, 0.0], atol=1e-6)


@pytest.mark.realdata
def test_it_is_the_published_combination():
    # TorchJD's solver stops at 1e-3: ours is as near as that, and nearer to the exact one.
    cases = json.loads(Path(os.environ["MTL_KERAS_DATA"], "gradient_aggregation.json").read_text())["cases"]
    assert cases
    for case in cases:
        gradients, published = np.array(case["jacobian"]), np.array(case["aggregated"]["MGDA"])
        found = combined(gradients)
        np.testing.assert_allclose(found, published, atol=1e-3)
        np.testing.assert_allclose(found, by_solver(gradients), atol=1e-4)
        assert found @ found <= published @ published + 1e-6
