"""SDMGrad: two samples of gradients, weights that go on from step to step, and what they come to."""

import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.errors import UserError
from mtl_keras.training.weightings.mgda import shortest
from mtl_keras.training.weightings.sdmgrad import sdmgrad
from mtl_keras.training.weightings.weighting import Step

RANDOM = np.random.default_rng(0)


def answer(weighting, halves, present=(True, True, True)) -> np.ndarray:
    """The weights of a step of both halves' gradients (6, P), which the state then follows."""
    step = Step(None, np.array(present), halves @ halves.T)
    found = np.asarray(weighting.weigh(step))
    weighting.update(step._replace(answer=found))
    return found


def test_a_step_is_one_of_the_gradient_between_the_two_halves():
    gradients = RANDOM.normal(size=(3, 4))
    halves = np.concatenate([gradients, gradients + 0.1 * RANDOM.normal(size=(3, 4))])
    products = halves[:3] @ halves[3:].T
    products /= np.mean(np.sqrt(np.diag(products))) ** 2
    weighting = sdmgrad(list("abc"), regularization=0.5, steps=1, learning_rate=0.1, preference=(2.0, 1.0, 1.0))
    wanted, weights = np.array([0.5, 0.25, 0.25]), np.full(3, 1 / 3)
    for _ in range(2):
        slope = products @ (weights + 0.5 * wanted)
        weights = weights - 0.1 * (slope - slope.mean())  # within the simplex
        np.testing.assert_allclose(answer(weighting, halves), np.tile((weights + 0.5 * wanted) / 1.5, 2), rtol=1e-5)
        np.testing.assert_allclose(weighting.state.rows[0], weights, rtol=1e-5)


def test_many_steps_come_to_the_shortest_near_the_wanted_direction():
    gradients = RANDOM.normal(size=(3, 4))
    weighting = sdmgrad(list("abc"), steps=2000, learning_rate=0.1)
    found = answer(weighting, np.concatenate([gradients, gradients]) / 2)[:3] @ gradients
    moved = gradients + 0.3 * gradients.mean(0)
    np.testing.assert_allclose(1.3 * found, shortest(moved.T) @ moved, atol=1e-5)


def test_an_absent_task_takes_no_part():
    halves, weighting = RANDOM.normal(size=(6, 4)), sdmgrad(list("abc"))
    found = answer(weighting, halves, (True, False, True))
    fewer = answer(sdmgrad(list("ac")), halves[[0, 2, 3, 5]], (True, True))
    np.testing.assert_allclose(found, np.insert(fewer, [1, 3], 0.0), rtol=1e-6)


@pytest.mark.parametrize(
    "settings", [{"regularization": -1.0}, {"steps": 0}, {"learning_rate": 0.0}, {"momentum": 1.0}]
)
def test_what_cannot_be_is_refused(settings):
    with pytest.raises(UserError, match=f"sdmgrad: {next(iter(settings))} is"):
        mtl.aggregate("sdmgrad", np.eye(2), **settings)
