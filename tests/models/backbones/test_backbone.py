"""Networks on a Keras model of the user's: its preprocessing, its copy, and what is refused."""

import keras
import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.tasks import GENDER
from mtl_keras.training.model import MultiTaskModel

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype("uint8")


def maps(channels: int = 3) -> keras.Model:
    inputs = keras.Input((8, 8, channels))
    first = keras.layers.Conv2D(4, 3, name="first")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(5, 3, name="second")(first), name="own")


def test_a_bare_model_sees_pixels_as_they_come_and_its_maps_are_averaged():
    own = maps()
    model = MultiTaskModel([GENDER], own)
    assert model.image_size == 8 and model.backbone == "own"
    expected = own(IMAGES.astype("float32")).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(model.feature_network()(IMAGES), expected, rtol=1e-4)


def test_a_network_takes_a_copy_of_the_model():
    own = maps()
    before = own.get_weights()
    model = MultiTaskModel([GENDER], own)
    model.compile(keras.optimizers.SGD(0.1))
    model.train_on_batch(IMAGES, {"gender": np.array([0, 1])}, {"gender": np.ones(2, "float32")})
    for old, new in zip(before, own.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert np.abs(model.trunks[0].get_weights()[0] - before[0]).max() > 0


@pytest.mark.parametrize("build", [maps(1), lambda side: maps(1)], ids=["model", "function"])
def test_a_backbone_says_how_its_model_sees_images_also_after_a_reload(build):
    parts = Backbone(build, 8, 1, mean=100.0, scale=50.0, resize_method="sharp", stages=("first",), maps="first")
    model = MultiTaskModel([GENDER], parts)
    again = MultiTaskModel.from_config(model.get_config())
    again.set_weights(model.get_weights())
    gray = (IMAGES.astype("float32") @ np.array([[0.299], [0.587], [0.114]], "float32") - 100) / 50
    for each in (model, again):
        trunk = each.trunks[0]
        np.testing.assert_allclose(each.feature_network()(IMAGES), trunk(gray), rtol=1e-3, atol=1e-4)
        seen, first = each.first_maps(IMAGES)
        np.testing.assert_allclose(seen, gray, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(first, trunk.get_layer("first")(gray), rtol=1e-3, atol=1e-4)
        assert each.resize_method == "sharp"
    assert again.get_config() == model.get_config()
    for each in (model, again):
        each.freeze_stem()
        assert [variable.path for variable in each.trunk_variables()] == ["second/kernel", "second/bias"]


@pytest.mark.parametrize(
    ("backbone", "settings", "message"),
    [
        (maps(5), {}, r"shape \(None, 8, 8, 5\); expected one of square images"),
        (maps(), {"image_size": 9}, r"inputs of shape \(8, 8, 3\), but they come as \(9, 9, 3\)"),
        (maps(), {"border": 1, "image_size": 8}, "a border comes on top"),
        (BACKBONES["bknet"], {}, "put it into the table BACKBONES"),
    ],
    ids=["channels", "size", "border", "branch"],
)
def test_what_does_not_fit_is_one_line(backbone, settings, message):
    with pytest.raises(UserError, match=message) as error:
        MultiTaskModel([GENDER], backbone, **settings)
    assert "\n" not in str(error.value)


def test_a_model_whose_size_comes_from_the_border_and_the_image():
    assert MultiTaskModel([GENDER], maps(), border=1).image_size == 6
