"""Cutting a trunk at its stages."""

import keras
import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.sharing.sharing import Trunk, cut


def with_a_path_around() -> keras.Model:
    inputs = keras.Input((4,))
    middle = keras.layers.Dense(4, name="middle")(inputs)
    last = keras.layers.Add(name="last")([keras.layers.Dense(4, name="next")(middle), inputs])
    return keras.Model(inputs, last, name="around")


@pytest.mark.parametrize(("backbone", "parts"), [("bknet", 5), ("gender_eyeglasses", 1)])
def test_the_parts_one_after_the_other_are_the_trunk(backbone, parts):
    trunk = Trunk(BACKBONES[backbone], 16).build()
    stages = cut(trunk, BACKBONES[backbone].stages, "age")
    assert [stage.name for stage in stages] == [f"age_stage_{number}" for number in range(1, parts + 1)]
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype("float32")
    answer = images
    for stage in stages:
        answer = stage(answer)
    np.testing.assert_array_equal(answer, trunk(images))
    assert {id(v) for stage in stages for v in stage.weights} == {id(v) for v in trunk.weights}


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((), "cannot be cut into stages: it names none"),
        (("middel",), "it names no layer 'middel'"),
        (("middle", "last"), "cannot be cut at 'middle': some of its paths go around that layer"),
    ],
)
def test_what_cannot_be_cut_is_one_line(stages, message):
    with pytest.raises(UserError, match=message) as error:
        cut(with_a_path_around(), stages, "age")
    assert "\n" not in str(error.value)
