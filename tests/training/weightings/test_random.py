"""Random weights: their distributions, and that a run can be repeated and resumed."""

import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.training.weightings.random import random
from mtl_keras.training.weightings.weighting import Step

NAMES = ["age", "gender", "smile"]
ALL, FEW, NONE = np.ones(3, bool), np.array([True, False, True]), np.zeros(3, bool)
LOSSES = np.array([0.5, 2.0, 4.0], "float32")


def drawn(weighting, steps: int, present=ALL) -> np.ndarray:
    @tf.function  # hundreds of steps
    def step():
        told = Step(LOSSES, present)
        answer = tf.identity(weighting.weigh(told))
        weighting.update(told)
        return answer

    return np.array([step() for _ in range(steps)])


@pytest.mark.parametrize("distribution", ["normal", "dirichlet"])
def test_five_steps_one_without_a_task(distribution):
    weighting = random(NAMES, distribution=distribution)
    first, second, third = drawn(weighting, 2), drawn(weighting, 1, FEW), drawn(weighting, 2)
    whole = drawn(random(NAMES, distribution=distribution), 5)
    # A draw is of its step, and the present share out what they would have had beside the absent.
    np.testing.assert_array_equal([*first, *third], whole[[0, 1, 3, 4]])
    np.testing.assert_allclose(second[0], 2 * FEW * whole[2] / (FEW * whole[2]).sum(), rtol=1e-5)
    assert len(np.unique(whole)) == 15


def test_a_step_without_any_label_draws_nothing():
    weighting = random(NAMES)
    assert drawn(weighting, 1, NONE).tolist() == [[0, 0, 0]]
    np.testing.assert_array_equal(drawn(weighting, 2), drawn(random(NAMES), 2))


def test_a_seed_gives_other_draws_and_the_state_goes_on_with_them():
    weighting, resumed = random(NAMES, seed=3), random(NAMES, seed=3)
    assert np.abs(drawn(weighting, 4) - drawn(random(NAMES), 4)).min() > 1e-4
    resumed.state.whole[0].assign(4)
    np.testing.assert_array_equal(drawn(weighting, 2), drawn(resumed, 2))


def test_the_parts_are_of_the_distribution():
    flat = drawn(random(NAMES, distribution="dirichlet"), 400) / 3
    # Of a flat Dirichlet distribution of three parts each has mean 1/3 and variance 1/18.
    np.testing.assert_allclose(flat.mean(0), [1 / 3] * 3, atol=0.04)
    np.testing.assert_allclose(flat.var(0), [1 / 18] * 3, atol=0.01)
    logarithms = np.log(drawn(random(NAMES), 400))
    differences = logarithms[:, 0] - logarithms[:, 1]
    assert abs(differences.mean()) < 0.2 and differences.var() == pytest.approx(2, abs=0.35)
