"""Swin transformers: keras-hub's own answers, their stages, their weights, and what is said without the package."""

import sys
import warnings
from importlib.util import find_spec

import keras
import numpy as np
import pytest

from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.backbones.swin import SWIN_TINY, SwinTransformer, swin
from mtl_keras.models.sharing.sharing import cut
from mtl_keras.tasks import GENDER, SMILE
from mtl_keras.training.model import MultiTaskModel

pytestmark = pytest.mark.skipif(find_spec("keras_hub") is None, reason="needs mtl-keras[swin]")
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
SMALL = swin(8, (1, 1), (2, 2), 2, 32)


@pytest.fixture(scope="module")
def hub():
    """keras-hub's class, imported for these tests alone: that takes seconds."""
    from keras_hub.models import SwinTransformerBackbone

    return SwinTransformerBackbone


@pytest.fixture(scope="module")
def trunk() -> keras.Model:
    return SMALL.trunk(32)


def test_it_answers_as_keras_hubs_own_network_does(hub, trunk):
    theirs = hub((32, 32, 3), 8, (1, 1), (2, 2), 2)
    theirs.set_weights(trunk.get_weights())
    colors = (IMAGES / 255 - (0.485, 0.456, 0.406)) / np.array((0.229, 0.224, 0.225))
    tokens = theirs(colors.astype("float32"))  # (B, 4 x 4, 16)
    np.testing.assert_allclose(trunk(IMAGES.astype("float32")), tokens.numpy().mean(1), rtol=1e-3, atol=1e-4)


def test_it_is_cut_at_its_stages(trunk):
    parts = cut(trunk, SMALL.cuts(trunk), "task")
    assert [part.output_shape[1:] for part in parts] == [(4, 4, 16), (4, 4, 16), (16,)]
    x = images = IMAGES.astype("float32")
    for part in parts:
        x = part(x)
    np.testing.assert_allclose(x, trunk(images), rtol=1e-5, atol=1e-6)
    assert trunk.get_layer(SMALL.maps).output.shape == (None, 8, 8, 8)


def test_no_warning_is_given_of_the_places_that_do_not_see_each_other():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        # Two stages, of which the first has windows to shift.
        swin(8, (2, 2), (2, 2), 2, 32).trunk(32)(IMAGES.astype("float32"), training=True)
    assert not [str(warning.message) for warning in heard if "attn" in str(warning.message)]


def test_a_network_trains_and_is_saved_and_read_in_safe_mode(tmp_path):
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([GENDER, SMILE], SMALL, "mult:heads=2,width=8,depth=1", 32, shared_units=(), head_units=())
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    before = {variable.path: variable.numpy() for variable in model.trainable_variables}
    model.train_on_batch(IMAGES, {"gender": np.array([0, 1]), "smile": np.array([1, 1])})
    still = [v.path for v in model.trainable_variables if np.abs(v.numpy() - before[v.path]).max() == 0]
    assert not [path for path in still if path.endswith("kernel")]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    for name, answer in model(IMAGES).items():
        np.testing.assert_allclose(again(IMAGES)[name], answer, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_tiny_one_has_the_published_number_of_parameters_and_takes_smaller_faces():
    assert SWIN_TINY.trunk(224).count_params() == 27_519_354
    # Windows of 3 x 3, as the last maps are.
    assert SWIN_TINY.trunk(96)(np.zeros((1, 96, 96, 3), "float32")).shape == (1, 768)


def test_published_weights_are_fetched_once_and_a_network_has_them(hub, monkeypatch, tmp_path, trunk):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    trained = hub((32, 32, 3), 8, (1, 1), (2, 2), 2)
    monkeypatch.setattr(hub, "from_preset", lambda name: trained)
    name = "swin_tiny_patch4_window7_224"
    file = SMALL.find_weights(name)
    monkeypatch.setattr(hub, "from_preset", None)
    assert SMALL.find_weights(name) == SMALL.find_weights(str(file)) == file
    SMALL.load_weights(trunk, file)
    for one, other in zip(trunk.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_a_network_the_weights_are_asked_for_by_path_in_one_line(hub, monkeypatch, tmp_path, one_line):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def unreachable(name):
        raise OSError("could not resolve host\nkaggle.com")

    monkeypatch.setattr(hub, "from_preset", unreachable)
    with one_line("cannot be had .could not resolve host kaggle.com.*give the path of the file", "weights 'swin_tiny"):
        SWIN_TINY.find_weights("swin_tiny_patch4_window7_224")
    with one_line("no such file, and no name.*give the path", "weights 'swin'"):
        SWIN_TINY.find_weights("swin")


@pytest.mark.parametrize("side", [0, 33, 48])
def test_a_side_that_cannot_be_halved_is_refused(side, one_line):
    with one_line(f"image size {side}: expected a multiple of 32", "swin"):
        SwinTransformer(side, 8, [1] * 4, [2] * 4)


def test_without_keras_hub_the_message_says_how_to_get_it(monkeypatch, one_line):
    monkeypatch.setitem(sys.modules, "keras_hub.models", None)
    with one_line("pip install mtl-keras.swin.", "Swin transformers need the package keras-hub"):
        BACKBONES["swin_tiny"].trunk(32)
