"""BKNet: the size of the article's network, its first kernels, and gray images from colors."""

import keras
import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.models.backbones.bknet import bknet
from mtl_keras.tasks import AGE_GROUP, GENDER, SMILE
from mtl_keras.training.model import MultiTaskModel


def parameters(variables) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


def test_the_network_of_three_tasks_has_the_parameters_of_the_articles():
    model = MultiTaskModel([SMILE, GENDER, AGE_GROUP], "bknet")
    assert parameters(model.trainable_variables) == 3_732_905
    assert model.count_params() == 3_735_337


def test_every_kernel_starts_as_a_truncated_normal_of_005():
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([SMILE, AGE_GROUP], "bknet")
    kernels = [variable for variable in model.trainable_variables if variable.path.endswith("kernel")]
    assert len(kernels) == 9 + 2 * 3
    for kernel in kernels:
        values = np.asarray(kernel)
        assert np.abs(values).max() <= 0.1 and np.abs(values).max() > 0.08  # cut at two standard deviations
        assert values.std() == pytest.approx(0.044, abs=0.004)


def test_only_the_luminance_of_a_color_counts():
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([SMILE], "bknet")
    color = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3)).astype("uint8")
    gray = keras.Model(model.inputs[0], model.get_layer("luminance").output)(color)  # (2, 48, 48, 1)
    expected = (color @ np.array([0.299, 0.587, 0.114]) - 128) / 255
    np.testing.assert_allclose(np.asarray(gray)[..., 0], expected, atol=1e-6)


def test_features_are_flat_and_a_small_image_is_refused():
    assert bknet(64).output_shape == (None, 4 * 4 * 256)
    with pytest.raises(UserError, match="image size 15 is too small; expected at least 16"):
        bknet(15)
