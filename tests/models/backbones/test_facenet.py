"""FaceNet's trunk against keras-facenet's own, and the sizes of every trunk."""

import importlib.util
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.backbones.facenet import facenet, facenet_small
from mtl_keras.models.weights import load_facenet_weights


def random_images(count: int = 2, size: int = 160) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, size, size, 3)).astype("float32")


@pytest.fixture(scope="module")
def reference():
    """keras-facenet's own network, run only here, as an oracle; its package's __init__ (OpenCV) is not imported."""
    package = importlib.util.find_spec("keras_facenet")
    if package is None:
        pytest.skip("keras-facenet is not installed")
    path = Path(package.submodule_search_locations[0]) / "inception_resnet_v1.py"
    spec = importlib.util.spec_from_file_location("reference_inception_resnet_v1", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return module.InceptionResNetV1(classes=512)
    except Exception as error:
        pytest.skip(f"keras-facenet's network does not build here: {error}")


@pytest.fixture(scope="module")
def reference_file(reference, tmp_path_factory) -> Path:
    """A file as keras-facenet writes it, with random weights that keep activations in a usual range."""
    rng = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("weights") / "random-weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name for layer in reference.layers]
        for layer in reference.layers:
            values = []
            for variable in layer.weights:
                if variable.name == "kernel":
                    values.append(rng.normal(0, np.sqrt(2 / np.prod(variable.shape[:-1])), variable.shape))
                elif variable.name == "moving_variance":
                    values.append(rng.uniform(0.5, 1.5, variable.shape))
                else:
                    values.append(rng.normal(0, 0.1, variable.shape))
            layer.set_weights(values)
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [f"{layer.name}/{v.name}:0" for v in layer.weights]
            for variable, value in zip(layer.weights, values, strict=True):
                group[f"{layer.name}/{variable.name}:0"] = value.astype("float32")
    return path


@pytest.fixture(scope="module")
def trunk() -> keras.Model:
    """The whole trunk, which takes seconds to build."""
    return facenet()


def layers_with_weights(model: keras.Model) -> list[tuple]:
    return [(layer.name, [(v.name, tuple(v.shape)) for v in layer.weights]) for layer in model.layers if layer.weights]


def test_layers_equal_those_of_keras_facenet(reference, trunk):
    expected = [entry for entry in layers_with_weights(reference) if not entry[0].startswith("Bottleneck")]
    assert layers_with_weights(trunk) == expected


def test_features_equal_those_of_keras_facenet(reference, reference_file, trunk):
    load_facenet_weights(trunk, reference_file)
    expected = keras.Model(reference.input, reference.get_layer("AvgPool").output)(random_images()).numpy()
    assert expected.std() > 0.1  # an all-zero answer would make any comparison pass
    np.testing.assert_allclose(trunk(random_images()), expected, rtol=1e-4, atol=1e-4)


def test_small_trunk_takes_the_same_file_and_has_less_than_half_the_parameters(reference_file):
    small = facenet_small()
    load_facenet_weights(small, reference_file)
    assert small.count_params() == 10_206_928
    assert small.output_shape == (None, 1792)
    assert np.isfinite(small(random_images()).numpy()).all()


def test_parameter_counts(trunk):
    # keras-facenet's network with 512 outputs has 23,497,424: 1792 * 512 + 3 * 512 more, for the bottleneck.
    assert trunk.count_params() == 23_497_424 - 1792 * 512 - 3 * 512
    assert sum(int(np.prod(v.shape)) for v in trunk.trainable_variables) == 22_549_808
    assert (trunk.input_shape, trunk.output_shape) == ((None, 160, 160, 3), (None, 1792))


def test_mixed_bfloat16_gives_float32_features():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = facenet_small(75)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.get_layer("Conv2d_2a_3x3").compute_dtype == "bfloat16"
    assert model(random_images(1, 75)).dtype == "float32"


def test_too_small_an_image_is_a_user_error():
    with pytest.raises(UserError, match="image size 74 .* 75 or more"):
        facenet(74)


def test_features_backbone_is_the_identity():
    features = BACKBONES["features"].build(7)
    x = np.random.default_rng(0).normal(size=(3, 7)).astype("float32")
    np.testing.assert_array_equal(features(x), x)
    assert features.count_params() == 0


# The largest take seconds to build; FaceNet's are built above, and a Swin transformer has tests of its own.
@pytest.mark.parametrize("name", [name for name in BACKBONES if name not in ("facenet", "facenet_small", "swin_tiny")])
def test_every_other_entry_builds_at_its_own_size(name):
    backbone = BACKBONES[name]
    side = backbone.image_size
    expected = (None, side, side, backbone.channels) if backbone.channels else (None, side)
    model = backbone.trunk(side)
    assert model.input_shape == expected
    # Features are flat, but for the maps that a network's own branches go on from.
    assert len(model.output_shape) == (4 if name == "gender_eyeglasses" else 2)
