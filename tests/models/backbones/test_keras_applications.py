"""Networks of keras.applications by name: their pixels, their weights, where they are cut, what a saved one is."""

import sys

import keras
import numpy as np
import pytest

import mtl_keras
from mtl_keras.models.backbones import BACKBONES, keras_applications
from mtl_keras.models.backbones.keras_applications import MOBILENET_V3_SMALL, NETWORKS
from mtl_keras.models.normalization import norms_of
from mtl_keras.models.sharing.sharing import cut

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
# One of each way to preprocess, MobileNet being the smallest network of the second.
PREPROCESSED = ["ResNet50", "MobileNetV2", "MobileNetV3Small", "DenseNet121"]


@pytest.fixture
def small(monkeypatch):
    """Networks of Keras that are two layers each, in the place of those of these names, and their own preprocessing."""

    def enter(name: str):
        make = NETWORKS[name]

        def little(include_top, weights, input_tensor=None, input_shape=None):
            inputs = keras.Input(input_shape or (None, None, 3)) if input_tensor is None else input_tensor
            x = keras.layers.Conv2D(4, 3, strides=2)(inputs)
            model = keras.Model(keras.utils.get_source_inputs(x), keras.layers.Conv2D(5, 3)(x))
            if weights == "imagenet":
                model.set_weights([np.full_like(weight, 0.5) for weight in model.get_weights()])
            return model

        little.__module__ = make.__module__
        monkeypatch.setitem(NETWORKS, name, little)
        keras_applications.keras_application.cache_clear()
        return little

    yield enter
    keras_applications.keras_application.cache_clear()


@pytest.mark.parametrize("name", PREPROCESSED)
def test_a_network_sees_pixels_as_its_own_preprocess_input_gives_them(name):
    matrix, offset = keras_applications._preprocessing(NETWORKS[name])
    pixels = IMAGES.astype("float64")
    module = vars(sys.modules[NETWORKS[name].__module__])
    np.testing.assert_allclose(pixels @ matrix + offset, module["preprocess_input"](pixels.copy()), atol=1e-4)


def test_the_layer_within_the_trunk_does_the_same():
    trunk = BACKBONES["keras_applications/VGG16"].trunk(32)
    seen = keras.Model(trunk.inputs[0], trunk.get_layer("preprocess_input").output)(IMAGES.astype("float32"))
    expected = keras.applications.vgg16.preprocess_input(IMAGES.astype("float32"))
    np.testing.assert_allclose(seen, expected, atol=1e-3)


def test_efficientnet_answers_as_keras_builds_it_for_the_weights_of_imagenet(monkeypatch, tmp_path):
    plain = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=(32, 32, 3))
    mean, variance = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]) ** 2
    normalization = next(layer for layer in plain.layers if isinstance(layer, keras.layers.Normalization))
    normalization.set_weights([mean, variance, np.array(0)])
    plain.save_weights(tmp_path / "as_published.weights.h5")
    module = sys.modules[NETWORKS["EfficientNetB0"].__module__]
    monkeypatch.setattr(module.file_utils, "get_file", lambda *a, **k: str(tmp_path / "as_published.weights.h5"))
    theirs = keras.applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=(32, 32, 3))
    ours = BACKBONES["keras_applications/EfficientNetB0"]
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    trunk = ours.trunk(32)
    ours.load_weights(trunk, ours.find_weights("imagenet"))

    def stem(model):
        return keras.Model(model.inputs[0], model.get_layer("stem_conv").output)(IMAGES.astype("float32")).numpy()

    # Both have the random kernels of `plain`, but only with the weights' name does Keras scale the colors once more.
    np.testing.assert_allclose(stem(trunk), stem(theirs), rtol=1e-3, atol=1e-4)
    assert np.abs(stem(plain) - stem(theirs)).max() > 0.1


def test_weights_of_imagenet_are_fetched_once_and_every_trunk_has_them(small, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    small("VGG16")
    name = "keras_applications/VGG16"
    model = mtl_keras.MultiTaskModel(["age", "gender"], name, "cross_stitch", image_size=32, weights="imagenet")
    assert len(model.trunks) == 2
    assert all((weight == 0.5).all() for trunk in model.trunks for weight in trunk.get_weights())
    (file,) = tmp_path.rglob("*.h5")
    monkeypatch.setitem(NETWORKS, "VGG16", None)
    assert BACKBONES[name].find_weights("imagenet") == file
    assert BACKBONES[name].find_weights(str(file)) == file


def test_without_a_network_the_weights_are_asked_for_by_path_in_one_line(tmp_path, monkeypatch, one_line):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def unreachable(*arguments, **options):
        raise Exception("URL fetch failure on https://nowhere/vgg16.h5: None -- [Errno -2]\nName unknown")

    monkeypatch.setattr(sys.modules[NETWORKS["VGG16"].__module__].file_utils, "get_file", unreachable)
    with one_line("cannot be had .*nowhere/vgg16.h5.*give its path as weights", "keras_applications/VGG16"):
        mtl_keras.MultiTaskModel(["age"], "keras_applications/VGG16", image_size=32, weights="imagenet")
    assert not [*tmp_path.rglob("*.h5")]
    with one_line("no such file, and no name.*give the path", "weights 'imagenette'"):
        mtl_keras.MultiTaskModel(["age"], "keras_applications/VGG16", image_size=32, weights="imagenette")


@pytest.mark.parametrize(
    ("name", "side", "says"),
    [
        ("MobilNetV2", 32, "unknown backbone 'keras_applications/MobilNetV2'.*did you mean .*/MobileNetV2?"),
        ("", 32, "unknown backbone 'keras_applications/'"),
        ("InceptionV3", 32, "image size 32 does not work .*at least 75x75"),
    ],
)
def test_what_does_not_work_is_one_line(name, side, says, one_line):
    with one_line(says):
        mtl_keras.MultiTaskModel(["age"], f"keras_applications/{name}", image_size=side)


def test_layers_are_called_alike_in_every_program():
    build = BACKBONES["keras_applications/MobileNetV3Small"].trunk
    first, second = ([layer.name for layer in build(32).layers] for _ in range(2))
    assert first == second and len({*first}) == len(first) and "activation" in first


def test_mobilenet_is_kerass_own_network_and_each_stage_is_half_as_large_or_as_large_as_before():
    trunk = MOBILENET_V3_SMALL.trunk(64)
    assert trunk.count_params() == 939_120 and trunk.output_shape == (None, 576)
    parts = cut(trunk, MOBILENET_V3_SMALL.stages, "task")
    shapes = [part.output_shape[1:] for part in parts[:-1]]
    assert shapes == [(16, 16, 16), (8, 8, 24), (4, 4, 40), (4, 4, 48), (2, 2, 96)]
    assert sum(part.count_params() for part in parts) == 939_120


def test_a_network_is_cut_where_all_its_paths_meet():
    backbone = BACKBONES["keras_applications/MobileNetV2"]
    trunk = backbone.trunk(64)
    parts = cut(trunk, backbone.cuts(trunk), "task")
    assert [part.output_shape[1] for part in parts] == [32, 16, 8, 4, 2, 1280]
    assert sum(part.count_params() for part in parts) == trunk.count_params()


def test_a_saved_network_answers_alike_and_what_was_frozen_stays_so(tmp_path):
    model = mtl_keras.MultiTaskModel(["age", "gender"], "keras_applications/MobileNetV3Small", image_size=32)
    everything = len(model.trunk_variables())
    model.freeze_stem()
    assert 0 < len(model.trunk_variables()) < everything
    again = mtl_keras.load(mtl_keras.save(model, tmp_path / "model"))
    assert len(again.trunk_variables()) == len(model.trunk_variables())
    for ours, theirs in zip(model(IMAGES).values(), again(IMAGES).values(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_network_is_exported(tmp_path):
    import tensorflow as tf

    model = mtl_keras.MultiTaskModel(["gender"], "keras_applications/VGG16", image_size=32)
    model.export(tmp_path / "exported", format="tf_saved_model", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(exported.serve(IMAGES)["gender"], model(IMAGES)["gender"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "kept"), [("MobileNetV2", 0.999), ("DenseNet121", 0.99)])
def test_moving_statistics_follow_a_short_training(name, kept):
    momenta = {norm.momentum for norm in norms_of(NETWORKS[name](weights=None, input_shape=(32, 32, 3)))}
    assert momenta == {kept}
    copy = keras.Model.from_config(BACKBONES[f"keras_applications/{name}"].trunk(32).get_config())
    assert {norm.momentum for norm in norms_of(copy)} == {0.99}
