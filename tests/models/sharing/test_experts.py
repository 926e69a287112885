"""Experts and their mixtures by hand, what their gates show, and what every way of sharing by experts obeys."""

import keras
import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.models.sharing.experts import WIDEST, Mixture, expert, gate_values
from mtl_keras.models.sharing.sharing import Settings
from mtl_keras.tasks import EYEGLASSES, GENDER, SMILE
from mtl_keras.training.model import MultiTaskModel

TASKS = [GENDER, SMILE, EYEGLASSES]
FEATURES = np.random.default_rng(0).normal(size=(7, 6)).astype("float32")
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 10, 10, 3)).astype("uint8")
WAYS = ["mmoe:experts=3", "cgc:shared_experts=2", "ple", "dselect_k:experts=4,k=3"]
every_way = pytest.mark.parametrize("sharing", WAYS)


def network(sharing: str, backbone: str = "features", image_size: int = 6) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    return MultiTaskModel(TASKS, backbone, sharing, image_size, shared_units=(5, 4), head_units=(3,), dropout=0.0)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 3)], ids=["flat", "maps"])
def test_a_mixture_is_the_sum_of_weighted_experts(shape):
    random = np.random.default_rng(1)
    experts = random.normal(size=(2, 4, *shape)).astype("float32")
    gate = random.random((4, 2)).astype("float32")
    expected = np.stack([sum(gate[row, n] * experts[n, row] for n in range(2)) for row in range(4)])
    np.testing.assert_allclose(Mixture("age")([gate, *experts]), expected, rtol=1e-5)


def test_experts_are_as_wide_as_the_settings_say_or_as_what_they_read():
    flat, large, maps = keras.Input((6,)), keras.Input((1000,)), keras.Input((8, 8, 5))
    assert expert(flat, Settings((9, 4), 0.1), "a").shape == (None, 4)
    assert expert(flat, Settings((), 0.1), "b").shape == (None, 6)
    assert expert(large, Settings((), 0.1), "c").shape == (None, WIDEST)
    assert expert(maps, Settings((), 0.1), "d").shape == (None, 8, 8, 5)


def test_experts_drop_out_in_training_only():
    for inputs in (keras.Input((50,)), keras.Input((5, 5, 10))):
        model = keras.Model(inputs, expert(inputs, Settings((), 0.5), "expert"))
        values = np.ones((2, *inputs.shape[1:]), "float32")
        np.testing.assert_array_equal(model(values), model(values))
        assert (model(values, training=True).numpy() == 0).mean() > 0.2


@every_way
def test_gates_of_every_task_sum_to_1_and_differ(sharing):
    model = network(sharing)
    values = gate_values(model, FEATURES, batch_size=4)
    assert {"gender", "smile", "eyeglasses"} <= set(values)
    for gate in values.values():
        assert len(gate) == 7 and gate.dtype == "float32" and (gate >= 0).all()
        np.testing.assert_allclose(gate.sum(-1), 1, rtol=1e-5)
    assert np.abs(values["gender"] - values["smile"]).max() > 1e-4


@every_way
def test_gates_are_of_images_and_reach_every_branch(sharing):
    model = network(sharing, "gender_eyeglasses", 10)
    assert all(len(gate) == 3 for gate in gate_values(model, IMAGES).values())
    assert len(model.trunks) == 1
    common = model.feature_network()(IMAGES)
    for one, other in zip(model.heads_network()(common).values(), model(IMAGES).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@every_way
def test_gates_and_mixtures_are_float32_in_mixed_precision(sharing):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network(sharing)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("gender_dense_0").compute_dtype == "bfloat16"
    mixtures = [layer for layer in model.layers if isinstance(layer, Mixture)]
    assert {tensor.dtype for layer in mixtures for tensor in (layer.input[0], layer.output)} == {"float32"}
    np.testing.assert_allclose(sum(gate_values(model, FEATURES)["smile"].T), 1, rtol=1e-6)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    labels = {task.name: np.zeros(7, "int32") for task in TASKS}
    assert np.isfinite(model.train_on_batch(FEATURES, labels, return_dict=True)["loss"])


def test_a_model_without_gates_is_one_line():
    with pytest.raises(UserError, match="the model has no gates; expected one that shares by mmoe"):
        gate_values(network("hard"), FEATURES)


@pytest.mark.parametrize(
    ("sharing", "message"),
    [
        ("mmoe:experts=1", "mmoe: experts is 1; expected at least 2"),
        ("cgc:task_experts=0", "task_experts is 0; expected at least 1"),
        ("ple:levels=0", "levels is 0; expected at least 1"),
        ("dselect_k:experts=1", "dselect_k: experts is 1; expected at least 2"),
        ("dselect_k:k=9", "dselect_k: k is 9; expected 1 to 8"),
        ("dselect_k:gamma=0", "expected gamma > 0 and entropy >= 0"),
        ("dselect_k:entropy=-1", "expected gamma > 0 and entropy >= 0"),
    ],
)
def test_numbers_that_leave_nothing_to_mix_are_refused(sharing, message):
    with pytest.raises(UserError, match=message):
        network(sharing)
