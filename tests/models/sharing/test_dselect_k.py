"""DSelect-k: the smooth step and the binary codes by hand, at most k experts, and what is added to the loss."""

import itertools

import keras
import numpy as np
import pytest

from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.sharing.dselect_k import SelectingGate, dselect_k, smooth_step
from mtl_keras.models.sharing.sharing import Settings, Trunk

ROWS = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


def gate(experts=4, k=2, gamma=1.0, entropy=0.0) -> SelectingGate:
    keras.utils.set_random_seed(0)
    layer = SelectingGate(experts, k, gamma, entropy)
    layer.build((None, 4))
    return layer


@pytest.mark.parametrize("gamma", [1.0, 4.0])
def test_the_smooth_step_is_the_papers_cubic(gamma):
    x = np.linspace(-gamma, gamma, 41).astype("float32")
    cubic = -2 * x**3 / gamma**3 + 3 * x / (2 * gamma) + 0.5
    expected = np.where(x <= -gamma / 2, 0, np.where(x >= gamma / 2, 1, cubic))
    np.testing.assert_allclose(smooth_step(x, gamma), expected, atol=1e-6)


def test_selectors_weigh_the_experts_of_their_codes():
    layer = gate(experts=4, k=2)
    # Steps of 0.25 are 0.84375 with gamma 1, those of -0.1 are 0.352, and what is beyond 0.5 is 0 or 1.
    layer.points.assign([[0.25, -0.1], [0.9, -0.7]])
    layer.logits.assign(np.log([3.0, 1.0]))
    s, t = 0.84375, 0.352
    first = np.array([(1 - s) * (1 - t), (1 - s) * t, s * (1 - t), s * t])
    second = np.array([0, 0, 1, 0])
    weights = layer(ROWS)
    np.testing.assert_allclose(weights, np.tile(0.75 * first + 0.25 * second, (5, 1)), rtol=1e-5)


@pytest.mark.parametrize(("experts", "k"), [(8, 2), (4, 3), (6, 2), (2, 1)])
def test_at_most_k_experts_are_selected_at_the_ends_of_the_steps(experts, k):
    layer = gate(experts, k)
    assert (layer(ROWS).numpy() > 0).all()  # in the middle of the steps
    for ends in itertools.product([-0.6, 0.6], repeat=k * layer.digits):
        layer.points.assign(np.reshape(ends, (k, -1)))
        weights = layer(ROWS[:1]).numpy()
        assert (weights > 0).sum() <= k
        total = weights.sum()
        assert total == pytest.approx(1, rel=1e-5) or (experts == 6 and total < 1)


def test_the_entropy_of_the_selectors_is_added_to_the_loss():
    layer = gate(experts=4, k=3, entropy=0.1)
    for variable in layer.trainable_variables:
        variable.assign(np.zeros(variable.shape))
    layer(ROWS)
    # Each of three selectors weighs four experts alike.
    assert float(layer.losses[0]) == pytest.approx(0.1 * 3 * np.log(4), rel=1e-4)
    layer.points.assign(np.full((3, 2), 0.6))
    layer(ROWS)
    assert float(layer.losses[0]) == pytest.approx(0, abs=1e-5)


def test_codes_beyond_the_experts_cost_loss_until_none_is_selected():
    layer = gate(experts=3, k=1)
    layer.points.assign([[0.0, 0.0]])
    np.testing.assert_allclose(layer(ROWS)[0], [0.25, 0.25, 0.25])
    assert float(layer.losses[0]) == pytest.approx(1 / 0.75 - 1, rel=1e-5)
    layer.points.assign([[0.6, -0.6]])
    np.testing.assert_allclose(layer(ROWS)[0], [0, 0, 1])
    assert float(layer.losses[0]) == 0


def test_training_by_the_entropy_ends_with_k_experts():
    inputs = keras.Input((4,))
    shared = dselect_k(Trunk(BACKBONES["features"], 4), ["age"], Settings((3,), 0.0), experts=4, k=2, entropy=1.0)
    keras.utils.set_random_seed(1)
    model = keras.Model(inputs, shared(inputs)["age"])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(np.tile(ROWS, (100, 1)), np.zeros((500, 3)), batch_size=5, verbose=0)
    weights = model.get_layer("age_gate")(ROWS).numpy()
    assert (weights[0] > 0).sum() <= 2 and weights[0].sum() == pytest.approx(1)
