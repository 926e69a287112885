"""GradDrop by hand: what is kept with known draws, how often, and how draws go on."""

import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.training.weightings.graddrop import graddrop
from mtl_keras.training.weightings.weighting import Step

GRADIENTS = np.array([[1.0, 2.0, 0.0, 1.0], [-2.0, 0.5, 1.0, 0.0], [0.5, -1.0, 3.0, 1.0]], "float32")
EVERYONE = np.ones(3, bool)


def of(gradients, present=EVERYONE) -> Step:
    return Step(None, tf.constant(present), gradients=tf.constant(gradients))


def by_hand(gradients, seed: int, step: int, leak: float = 0.0) -> np.ndarray:
    drawn = tf.random.stateless_uniform((gradients.shape[1],), [seed, step], alg="philox").numpy()
    purity = (1 + gradients.sum(0) / np.abs(gradients).sum(0)) / 2
    total = np.zeros_like(purity)
    for gradient in gradients:
        kept = np.where(gradient > 0, purity > drawn, purity < drawn)
        total += np.where(kept, 1, leak) * gradient
    return total


@pytest.mark.parametrize("leak", [0.0, 0.25, 1.0])
def test_five_steps_by_hand_one_without_a_task(leak):
    weighting = graddrop(["a", "b", "c"], leak=leak, seed=4)
    for number in range(5):
        present = np.array([True, number != 2, True])
        gradients = GRADIENTS * [[1.0], [number + 1.0], [-1.0]]
        step = of(gradients.astype("float32"), present)
        np.testing.assert_allclose(weighting.weigh(step), by_hand(gradients[present], 4, number, leak), rtol=1e-6)
        weighting.update(step)


def test_one_sign_stays_at_each_element_as_often_as_its_purity_says():
    gradients = np.repeat([[3.0], [-1.0]], 4000, axis=1).astype("float32")
    found = np.asarray(graddrop(["a", "b"]).weigh(of(gradients, np.ones(2, bool))))
    assert set(found.tolist()) == {3.0, -1.0}
    assert np.mean(found == 3.0) == pytest.approx(0.75, abs=0.03)  # (1 + 2 / 4) / 2


def test_draws_come_from_the_seed_and_the_number_of_the_step():
    gradients = np.repeat([[1.0], [-1.0]], 64, axis=1).astype("float32")
    step = of(gradients, np.ones(2, bool))
    first, again, other = graddrop(["a", "b"]), graddrop(["a", "b"]), graddrop(["a", "b"], seed=1)
    drawn = np.asarray(first.weigh(step))
    np.testing.assert_array_equal(drawn, again.weigh(step))
    assert (drawn != np.asarray(other.weigh(step))).any()
    first.update(of(gradients, np.zeros(2, bool)))  # without any label nothing is drawn
    np.testing.assert_array_equal(drawn, first.weigh(step))
    first.update(step)
    assert (drawn != np.asarray(first.weigh(step))).any()
    again.state.whole[0].assign(1)
    np.testing.assert_array_equal(again.weigh(step), first.weigh(step))


@pytest.mark.parametrize("leak", [-0.1, 1.1, float("nan")])
def test_a_leak_that_is_no_share_is_refused(leak):
    with pytest.raises(UserError, match="graddrop: leak is .*from 0 to 1"):
        graddrop(["a"], leak=leak)
