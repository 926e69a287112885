"""The small network for gender and eyeglasses: its published numbers of parameters, and its shapes."""

import keras
import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.models.backbones.gender_eyeglasses import branch, gender_eyeglasses
from mtl_keras.tasks import EYEGLASSES, GENDER
from mtl_keras.training.model import MultiTaskModel


def trainable(*task_lists) -> int:
    models = [MultiTaskModel(list(tasks), "gender_eyeglasses", dropout=0.0) for tasks in task_lists]
    return sum(int(np.prod(variable.shape)) for model in models for variable in model.trainable_variables)


def test_one_network_and_two_have_the_published_numbers_of_parameters():
    assert trainable([GENDER, EYEGLASSES]) == 1_524_740
    assert trainable([GENDER], [EYEGLASSES]) == 1_525_060


def test_a_pixel_comes_in_as_a_share_of_255():
    model = MultiTaskModel([GENDER], "gender_eyeglasses")
    seen = keras.Model(model.inputs[0], model.get_layer("luminance").output)
    white, black = (np.full((1, 50, 50, 3), value, "uint8") for value in (255, 0))
    np.testing.assert_allclose(np.asarray(seen(white)), 1.0, atol=1e-6)
    np.testing.assert_allclose(np.asarray(seen(black)), 0.0, atol=1e-6)


def test_only_the_first_convolution_is_shared():
    trunk = gender_eyeglasses()
    assert trunk.output_shape == (None, 24, 24, 32) and trunk.count_params() == 320
    model = MultiTaskModel([GENDER, EYEGLASSES], "gender_eyeglasses")
    assert model.get_layer("gender_conv").output.shape == (None, 22, 22, 64)
    assert model.get_layer("gender_flat").output.shape == (None, 7744)
    assert model.get_layer("gender_dense") is not model.get_layer("eyeglasses_dense")


def test_dropout_is_an_option_and_a_small_image_is_refused():
    features = keras.Input((24, 24, 32))
    assert keras.Model(features, branch(features, "gender", 0.5)).layers[-1].rate == 0.5
    assert isinstance(keras.Model(features, branch(features, "gender")).layers[-1], keras.layers.Dense)
    assert gender_eyeglasses(10).output_shape == (None, 4, 4, 32)
    with pytest.raises(UserError, match="image size 9 is too small; expected at least 10"):
        gender_eyeglasses(9)
