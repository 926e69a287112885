"""Networks on a Keras model of the user's: its preprocessing, its copy, and what is refused."""

import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from keras.src.legacy.saving import legacy_h5_format

from mtl_keras.errors import UserError
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.backbones.backbone import Backbone, as_backbone
from mtl_keras.tasks import AGE, GENDER
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype("uint8")


def maps(channels: int = 3) -> keras.Model:
    inputs = keras.Input((8, 8, channels))
    first = keras.layers.Conv2D(4, 3, name="first")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(5, 3, name="second")(first), name="own")


def own(*parts: layers.Layer, shape: tuple = (8, 8, 3), name: str = "own") -> keras.Model:
    inputs = outputs = keras.Input(shape)
    for part in parts:
        outputs = part(outputs)
    return keras.Model(inputs, outputs, name=name)


def several(keys: bool = False) -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    outputs = [layers.Flatten()(inputs) for _ in range(2)]
    return keras.Model(inputs, {"a": outputs[0]} if keys else outputs)


def two_inputs() -> keras.Model:
    image = keras.Input((8, 8, 3))
    return keras.Model([image, keras.Input((2,))], layers.Flatten()(image))


class Unregistered(layers.Layer):
    def call(self, inputs):
        return 2 * inputs


@keras.saving.register_keras_serializable("tests")
class Doubled(Unregistered):
    """A layer of the user's, registered."""


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
        (own(layers.Flatten(), shape=(8, 6, 3)), {}, r"shape \(None, 8, 6, 3\); expected one of square images"),
        (own(layers.Conv2D(2, 3), shape=(None, None, 3)), {}, "any side; give `image_size`"),
        (own(layers.Reshape((-1, 3))), {}, r"answers \(None, 64, 3\); expected features .* GlobalAveragePooling1D"),
        (several(), {}, r"answers \[\(None, 192\), \(None, 192\)\]; expected features"),
        (several(keys=True), {}, "answers .*; expected features"),
        (two_inputs(), {}, r"shape \(\); expected one"),
        (keras.Sequential([layers.Flatten()]), {}, "begins with keras.Input"),
        (own(layers.Lambda(lambda x: x), layers.Flatten()), {}, "has a Lambda layer"),
        (own(Unregistered(), layers.Flatten()), {}, "class Unregistered, .*register_keras_serializable"),
        (own(layers.Flatten(), name="gender"), {}, '"gender" is used 2 times'),
        (3, {}, "backbone 3: expected a name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_one_line(backbone, settings, message):
    with pytest.raises(UserError, match=message) as error:
        MultiTaskModel([GENDER], backbone, **settings)
    assert "\n" not in str(error.value)


def test_a_model_whose_size_comes_from_the_border_and_the_image():
    assert MultiTaskModel([GENDER], maps(), border=1).image_size == 6


def test_a_model_of_any_side_takes_the_side_that_is_asked_for():
    model = MultiTaskModel([GENDER], own(layers.Conv2D(2, 3), shape=(None, None, 1)), image_size=8)
    assert model.input_shape == (None, 8, 8, 3) and model.image_size == 8
    assert model.trunks[0].output_shape == (None, 2)


def nested() -> keras.Model:
    inner = own(layers.Conv2D(2, 3, name="first"), layers.Conv2D(2, 3, name="second"), name="inner")
    before = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), Doubled()], name="preprocessing")
    return own(before, inner, layers.Flatten())


def test_models_within_a_model_and_what_is_frozen_in_them_survive_a_reload(tmp_path):
    model = MultiTaskModel([GENDER, AGE], nested())
    model.trunks[0].get_layer("inner").get_layer("first").trainable = False
    folder = model_folder.save(model, tmp_path / "model")
    again = model_folder.load(folder)
    assert [variable.path.split("/")[-2] for variable in again.trunk_variables()] == ["second", "second"]
    for ours, theirs in zip(model(IMAGES).values(), again(IMAGES).values(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_frozen_trunk_stays_frozen(tmp_path):
    trunk = maps()
    trunk.trainable = False
    model = MultiTaskModel([GENDER], trunk)
    assert not model.trunk_variables()
    assert not model_folder.load(model_folder.save(model, tmp_path / "model")).trunk_variables()


NEW_PROCESS = """
import sys
import mtl_keras
for folder in sys.argv[1:]:
    try:
        print(mtl_keras.load(folder).backbone)
    except mtl_keras.errors.UserError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_new_process_needs_nothing_registered_but_the_users_own_layers(tmp_path, monkeypatch):
    monkeypatch.setitem(BACKBONES, "mine", Backbone(maps(), 8, 3, mean=0.0, scale=255.0))
    with_layer = model_folder.save(MultiTaskModel([GENDER], nested()), tmp_path / "nested")
    plain = model_folder.save(MultiTaskModel([GENDER], "mine"), tmp_path / "plain")

    command = [sys.executable, "-c", NEW_PROCESS, plain, with_layer]
    root = str(Path(__file__).parents[3])
    ran = subprocess.run(command, env={"PYTHONPATH": root}, capture_output=True, text=True)
    first, second = ran.stdout.splitlines()
    assert first == "own"
    assert "a layer of the class Doubled, which Keras does not know here; import the module" in second


def test_a_trunk_is_cut_where_all_its_paths_meet_and_each_part_has_weights():
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", name="one")(layers.Rescaling(1 / 255)(inputs))
    x = layers.MaxPooling2D(name="pool")(x)
    left, right = (layers.Conv2D(4, 3, padding="same", name=name)(x) for name in ("left", "right"))
    x = layers.ReLU(name="join")(layers.Add()([left, right]))
    x = layers.MaxPooling2D(name="no_weights")(x)
    trunk = keras.Model(inputs, layers.Conv2D(4, 3, name="last")(x))
    assert as_backbone(trunk).cuts(trunk) == ("one", "join", "last")
    stitched = MultiTaskModel([GENDER, AGE], trunk, "cross_stitch")
    assert len(stitched.trunks) == 2
    # One size alone is no reason to cut, nor can what is called twice be followed.
    assert as_backbone(maps()).cuts(own(layers.Conv2D(2, 1), layers.Conv2D(2, 1))) == ()
    twice = layers.Conv2D(3, 3, padding="same")
    assert as_backbone(maps()).cuts(own(twice, layers.MaxPooling2D(), twice)) == ()


def test_weights_of_a_file_are_those_of_every_trunk(tmp_path, one_line):
    trained = maps()
    trained.set_weights([np.full_like(weight, 0.25) for weight in trained.get_weights()])
    trained.save_weights(tmp_path / "w.weights.h5")
    trained.save(tmp_path / "w.keras")
    with h5py.File(tmp_path / "w.h5", "w") as file:  # as the published files of keras.applications are
        legacy_h5_format.save_weights_to_hdf5_group(file, trained)
    for name in ("w.weights.h5", "w.h5", "w.keras"):
        model = MultiTaskModel([GENDER, AGE], maps(), weights=tmp_path / name)
        assert all((weight == 0.25).all() for weight in model.trunks[0].get_weights())
    with one_line("does not fit 'own'", tmp_path / "w.weights.h5"):
        MultiTaskModel([GENDER], maps(1), weights=tmp_path / "w.weights.h5")
    (tmp_path / "cut.weights.h5").write_bytes((tmp_path / "w.weights.h5").read_bytes()[:500])
    with one_line("does not fit 'own'", tmp_path / "cut.weights.h5"):
        MultiTaskModel([GENDER], maps(), weights=tmp_path / "cut.weights.h5")
    trained.set_weights([np.full_like(weight, np.nan) for weight in trained.get_weights()])
    trained.save_weights(tmp_path / "nan.weights.h5")
    with one_line("not finite", tmp_path / "nan.weights.h5"):
        MultiTaskModel([GENDER], maps(), weights=tmp_path / "nan.weights.h5")
    with one_line("no such file", "weights '20180402-114759'"):
        MultiTaskModel([GENDER], "bknet", weights="20180402-114759")


def test_an_adapted_normalization_is_copied_saved_and_read(tmp_path):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (8, 8, 8, 3)).astype("uint8")
    normalization = keras.layers.Normalization()
    normalization.adapt(images.astype("float32"))
    inner = keras.Sequential([keras.Input((8, 8, 3)), normalization])
    trunk = keras.Sequential([keras.Input((8, 8, 3)), inner, keras.layers.Conv2D(4, 3), keras.layers.ReLU()])
    model = MultiTaskModel([GENDER], trunk)
    expected = trunk.predict(images, verbose=0).mean(axis=(1, 2))
    np.testing.assert_allclose(model.trunks[0].predict(images, verbose=0), expected, atol=1e-4)
    answers = model.predict(images, verbose=0)["gender"]
    model_folder.save(model, tmp_path / "model")
    again = model_folder.load(tmp_path / "model").predict(images, verbose=0)["gender"]
    np.testing.assert_allclose(again, answers, atol=1e-5)
