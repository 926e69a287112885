"""What a model says of its parts, heads that share its layers, and networks that a new process reads."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from mtl_keras.tasks import AGE, GENDER, SMILE
from mtl_keras.training.model import MultiTaskModel

ROOT = Path(__file__).parents[2]
READ = """
import sys, keras, numpy as np, mtl_keras
model = keras.saving.load_model(sys.argv[1], safe_mode=True)
np.savez(sys.argv[2], **model.predict(np.load(sys.argv[3]), verbose=0))
"""


def mobile_net(tasks) -> MultiTaskModel:
    trunk = keras.applications.MobileNetV3Small(weights=None, include_top=False, input_shape=(64, 64, 3))
    return MultiTaskModel(tasks, trunk, shared_units=(8,), head_units=())


def stitched(tasks) -> MultiTaskModel:
    return MultiTaskModel(tasks, "bknet", "cross_stitch", image_size=16)


@pytest.mark.parametrize("built", [mobile_net, stitched], ids=lambda function: function.__name__)
def test_a_trained_network_answers_alike_in_a_new_process(built, tmp_path):
    keras.utils.set_random_seed(0)
    model = built([SMILE, GENDER])
    model.compile(keras.optimizers.SGD(0.1))
    side = model.image_size
    images = np.random.default_rng(0).integers(0, 256, (4, side, side, 3)).astype("uint8")
    labels = {name: np.array([0, 1, 1, 0], "int32") for name in ("smile", "gender")}
    before = model.predict(images, verbose=0)
    model.train_on_batch(images, labels, {name: np.ones(4, "float32") for name in labels})
    expected = model.predict(images, verbose=0)
    assert all(np.abs(expected[name] - before[name]).max() > 1e-5 for name in labels)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    files = [tmp_path / name for name in ("model.keras", "answers.npz", "images.npy")]
    subprocess.run([sys.executable, "-c", READ, *map(str, files)], cwd=ROOT, check=True, capture_output=True)
    with np.load(tmp_path / "answers.npz") as answers:
        for name, answer in expected.items():
            np.testing.assert_allclose(answers[name], answer, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backbone", ["bknet", "gender_eyeglasses", "tiny"])
def test_to_train_the_heads_is_to_train_all_of_the_model_but_its_trunk(backbone, tiny_backbone):
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([AGE, GENDER], backbone, image_size=16, dropout=0.0)
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype("uint8")
    features, heads = model.feature_network().predict(images, verbose=0), model.heads_network()
    np.testing.assert_allclose(heads(features)["age"], model(images)["age"], rtol=1e-4, atol=1e-6)
    heads.compile(keras.optimizers.SGD(0.01))
    before = [variable.numpy() for variable in model.weights]
    labels = {"age": np.array([3.0, 40.0, 50.0, 2.0], "float32"), "gender": np.array([0, 1, 1, 0], "int32")}
    heads.train_on_batch(features, labels, {name: np.ones(4, "float32") for name in labels})
    trunk = {id(variable) for variable in model.trunks[0].weights}
    for old, variable in zip(before, model.weights, strict=True):
        assert np.array_equal(old, variable) == (id(variable) in trunk), variable.path
    np.testing.assert_allclose(heads(features)["age"], model(images)["age"], rtol=1e-4, atol=1e-6)


def test_the_stem_stays_as_it_is_and_the_rest_learns():
    model = MultiTaskModel([GENDER], "facenet_small", image_size=75)
    everything = len(model.trunk_variables())
    model.freeze_stem()
    frozen = [layer.name for layer in model.trunks[0].layers if layer.weights and not layer.trainable]
    assert len(frozen) == 12 and all(name.startswith("Conv2d_") for name in frozen)
    assert len(model.trunk_variables()) == everything - 12
    keras.backend.clear_session()


def test_a_trunk_without_stages_has_no_stem_and_no_maps():
    model = MultiTaskModel([GENDER], "features", image_size=5)
    model.freeze_stem()
    assert all(layer.trainable for layer in model.trunks[0].layers)
    assert model.first_maps(np.zeros((1, 5), "float32")) is None
