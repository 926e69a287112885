"""Hard sharing: one trunk, and one and the same features for every task."""

import keras
import numpy as np

from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.sharing.hard import hard
from mtl_keras.models.sharing.sharing import Settings, Trunk
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel

FEATURES = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
TRUNK = Trunk(BACKBONES["features"], 6)


def test_all_tasks_read_the_same_features():
    shared = hard(TRUNK, ["age", "gender"], Settings((8, 3), 0.3))
    features = shared(keras.Input((6,)))
    assert list(features) == ["age", "gender"]
    assert features["age"] is features["gender"]
    assert features["age"].shape == (None, 3)
    assert len(shared.trunks) == 1 and shared.common is shared.trunks[0]


def test_layers_are_dense_leaky_and_dropped_out():
    inputs = keras.Input((6,))
    model = keras.Model(inputs, hard(TRUNK, ["age"], Settings((8, 3), 0.4))(inputs)["age"])
    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [8, 3]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.4, 0.4]
    expected = FEATURES
    for index in range(2):
        kernel, bias = model.get_layer(f"shared_dense_{index}").get_weights()
        expected = expected @ kernel + bias
        expected = np.where(expected < 0, 0.1 * expected, expected)
    np.testing.assert_allclose(model(FEATURES), expected, atol=1e-5)


def test_dropout_acts_in_training_only():
    inputs = keras.Input((6,))
    model = keras.Model(inputs, hard(TRUNK, ["age"], Settings((32,), 0.5))(inputs)["age"])
    np.testing.assert_array_equal(model(FEATURES), model(FEATURES))
    assert (model(FEATURES, training=True).numpy() == 0).mean() > 0.2


def test_no_units_leave_the_trunks_features_as_they_are():
    inputs = keras.Input((6,))
    model = keras.Model(inputs, hard(TRUNK, ["age"], Settings((), 0.3))(inputs)["age"])
    np.testing.assert_array_equal(model(FEATURES), FEATURES)


def test_without_dense_layers_the_trunk_alone_is_shared_and_each_head_has_its_own():
    tasks = ["age", "gender"]
    whole, bare = (MultiTaskModel(tasks, "small_cnn", sharing, 16) for sharing in ("hard", "hard:dense=false"))
    names = [[layer.name for layer in model.layers if isinstance(layer, keras.layers.Dense)] for model in (whole, bare)]
    assert {*names[0]} - {*names[1]} == {"shared_dense_0", "shared_dense_1"} and {*names[1]} < {*names[0]}
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype("uint8")
    answers = model_folder.in_float32(bare)(images)
    by_features = bare.heads_network()(bare.feature_network()(images))
    for task in tasks:
        np.testing.assert_allclose(answers[task], by_features[task], rtol=1e-5)
