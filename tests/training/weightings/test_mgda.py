"""MGDA against a solver of quadratic programs and against published combinations."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

import mtl_keras as mtl
from mtl_keras.training.weightings.mgda import shortest


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
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_it_is_the_smallest_combination(tasks, size):
    random = np.random.default_rng(tasks)
    for shift in (0.0, 0.5, 2.0):  # from gradients all against each other to gradients of one direction
        gradients = random.normal(size=(tasks, 20)) * random.uniform(0.2, 3, (tasks, 1)) + shift
        np.testing.assert_allclose(mtl.aggregate("mgda", size * gradients) / size, by_solver(gradients), atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 20), (8, 3), (30, 100)])
def test_no_gradient_is_less_far_along_the_combined_one_than_it_is_long(shape):
    # What makes it the shortest, whatever the solver.
    gradients = np.random.default_rng(0).normal(size=shape) * np.logspace(-3, 3, shape[0])[:, None] + 0.1
    found = mtl.aggregate("mgda", gradients)
    assert (gradients @ found).min() >= found @ found - 1e-12


def test_of_two_gradients_it_is_the_foot_of_the_perpendicular():
    np.testing.assert_allclose(mtl.aggregate("mgda", [[1.0, 3.0], [1.0, -1.0]]), [1.0, 0.0], atol=1e-12)
    # Where that lies beyond the shorter one, it is the shorter one.
    np.testing.assert_allclose(mtl.aggregate("mgda", [[3.0, 0.0], [1.0, 0.5]]), [1.0, 0.5], atol=1e-12)


def test_where_a_point_is_0_the_weights_are_on_it():
    assert shortest(np.array([[1.0, 0.0, 3.0, 0.0]])).tolist() == [0.0, 0.5, 0.0, 0.5]


@pytest.mark.realdata
def test_it_is_at_most_as_long_as_the_published_combination():
    # TorchJD's solver stops at 1e-3.
    cases = json.loads(Path(os.environ["MTL_KERAS_DATA"], "gradient_aggregation.json").read_text())["cases"]
    assert cases
    for case in cases:
        found, published = mtl.aggregate("mgda", case["jacobian"]), np.array(case["aggregated"]["MGDA"])
        assert found @ found <= published @ published * (1 + 1e-12)
