"""Slow variables move a number of times as fast, and the rate warms up and falls to nothing."""

import keras
import numpy as np
import pytest

from mtl_keras.training.optimizers import Harmonic, LayerwiseAdamW, cosine


def step(factor, **options):
    variables = [keras.Variable(np.ones((2, 2), "float32"), name=name) for name in ("fast", "slow")]
    optimizer = LayerwiseAdamW(0.1, slow_factor=factor, slow_paths=(variables[1].path,), **options)
    for _ in range(3):
        optimizer.apply([keras.ops.ones((2, 2))] * 2, variables)
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("factor", [0.0, 0.25, 1.0])
def test_slow_variables_move_a_fraction_as_far(factor):
    fast, slow = step(factor, weight_decay=0.0)
    np.testing.assert_allclose(1 - slow, factor * (1 - fast), atol=1e-6)
    assert (fast < 0.75).all()


@pytest.mark.parametrize(("factor", "expected"), [(0.0, 1.0), (0.5, 0.975**3), (1.0, 0.95**3)])
def test_slow_variables_decay_a_fraction_as_fast(factor, expected):
    variables = [keras.Variable(np.ones((2, 2), "float32"), name=name) for name in ("fast", "slow")]
    optimizer = LayerwiseAdamW(0.1, 0.5, factor, (variables[1].path,))
    for _ in range(3):
        optimizer.apply([keras.ops.zeros((2, 2))] * 2, variables)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variables[0]), 0.95**3, rtol=1e-6)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variables[1]), expected, rtol=1e-6)


def test_without_slow_paths_it_is_adamw():
    variables = [keras.Variable(np.full((2, 2), 3.0, "float32")) for _ in range(2)]
    for optimizer, variable in zip(
        (LayerwiseAdamW(0.1, 0.3), keras.optimizers.AdamW(0.1, 0.3)), variables, strict=True
    ):
        for _ in range(4):
            optimizer.apply([variable * 0.5], [variable])
    np.testing.assert_allclose(*[keras.ops.convert_to_numpy(variable) for variable in variables], atol=1e-6)


def test_biases_are_not_decayed():
    bias, kernel = keras.Variable(np.ones(3, "float32")), keras.Variable(np.ones((3, 3), "float32"))
    LayerwiseAdamW(0.1, 0.5).apply([keras.ops.zeros(3), keras.ops.zeros((3, 3))], [bias, kernel])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(bias), 1.0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(kernel), 0.95)


def test_config_survives():
    optimizer = LayerwiseAdamW(cosine(0.1, 10), 0.02, slow_factor=0.3, slow_paths=("a", "b"), ema_momentum=0.9)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert again.get_config() == optimizer.get_config()
    assert again.use_ema and again.ema_momentum == 0.9 and again.slow_paths == {"a", "b"}


def test_cosine_rises_and_falls_to_nothing():
    rate = cosine(0.2, 100, warm_up=0.1)
    rates = np.array([float(rate(step)) for step in range(101)])
    assert rates[0] == 0 and rates.argmax() == 10 and rates.max() == pytest.approx(0.2)
    assert rates[100] == pytest.approx(0, abs=1e-6)
    assert (np.diff(rates[:11]) > 0).all() and (np.diff(rates[10:]) < 0).all()


def test_harmonic_is_the_rule_of_one_minus_one_over_n_from_the_second_epoch_on():
    rate = Harmonic(0.001, steps=7)
    by_rule = [0.001]
    for epoch in range(2, 8):
        by_rule.append(by_rule[-1] * (1 - 1 / epoch))
    assert [float(rate(7 * epoch)) for epoch in range(7)] == pytest.approx(by_rule)
    # Within an epoch it stays as it is.
    assert float(rate(6)) == float(rate(0)) and float(rate(13)) == float(rate(7))
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(rate)).get_config() == {
        "first": 0.001,
        "steps": 7,
    }
