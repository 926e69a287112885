"""Nash-MTL: its bargain, its bound, and weights that are kept for several steps."""

import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.errors import UserError
from mtl_keras.training.weightings.nash_mtl import nash_mtl
from mtl_keras.training.weightings.weighting import Step

RANDOM = np.random.default_rng(0)
JACOBIAN = RANDOM.normal(size=(3, 6)) * np.array([[1.0], [50.0], [0.1]])


def test_no_step_of_this_length_has_a_larger_product_of_gains():
    found = mtl.aggregate("nash_mtl", JACOBIAN)
    assert np.linalg.norm(found) == pytest.approx(1)
    others = found + 0.01 * RANDOM.normal(size=(500, 6))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    assert (JACOBIAN @ found).min() > 0
    assert np.prod(others @ JACOBIAN.T, axis=1).max() <= np.prod(JACOBIAN @ found) + 1e-12


def test_without_a_bound_it_is_as_long_as_the_root_of_the_number_of_tasks():
    assert np.linalg.norm(mtl.aggregate("nash_mtl", JACOBIAN, max_norm=0.0)) == pytest.approx(np.sqrt(3))
    assert np.linalg.norm(mtl.aggregate("nash_mtl", JACOBIAN, max_norm=1.5)) == pytest.approx(1.5)
    assert np.linalg.norm(mtl.aggregate("nash_mtl", JACOBIAN, max_norm=9.0)) == pytest.approx(np.sqrt(3))


def test_weights_are_kept_for_several_steps_and_bounded_in_each():
    weighting, always = nash_mtl(list("abc"), update_every=2), nash_mtl(list("abc"), max_norm=0.0)
    kept = None
    for number in range(4):
        gradients = RANDOM.normal(size=(3, 6))
        step = Step(None, np.ones(3, bool), gradients @ gradients.T)
        kept = np.asarray(always.weigh(step)) if number % 2 == 0 else kept
        expected = kept / max(np.linalg.norm(kept @ gradients), 1)
        np.testing.assert_allclose(weighting.weigh(step), expected, rtol=1e-6)
        weighting.update(step)


@pytest.mark.parametrize("settings", [{"max_norm": -1.0}, {"update_every": 0}])
def test_what_cannot_be_is_refused(settings):
    with pytest.raises(UserError, match=f"nash_mtl: {next(iter(settings))} is"):
        mtl.aggregate("nash_mtl", JACOBIAN, **settings)
