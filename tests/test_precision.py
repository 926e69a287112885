"""A dtype policy holds for a while only."""

import keras
import pytest

from mtl_keras.precision import computing_in


def test_a_policy_ends_with_its_block_whatever_happens():
    with computing_in("mixed_bfloat16"):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
        with pytest.raises(ValueError, match="wrong"), computing_in("float64"):
            assert keras.layers.Dense(1).compute_dtype == "float64"
            raise ValueError("wrong")
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
    assert keras.layers.Dense(1).compute_dtype == "float32"
