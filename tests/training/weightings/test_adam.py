"""Adam of a weighting's values."""

import keras
import numpy as np

from mtl_keras.training.weightings.adam import Adam


def test_it_is_adam():
    gradients = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    adam, value, expected = Adam(3, 0.1), np.ones(3), keras.Variable(np.ones(3, "float32"))
    optimizer = keras.optimizers.Adam(0.1, epsilon=1e-8)
    optimizer.build([expected])
    for gradient in gradients:
        value = value + np.asarray(adam.change(gradient))
        optimizer.apply([keras.ops.convert_to_tensor(gradient)])
        np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert np.abs(value - 1).min() > 0.01


def test_a_value_whose_rows_were_put_back_goes_on_as_if_there_had_been_no_step():
    adam, other = Adam(1, 0.1), Adam(1, 0.1)
    for gradient in (1.0, -0.3):
        adam.change(np.float32([gradient]))
        other.change(np.float32([gradient]))
    before = [row.numpy() for row in adam.rows]
    adam.change(np.float32([5.0]))
    for row, old in zip(adam.rows, before, strict=True):
        row.assign(old)
    np.testing.assert_array_equal(adam.change(np.float32([0.7])), other.change(np.float32([0.7])))
