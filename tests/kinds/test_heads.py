"""Heads: shapes, probabilities, the units of a regression, and that both survive saving."""

import keras
import numpy as np
import pytest

from mtl_keras.kinds.heads import Affine, head
from mtl_keras.tasks import AGE, AGE_REGRESSION, ETHNICITY, HEAD_POSE

FEATURES = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")


def network(task, units=(), dropout=0.0) -> keras.Model:
    inputs = keras.Input((6,))
    return keras.Model(inputs, head(task, inputs, units, dropout))


@pytest.mark.parametrize("task", [AGE, ETHNICITY], ids=lambda task: task.name)
def test_classes_and_bins_get_probabilities(task):
    outputs = network(task)(FEATURES).numpy()
    assert outputs.shape == (5, task.size) and (outputs >= 0).all()
    np.testing.assert_allclose(outputs.sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize("task", [AGE_REGRESSION, HEAD_POSE], ids=lambda task: task.name)
def test_regression_starts_at_the_center_in_the_unit_of_the_task(task):
    model = network(task)
    kernel, bias = model.get_layer(f"{task.name}_scores").get_weights()
    expected = (FEATURES @ kernel + bias) * task.scale + task.center
    np.testing.assert_allclose(model(FEATURES), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model(np.zeros((1, 6))), np.full((1, task.size), task.center), rtol=1e-6)


def test_units_are_dense_layers_of_these_widths():
    model = network(ETHNICITY, (7, 4), 0.5)
    dense = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert dense == [7, 4, 5]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.5, 0.5]
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in network(ETHNICITY, (7,)).layers)


def test_the_hidden_layers_are_leaky():
    model = network(ETHNICITY, (4,))
    kernel, bias = model.get_layer("ethnicity_dense_0").get_weights()
    hidden = FEATURES @ kernel + bias
    got = keras.Model(model.inputs[0], model.get_layer("ethnicity_leaky_relu_0").output)(FEATURES)
    np.testing.assert_allclose(got, np.where(hidden < 0, 0.1 * hidden, hidden), atol=1e-5)


@pytest.mark.parametrize("task", [ETHNICITY, HEAD_POSE], ids=lambda task: task.name)
def test_answers_are_float32_in_mixed_precision(task):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = network(task, (4,))
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer(f"{task.name}_dense_0").compute_dtype == "bfloat16"
    outputs = model(FEATURES)
    assert outputs.dtype == "float32"
    if task.kind == "categorical":
        np.testing.assert_allclose(outputs.numpy().sum(-1), 1, rtol=1e-5)


def test_affine_survives_its_config():
    layer = Affine(20.0, 33.0, name="age")
    again = Affine.from_config(layer.get_config())
    assert (again.scale, again.offset, again.name) == (20.0, 33.0, "age")
    np.testing.assert_allclose(again(np.array([[1.0, -1.0]])), [[53.0, 13.0]])
