"""A weighting of the user's own, whose state follows each step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.tasks import EYEGLASSES, GENDER, SMILE
from mtl_keras.training import distribute
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.weightings.weighting import State, Weighting, variable

NAMES = ["gender", "smile", "eyeglasses"]
FEATURES = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
LABELS = {name: np.array([0, 1, 1, 0], "int32") for name in NAMES}
MASKS = {name: np.full(4, float(name != "smile"), "float32") for name in NAMES}


def counting() -> Weighting:
    """Weighs a task by how often it was seen, and counts every task, also one without a label."""
    seen = variable([1.0, 1.0, 1.0], "seen")

    def weigh(step):
        return seen.value

    def update(step):
        seen.assign(seen + 1)

    return Weighting("losses", weigh, State([seen]), update=update)


def trained(strategy: str) -> MultiTaskModel:
    with distribute.strategy(strategy).scope():
        keras.utils.set_random_seed(0)
        model = MultiTaskModel([GENDER, SMILE, EYEGLASSES], "features", image_size=5, head_units=(), dropout=0.0)
        # Of several replicas a graph takes many seconds to make, and counts no other way.
        model.compile(keras.optimizers.SGD(0.1), weighting=counting(), run_eagerly=strategy != "one")
    data = tf.data.Dataset.from_tensor_slices((FEATURES, LABELS, MASKS)).batch(2)
    model.fit(data, validation_data=data, epochs=2, verbose=0, shuffle=False)
    return model


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    """Trained on one device."""
    return trained("one")


def test_state_follows_training_steps_alone_and_only_for_tasks_with_a_label(model):
    for each in (model, trained("mirrored")):
        assert each.weighting_state.weights[0].numpy().tolist() == [5.0, 1.0, 5.0]


def test_state_that_is_not_trained_is_no_variable_of_the_optimizer(model, tmp_path):
    assert not any(variable.path.startswith("seen") for variable in model.trainable_variables)
    model.save_weights(tmp_path / "backup.weights.h5")
    model.weighting_state.weights[0].assign([0.0, 0.0, 0.0])
    model.load_weights(tmp_path / "backup.weights.h5")
    assert model.weighting_state.weights[0].numpy().tolist() == [5.0, 1.0, 5.0]


def test_a_model_with_a_weighting_without_a_name_is_saved_uncompiled(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert not again.compiled
    np.testing.assert_allclose(again(FEATURES)["smile"], model(FEATURES)["smile"], rtol=1e-6)
