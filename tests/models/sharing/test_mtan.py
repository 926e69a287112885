"""MTAN: masks and attended features by hand, their parameters counted, and what tasks share counted once."""

import keras
import numpy as np
import pytest
from keras import layers

from mtl_keras.errors import UserError
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.sharing.mtan import mtan
from mtl_keras.models.sharing.sharing import Settings, Trunk
from mtl_keras.tasks import GENDER, SMILE
from mtl_keras.training.model import MultiTaskModel

IMAGES = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")
TASKS = ["age", "gender"]
# What batch normalization divides by before it has learned anything.
DIVISOR = np.sqrt(1 + 1e-3)


def attended(backbone: Backbone, tasks=TASKS, **settings) -> keras.Model:
    """The model from images to the features of each task."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, mtan(Trunk(backbone, 8), tasks, Settings((), 0.0), **settings)(inputs))


def inner(model: keras.Model, name: str) -> np.ndarray:
    """What a layer of the model gives."""
    return keras.Model(model.inputs[0], model.get_layer(name).output)(IMAGES).numpy()


def mask(model: keras.Model, name: str, seen: np.ndarray) -> np.ndarray:
    """h(g(seen)) of the mask's own weights."""
    kernel, bias = model.get_layer(f"{name}_dense_0").get_weights()
    hidden = np.maximum((seen @ kernel + bias) / DIVISOR, 0)
    kernel, bias = model.get_layer(f"{name}_dense_1").get_weights()
    return 1 / (1 + np.exp(-(hidden @ kernel + bias) / DIVISOR))


def test_a_task_attends_by_masks_of_the_stage_and_of_what_it_attended_to_before(staged_backbone):
    model = attended(BACKBONES[staged_backbone])
    first_stage, second_stage, rest = (model.get_layer(f"shared_stage_{number}") for number in (1, 2, 3))
    first = first_stage(IMAGES)
    second = second_stage(first)
    for task in TASKS:
        before = first * mask(model, f"{task}_mask_1", first)
        np.testing.assert_allclose(inner(model, f"{task}_attended_1"), before, atol=1e-5)
        seen = np.maximum(model.get_layer("transition_2_conv")(before) / DIVISOR, 0)
        seen = seen.reshape(4, 2, 2, 2, 2, 6).max(axis=(2, 4))  # (4, 4, 4, 6) to (4, 2, 2, 6)
        after = second * mask(model, f"{task}_mask_2", np.concatenate([second, seen], axis=-1))
        np.testing.assert_allclose(inner(model, f"{task}_attended_2"), after, atol=1e-5)
        np.testing.assert_allclose(model(IMAGES)[task], rest(after), atol=1e-5)
    assert np.abs(model(IMAGES)["age"] - model(IMAGES)["gender"]).max() > 1e-3


def test_a_task_whose_masks_are_closed_sees_nothing(staged_backbone):
    model = attended(BACKBONES[staged_backbone])
    model.get_layer("age_mask_2_dense_1").bias.assign(np.full(6, -100.0))
    bias = model.get_layer("shared_stage_3").get_layer("third").bias
    features = model(IMAGES)
    np.testing.assert_allclose(features["age"], np.tile(bias, (4, 1)), atol=1e-6)
    assert np.abs(features["gender"]).max() > 1e-3


@pytest.mark.parametrize("reduction", [1, 2])
def test_masks_and_transitions_have_the_parameters_of_their_formula(reduction, staged_backbone):
    model = attended(BACKBONES[staged_backbone], reduction=reduction)
    trunk = BACKBONES[staged_backbone].trunk(8)

    def of_mask(seen: int, channels: int) -> int:
        hidden = channels // reduction
        return (seen + 1) * hidden + 4 * hidden + (hidden + 1) * channels + 4 * channels

    transition = (9 * 4 + 1) * 6 + 4 * 6
    assert model.count_params() - trunk.count_params() == 2 * (of_mask(4, 4) + of_mask(2 * 6, 6)) + transition


def test_what_the_tasks_share_normalizes_over_all_of_them():
    def build(side: int) -> keras.Model:
        inputs = keras.Input((side, side, 3))
        x = layers.Conv2D(2, 3, name="first")(inputs)
        x = layers.BatchNormalization(momentum=0.0, name="last")(layers.GlobalAveragePooling2D()(x))
        return keras.Model(inputs, x, name="normalizing")

    model = attended(Backbone(build, 8, 3, 0.0, 1.0, stages=("first",)))
    norms = [model.get_layer(f"{task}_mask_1_norm_{number}") for task in TASKS for number in (0, 1)]
    norms[-1].beta.assign([3.0, -3.0])
    for norm in norms:
        norm.trainable = False  # so that it computes in training as it does here
    means = [inner(model, f"{task}_attended_1").mean(axis=(0, 1, 2)) for task in TASKS]
    assert np.abs(means[0] - means[1]).max() > 1e-2
    model(IMAGES, training=True)
    found = model.get_layer("shared_stage_2").get_layer("last").moving_mean
    np.testing.assert_allclose(found, np.mean(means, axis=0), atol=1e-5)


def test_stages_may_have_any_sizes_and_end_in_vectors():
    def build(side: int) -> keras.Model:
        inputs = keras.Input((side, side, 3))
        x = layers.Conv2D(2, 2, name="first")(inputs)  # 7 x 7
        x = layers.Conv2D(3, 3, 2, name="second")(x)  # 3 x 3
        x = layers.GlobalAveragePooling2D(name="third")(layers.Conv2D(4, 1)(x))
        return keras.Model(inputs, layers.Dense(5, name="fourth")(x), name="sized")

    model = attended(Backbone(build, 8, 3, 0.0, 1.0, stages=("first", "second", "third", "fourth")))
    assert [model.get_layer(f"age_attended_{n}").output.shape[1:] for n in (1, 2, 3, 4)] == [
        (7, 7, 2), (3, 3, 3), (4,), (5,),
    ]  # fmt: skip
    assert model(IMAGES)["gender"].shape == (4, 5)


def test_all_masks_and_the_one_trunk_learn(staged_backbone):
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([GENDER, SMILE], staged_backbone, "mtan:reduction=2", 8, dropout=0.0)
    model.compile(keras.optimizers.SGD(0.1))
    before = [variable.numpy() for variable in model.trainable_variables]
    labels = {"gender": np.array([0, 1, 1, 0]), "smile": np.array([1, 0, 1, 0])}
    model.train_on_batch((64 * (IMAGES + 2)).clip(0, 255).astype("uint8"), labels)
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert np.abs(variable.numpy() - old).max() > 0 or "norm" in variable.path or variable.name == "bias"
    assert len(model.trunks) == 1 and model.feature_network() is None
    model.freeze_stem()
    assert not model.trunks[0].get_layer("first").trainable and model.trunks[0].get_layer("second").trainable


def test_bad_settings_are_refused(staged_backbone):
    with pytest.raises(UserError, match="^reduction 0: expected at least 1"):
        attended(BACKBONES[staged_backbone], reduction=0)
    inputs = keras.Input((8, 8, 3))
    small = layers.Conv2D(3, 3, name="first")(inputs)
    grown = keras.Model(inputs, layers.UpSampling2D(2, name="second")(small), name="grown")
    with pytest.raises(UserError, match=r"maps that grow from \(6, 6\) to \(12, 12\)"):
        attended(Backbone(grown, 8, 3, 0.0, 1.0, stages=("first", "second")))
    with pytest.raises(UserError, match="'features_trunk' cannot be cut into stages: .* or share hard"):
        mtan(Trunk(BACKBONES["features"], 5), TASKS, Settings((), 0.0))
