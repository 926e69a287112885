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
for folder in sys.argv[1:]:
    model = keras.saving.load_model(f"{folder}/model.keras", safe_mode=True)
    np.savez(f"{folder}/answers.npz", **model.predict_on_batch(np.load(f"{folder}/images.npy")))
"""


def mobile_net(tasks) -> MultiTaskModel:
    trunk = keras.applications.MobileNetV3Small(weights=None, include_top=False, input_shape=(64, 64, 3))
    return MultiTaskModel(tasks, trunk, shared_units=(8,), head_units=())


def stitched(tasks) -> MultiTaskModel:
    return MultiTaskModel(tasks, "bknet", "cross_stitch", image_size=16)


@pytest.mark.slow
def test_trained_networks_answer_alike_in_a_new_process(tmp_path):
    expected = {}
    for built in (mobile_net, stitched):
        keras.utils.set_random_seed(0)
        model, folder = built([SMILE, GENDER]), tmp_path / built.__name__
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        side = model.image_size
        images = np.random.default_rng(0).integers(0, 256, (4, side, side, 3)).astype("uint8")
        labels = {name: np.array([0, 1, 1, 0], "int32") for name in ("smile", "gender")}
        before = model.predict_on_batch(images)
        model.train_on_batch(images, labels, {name: np.ones(4, "float32") for name in labels})
        expected[folder] = model.predict_on_batch(images)
        assert all(np.abs(expected[folder][name] - before[name]).max() > 1e-5 for name in labels)
        folder.mkdir()
        model.save(folder / "model.keras")
        np.save(folder / "images.npy", images)
    # One process for both: to start one takes longer than all else.
    subprocess.run([sys.executable, "-c", READ, *map(str, expected)], cwd=ROOT, check=True, capture_output=True)
    for folder, outputs in expected.items():
        with np.load(folder / "answers.npz") as answers:
            for name, answer in outputs.items():
                np.testing.assert_allclose(answers[name], answer, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backbone", ["bknet", "gender_eyeglasses", "tiny"])
def test_to_train_the_heads_is_to_train_all_of_the_model_but_its_trunk(backbone, tiny_backbone):
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([AGE, GENDER], backbone, image_size=16, dropout=0.0)
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype("uint8")
    features, heads = model.feature_network().predict(images, verbose=0), model.heads_network()
    np.testing.assert_allclose(heads(features)["age"], model(images)["age"], rtol=1e-4, atol=1e-6)
    heads.compile(keras.optimizers.SGD(0.01), run_eagerly=True)
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
