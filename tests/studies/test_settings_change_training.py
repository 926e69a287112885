"""Every setting of an experiment changes what is trained, and in the way that it says."""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mtl_keras.data.augment import AUGMENTATION, augment
from mtl_keras.data.images import read_image, resize
from mtl_keras.evaluation.features import trunk_features
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.faces.geometry import CROPS
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.normalization import norms_of
from mtl_keras.models.sharing import SHARING
from mtl_keras.studies import network
from mtl_keras.studies.network import FROZEN_RATE, build, train_network
from mtl_keras.studies.runs import fingerprint
from mtl_keras.studies.settings import Experiment, label_of, name_of
from mtl_keras.studies.stages import Stage
from mtl_keras.studies.study import Study
from mtl_keras.studies.temperatures import calibrated
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.weightings import WEIGHTINGS

TRAIN, VALIDATION, TEST = slice(0, 18), slice(18, 24), slice(24, 30)


@dataclass
class Fitted:
    """What `fit` was called with."""

    model: MultiTaskModel
    training: object
    validation: tf.data.Dataset | None
    folder: Path
    epochs: int
    patience: int

    def epoch(self, number: int = 0) -> tuple:
        """Return the images (or features), labels and masks of all rows of an epoch."""
        found = list(self.training(number))
        return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *found)


@pytest.fixture
def base(tiny_backbone) -> Experiment:
    """Settings without chance and without anything that another setting would be told apart from."""
    return Experiment(
        tasks=("age", "gender"), backbone=tiny_backbone, frozen_epochs=0, epochs=3, batch_size=4, learning_rate=1e-2,
        schedule="constant", trunk_rate=1.0, weight_decay=0.0, dropout=0.0, ema=0.0, augment=False,
        precision="float32", strategy="one",
    )  # fmt: skip


@pytest.fixture
def parts(faces) -> tuple[pd.DataFrame, ...]:
    """Rows to train, to validate and to test on; their ages tell the rows apart."""
    table = faces.assign(age=np.arange(30.0))
    return tuple(table.iloc[part].reset_index(drop=True) for part in (TRAIN, VALIDATION, TEST))


@pytest.fixture
def fitted(parts, tmp_path, monkeypatch):
    """Prepare the training of the whole network, or with `study` all that a study trains, and return calls of `fit`."""

    def call(settings: Experiment, rows: pd.DataFrame | None = None, study: bool = False) -> list[Fitted]:
        calls = []

        def remembered(*arguments):
            calls.append(Fitted(*arguments))
            history = pd.DataFrame({"epoch": [0, 1, 2], "loss": 1.0, "val_loss": [0.9, 0.4, 0.7], "seconds": 1.0})
            calls[-1].folder.mkdir(parents=True, exist_ok=True)
            history.to_csv(calls[-1].folder / "history.csv", index=False)

        with monkeypatch.context() as patch:
            patch.setattr(network, "fit", remembered)
            if study:
                Study(parts, tmp_path / "study").run(settings)
            else:
                chosen = (parts[0] if rows is None else rows, parts[1])
                train_network(settings, chosen, None, tmp_path / "run", settings.epochs)
        return calls

    return call


def one_step(found: Fitted) -> list[np.ndarray]:
    """Train one step and return how much each trained variable moved."""
    before = [variable.numpy() for variable in found.model.trainable_variables]
    found.model.fit(found.training(0).take(1), verbose=0)
    after = [variable.numpy() for variable in found.model.trainable_variables]
    return [new - old for new, old in zip(after, before, strict=True)]


def losses(found: Fitted) -> dict[str, float]:
    """Return the losses over one epoch of the training rows, before any training."""
    whole = tf.data.Dataset.from_tensors(found.epoch())
    return found.model.evaluate(whole, verbose=0, return_dict=True)


def rate(found: Fitted, step: int) -> float:
    schedule = found.model.optimizer._learning_rate
    return float(schedule(step) if callable(schedule) else schedule)


# === Network ===


def tasks(base, fitted):
    (found,) = fitted(replace(base, tasks=("smile",)))
    assert {name: output.shape[-1] for name, output in found.model.output.items()} == {"smile": 2}
    assert set(found.epoch()[1]) == {"smile"}


def age(base, fitted):
    sizes = {}
    for form in ("expectation", "argmax", "regression"):
        (found,) = fitted(replace(base, age=form))
        sizes[form] = (found.model.output["age"].shape[-1], found.model.tasks[0].readout)
    assert sizes == {"expectation": (117, "mean"), "argmax": (117, "argmax"), "regression": (1, "mean")}


def age_label_std(base, fitted):
    alone = replace(base, tasks=("age",), age_error_weight=0.0)
    (narrow,), (wide,) = (fitted(replace(alone, age_label_std=std)) for std in (0.0, 3.0))
    # The network's answer is the same, the target is not: -log p of one bin, or its mean over a Gaussian of bins.
    answer = narrow.model.predict(narrow.epoch()[0], verbose=0)["age"]  # (N, 117)
    ages = narrow.epoch()[1]["age"]
    assert losses(narrow)["loss"] == pytest.approx(-np.log(answer[range(18), ages.astype(int)]).mean(), rel=1e-4)
    target = np.exp(-0.5 * ((np.arange(117) - ages[:, None]) / 3) ** 2)
    target /= target.sum(axis=1, keepdims=True)
    assert losses(wide)["loss"] == pytest.approx(-(target * np.log(answer)).sum(axis=1).mean(), rel=1e-3)


def age_error_weight(base, fitted):
    alone = replace(base, tasks=("age",))
    (without,), (found,) = (fitted(replace(alone, age_error_weight=weight)) for weight in (0.0, 0.5))
    images, labels, _ = found.epoch()
    errors = np.abs(found.model.predict(images, verbose=0)["age"] @ np.arange(117) - labels["age"])
    assert losses(found)["loss"] - losses(without)["loss"] == pytest.approx(0.5 * errors.mean(), rel=1e-3)


def backbone(base, fitted, parts):
    (found,) = fitted(replace(base, tasks=("gender",), backbone="gender_eyeglasses"))
    images, _, _ = found.epoch()
    # Its images are brought to 50 pixels without antialiasing, which keeps the frames of eyeglasses.
    sharp, smooth = (
        {resize(read_image(path), 50, method).tobytes() for path in parts[0]["path"]}
        for method in ("sharp", "bilinear")
    )
    near = [min(np.abs(np.frombuffer(one, np.uint8) - image.ravel().astype(float)).mean() for one in sharp)
            for image in images]  # fmt: skip
    far = [min(np.abs(np.frombuffer(one, np.uint8) - image.ravel().astype(float)).mean() for one in smooth)
           for image in images]  # fmt: skip
    # TensorFlow decodes JPEG files a little otherwise than Pillow.
    assert np.mean(near) < 0.8 * np.mean(far)
    assert found.model.trunks[0].name == "gender_eyeglasses" and found.model.image_size == 50


def sharing(base, fitted, monkeypatch):
    used = []
    monkeypatch.setitem(SHARING, "other", lambda *arguments: used.append(1) or SHARING["hard"](*arguments))
    fitted(base)
    assert not used
    fitted(replace(base, sharing="other"))
    assert used


def weights(base, fitted, parts, tmp_path, monkeypatch):
    def load(trunk, path):
        trunk.set_weights([np.full_like(weight, path) for weight in trunk.get_weights()])

    ours = replace(BACKBONES[base.backbone], find_weights={"sevens.h5": 7}.get, load_weights=load)
    monkeypatch.setitem(BACKBONES, base.backbone, ours)
    (found,) = fitted(replace(base, weights="sevens.h5"))
    assert all((weight == 7).all() for weight in found.model.trunks[0].get_weights())
    # Without any, they are random, by the seed.
    (found,) = fitted(base)
    assert found.model.trunks[0].get_weights()[0].std() > 0
    assert Study(parts, tmp_path).weights_of(base) == "random, seed 0"


def image_size(base, fitted):
    (found,) = fitted(replace(base, image_size=48))
    assert found.epoch()[0].shape == (18, 48, 48, 3) and found.model.trunks[0].input_shape[1:] == (48, 48, 3)


def border(base, fitted):
    (found,) = fitted(replace(base, border=4))
    # The trunk's own 32 pixels, of which 4 on each side are the face's mirrored border.
    assert found.epoch()[0].shape == (18, 24, 24, 3) and found.model.trunks[0].input_shape[1:] == (32, 32, 3)


def dropout(base, fitted):
    (found,) = fitted(replace(base, dropout=0.4))
    rates = {layer.rate for layer in found.model.layers if isinstance(layer, keras.layers.Dropout)}
    assert rates == {0.4}


# === Weighting ===


def weighting(base, fitted, monkeypatch):
    monkeypatch.setitem(WEIGHTINGS, "other", WEIGHTINGS["equal"])
    for name in ("equal", "other"):
        (found,) = fitted(replace(base, weighting=name))
        assert found.model.get_compile_config()["loss"]["config"]["weighting"] == name


def loss_weights(base, fitted):
    (found,) = fitted(replace(base, loss_weights=(2.0, 0.5)))
    logged = losses(found)
    assert logged["loss"] == pytest.approx(2 * logged["age_loss"] + 0.5 * logged["gender_loss"], rel=1e-5)


def loss_mean(base, fitted, parts):
    half = parts[0].assign(gender=parts[0]["gender"].where(np.arange(18) % 3 > 0))
    for mean, share in (("labelled", 1.0), ("batch", 12 / 18)):
        (found,) = fitted(replace(base, loss_mean=mean), half)
        logged = losses(found)
        assert logged["loss"] == pytest.approx(logged["age_loss"] + share * logged["gender_loss"], rel=1e-5)


def gradients_at(base, fitted):
    for place in ("parameters", "features"):
        (found,) = fitted(replace(base, weighting="mgda", gradients_at=place))
        assert found.model.get_compile_config()["loss"]["config"]["gradients_at"] == place


# === Training ===


def accumulate(base, fitted):
    (found,) = fitted(replace(base, accumulate=3))
    assert found.model.get_compile_config()["loss"]["config"]["accumulate"] == 3


def sync_batch_norm(base, fitted):
    for on in (True, False):
        (found,) = fitted(replace(base, backbone="bknet", sync_batch_norm=on))
        assert {norm.synchronized for norm in norms_of(found.model)} == {on}


def frozen_epochs(base, fitted, parts, tmp_path):
    """The heads are trained on the features of all images and of all mirrored ones, for this number of epochs."""
    settings = replace(base, frozen_epochs=5, epochs=0, batch_size=7)
    (found,) = fitted(settings, study=True)
    trunk = build(settings)
    expected = np.concatenate(
        [trunk_features(trunk, parts[0], tmp_path / "cache", "random", flip) for flip in (False, True)]
    )
    features, labels, _ = found.epoch()
    assert found.epochs == 5 and len(features) == 36
    distances = np.abs(features[:, None] - expected).max(axis=-1)  # (36, 36)
    assert distances.min(axis=0).max() < 1e-5 and distances.min(axis=1).max() < 1e-5
    assert len(np.unique(features.round(4), axis=0)) == 36
    assert sorted(labels["age"].tolist()) == sorted([*parts[0]["age"]] * 2)
    # The pose of a head is another in the mirror: yaw and roll have the other sign.
    (posed,) = fitted(replace(settings, tasks=("head_pose",)), study=True)
    angles = posed.epoch()[1]["head_pose"]
    assert len(angles) == 36 and np.abs(angles).sum(axis=0).min() > 1
    np.testing.assert_allclose(angles.sum(axis=0)[[0, 2]], 0, atol=1e-3)
    assert abs(angles[:, 1].sum()) > 1
    # One batch an epoch, and a rate that falls to 0 over all of them.
    assert rate(found, 1) == pytest.approx(FROZEN_RATE) and rate(found, 5) == pytest.approx(0, abs=1e-9)
    assert fitted(base, study=True)[0].folder.name.startswith("tiny-age-gender-trained-")


def epochs(base, fitted, parts):
    (found,) = fitted(replace(base, epochs=11))
    assert found.epochs == 11
    # Between them the loss on the validation rows is measured.
    measured = np.concatenate([labels["age"] for _, labels, _ in found.validation])
    assert measured.tolist() == parts[1]["age"].tolist()
    # The whole network starts from the heads of the frozen stage, where there was one.
    heads, found = fitted(replace(base, frozen_epochs=2, epochs=11), study=True)
    own = [layer.name for layer in heads.model.layers if layer.weights]
    assert own and found.epochs == 11
    for name in own:
        before, after = (one.model.get_layer(name).get_weights()[0] for one in (heads, found))
        np.testing.assert_array_equal(before, after)


def batch_size(base, fitted):
    (found,) = fitted(replace(base, batch_size=5))
    assert [images.shape[0] for images, *_ in found.training(0)] == [5, 5, 5, 3]


def learning_rate(base, fitted):
    (found,) = fitted(replace(base, learning_rate=3e-3))
    assert max(np.abs(move).max() for move in one_step(found)) == pytest.approx(3e-3, rel=0.01)


def schedule(base, fitted):
    settings = replace(base, epochs=8, learning_rate=0.5)
    steps = 5  # 18 rows by 4, of all training 40
    (cosine,), (constant,), (harmonic,) = (
        fitted(replace(settings, schedule=each)) for each in ("cosine", "constant", "harmonic")
    )
    expected = [0.5 * 0.5 * (1 + np.cos(np.pi * (step - 2) / 38)) for step in (2, 5, 21, 39, 40)]
    assert [rate(cosine, step) for step in (2, 5, 21, 39, 40)] == pytest.approx(expected, abs=1e-6)
    assert rate(cosine, 0) == 0 and rate(cosine, 1) == pytest.approx(0.25)
    assert [rate(constant, step) for step in (0, 5, 39)] == [0.5] * 3
    found = [rate(harmonic, steps * epoch + step) for epoch, step in ((0, 0), (0, 4), (1, 0), (3, 2))]
    assert found == pytest.approx([0.5, 0.5, 0.25, 0.125])


def trunk_rate(base, fitted):
    for factor in (1.0, 0.25, 0.0):
        (found,) = fitted(replace(base, trunk_rate=factor))
        own = {variable.path for variable in found.model.trunks[0].trainable_variables}
        paths = [variable.path in own for variable in found.model.trainable_variables]
        moves = [np.abs(move).max() for move in one_step(found)]
        trunk, heads = (max(m for m, is_own in zip(moves, paths, strict=True) if is_own == side) for side in (1, 0))
        # The first step of Adam is the learning rate itself.
        assert heads == pytest.approx(1e-2, rel=0.01) and trunk == pytest.approx(factor * 1e-2, rel=0.01)


def freeze_stem(base, fitted, monkeypatch):
    stem = replace(BACKBONES[base.backbone], stages=("convolution",))
    stem = replace(stem, find_weights=lambda name: name, load_weights=lambda trunk, path: None)
    monkeypatch.setitem(BACKBONES, base.backbone, stem)
    for frozen, given, learns in ((True, "file.h5", False), (False, "file.h5", True), (True, None, True)):
        (found,) = fitted(replace(base, freeze_stem=frozen, weights=given))
        layer = found.model.trunks[0].get_layer("convolution")
        before = layer.get_weights()[0]
        one_step(found)
        assert (np.abs(layer.get_weights()[0] - before).max() > 0) == learns


def weight_decay(base, fitted):
    (without,), (found,) = (fitted(replace(base, weight_decay=decay)) for decay in (0.0, 0.3))
    variables = found.model.trainable_variables
    before = [variable.numpy() for variable in variables]
    for variable, old, plain, decayed in zip(variables, before, one_step(without), one_step(found), strict=True):
        # Decoupled: rate x decay x weight, on kernels alone.
        expected = -1e-2 * 0.3 * old if len(old.shape) > 1 else np.zeros_like(old)
        np.testing.assert_allclose(decayed - plain, expected, atol=2e-6, err_msg=variable.path)


def l2(base, fitted):
    (found,) = fitted(replace(base, l2=0.01))
    kernels = [variable.numpy() for variable in found.model.trainable_variables if variable.name == "kernel"]
    assert losses(found)["l2"] == pytest.approx(0.01 * sum((kernel**2).sum() / 2 for kernel in kernels), rel=1e-4)
    assert "l2" not in losses(fitted(base)[0])


def ema(base, fitted, parts, tmp_path):
    """What is measured and saved are the averages of the weights, not the weights of the last step."""
    settings = replace(base, epochs=1, ema=0.7)
    model, _ = train_network(settings, (parts[0], parts[1]), None, tmp_path / "run", 1)
    (by_hand,) = fitted(replace(settings, ema=0.0))
    average = None
    for batch in by_hand.training(0):
        by_hand.model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
        now = [weight.numpy() for weight in by_hand.model.trainable_variables]
        average = now if average is None else [0.7 * a + 0.3 * n for a, n in zip(average, now, strict=True)]
    for variable, expected in zip(model.trainable_variables, average, strict=True):
        np.testing.assert_allclose(variable.numpy(), expected, atol=1e-4, err_msg=variable.path)
    assert max(np.abs(a - n).max() for a, n in zip(average, now, strict=True)) > 1e-3


def patience(base, fitted):
    (found,) = fitted(replace(base, patience=2))
    assert found.patience == 2


def refit(base, fitted):
    """It trains once more, on the validation rows as well, for the two epochs that were best in `fitted`'s curve."""
    first, again = fitted(replace(base, refit=True), study=True)
    assert (len(first.epoch()[0]), first.validation is None, first.epochs) == (18, False, 3)
    assert (len(again.epoch()[0]), again.validation is None, again.epochs) == (24, True, 2)


def calibrate(base, tiny_model, parts, tmp_path):
    """`tests/studies/test_temperatures.py` has what it does at every stage."""
    before = tiny_model.get_weights()
    for settings, changes in (
        (base, 0),
        (replace(base, calibrate=True, refit=True), 0),
        (replace(base, calibrate=True), 1),
    ):
        calibrated(settings, tiny_model, parts[1], tmp_path)
        assert any((new != old).any() for new, old in zip(tiny_model.get_weights(), before, strict=True)) == changes
        assert (tmp_path / "temperatures.json").exists() == changes


def precision(base, fitted, tmp_path):
    (found,) = fitted(replace(base, precision="mixed_bfloat16"), study=True)
    (plain,) = fitted(base, study=True)
    dense = ([one for one in each.model.layers if isinstance(one, keras.layers.Dense)][0] for each in (found, plain))
    assert [layer.compute_dtype for layer in dense] == ["bfloat16", "float32"]
    saved = keras.saving.load_model(tmp_path / "study/models/tiny-age-gender-trained/model.keras", compile=False)
    assert {layer.compute_dtype for layer in saved.layers if layer.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def strategy(base, fitted):
    for name, replicas in (("one", 1), ("mirrored", 2)):
        (found,) = fitted(replace(base, strategy=name), study=True)
        assert found.model.distribute_strategy.num_replicas_in_sync == replicas


def seed(base, fitted):
    first, same, other = (fitted(replace(base, seed=number))[0] for number in (0, 0, 1))
    orders = [found.epoch()[1]["age"].tolist() for found in (first, same, other)]
    assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) == sorted(orders[2])
    kernels = [found.model.trunks[0].get_weights()[0] for found in (first, same, other)]
    assert (kernels[0] == kernels[1]).all() and not (kernels[0] == kernels[2]).all()


# === Data ===


def crop(base, fitted, tmp_path):
    """Photos are cut for the model as its sidecar says; `tests/commands` has how an experiment's photos are cut."""
    for kind in ("celeba", "utkface"):
        fitted(replace(base, crop=kind), study=True)
        about = json.loads((tmp_path / "study/models/tiny-age-gender-trained/model.json").read_text())
        assert about["crop"]["kind"] == kind and about["crop"]["height"] == CROPS[kind].height


def balance(base, fitted, parts):
    """How often a row is seen does not depend on which of the tasks a network learns."""
    source = np.where(np.arange(18) < 12, "many", "few")
    rows = parts[0].assign(source=source, gender=parts[0]["gender"].where((np.arange(18) % 3 == 0) | (source == "few")))
    # Both sources alike: each row of "many" 3/4 times, each of "few" 3/2 times; 4 of the first have the label.
    (found,) = fitted(replace(base, tasks=("gender",), balance="sources"), rows)
    assert len(found.epoch()[0]) == round(4 * 0.75 + 6 * 1.5)
    (found,) = fitted(replace(base, tasks=("gender",), balance="few=3"), rows)
    assert len(found.epoch()[0]) == 4 + 3 * 6
    # The schedule counts the batches that are really seen.
    (found,) = fitted(replace(base, balance="few=3", schedule="cosine"), rows)
    assert rate(found, 8 * 3) == pytest.approx(0, abs=1e-9) and rate(found, 8 * 3 - 1) > 1e-6


def composition(base, fitted, parts):
    rows = parts[0].assign(source=["many"] * 14 + ["few"] * 4)
    (found,) = fitted(replace(base, composition="many=5,few=2", schedule="cosine"), rows)
    ages = [labels["age"].numpy() for _, labels, _ in found.training(0)]
    # The source that lasts longest is seen: 14 rows by 5 take three batches.
    assert [((age < 14).sum(), (age >= 14).sum()) for age in ages] == [(5, 2)] * 3
    assert rate(found, 9) == pytest.approx(0, abs=1e-9) and rate(found, 8) > 1e-6


def augmentation(base, fitted):
    plain, first, other = (
        fitted(replace(base, augment=changed, seed=number))[0] for changed, number in ((False, 0), (True, 0), (True, 1))
    )

    def by_age(found, epoch):
        images, labels, _ = found.epoch(epoch)
        return images[np.argsort(labels["age"])]

    unchanged = by_age(plain, 0)
    assert (unchanged == by_age(plain, 1)).all()
    # As the seed, the epoch and the row's number say.
    expected = [augment(image, tf.constant([0, row], tf.int64), AUGMENTATION) for row, image in enumerate(unchanged)]
    np.testing.assert_array_equal(by_age(first, 0), np.stack(expected))
    # Every epoch and every seed is another: also the next epoch of one seed and the same epoch of the next.
    seen = [by_age(found, epoch) for found in (first, other) for epoch in (0, 1)]
    assert all((a != b).any() for place, a in enumerate(seen) for b in seen[:place])


def gray(base, fitted):
    (found,) = fitted(replace(base, augment=True, gray=1.0))
    images = found.epoch()[0]
    assert np.ptp(images, axis=-1).max() <= 1


def teacher(base, fitted, parts, tiny_model, tiny_folder):
    """`tests/studies/test_teacher.py` has which answers stand in for labels."""
    parts[0]["age"] = parts[0]["age"].where(np.arange(18) % 3 > 0)
    (without,), (found,) = (fitted(replace(base, teacher=name), study=True) for name in (None, str(tiny_folder)))
    assert [each.epoch()[2]["age"].sum() for each in (without, found)] == [12, 18]
    answers = predictions(tiny_model, parts[0])["age.value"][::3]
    ages = found.epoch()[1]["age"]
    assert all(np.abs(ages - answer).min() < 1e-3 for answer in answers)


def variant(base, parts, tmp_path):
    """It is a name: what is trained is the same."""
    study, named = Study(parts, tmp_path), replace(base, variant="seed 1")
    assert study.noted(named) == study.noted(base) != study.noted(replace(base, seed=1))
    assert name_of(named, Stage.TRAINED) == f"{name_of(base, Stage.TRAINED)}-seed-1"
    assert label_of(named, Stage.TRAINED) == "tiny, trained, seed 1"


CASES = {
    "tasks": tasks, "age": age, "age_label_std": age_label_std, "age_error_weight": age_error_weight,
    "backbone": backbone, "sharing": sharing, "weights": weights, "image_size": image_size, "border": border,
    "dropout": dropout, "weighting": weighting, "loss_weights": loss_weights, "loss_mean": loss_mean,
    "gradients_at": gradients_at, "accumulate": accumulate,
    "frozen_epochs": frozen_epochs, "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate,
    "schedule": schedule, "trunk_rate": trunk_rate, "freeze_stem": freeze_stem, "weight_decay": weight_decay,
    "l2": l2, "ema": ema, "patience": patience, "refit": refit, "precision": precision, "strategy": strategy,
    "seed": seed, "crop": crop, "balance": balance, "composition": composition, "augment": augmentation,
    "gray": gray, "calibrate": calibrate, "variant": variant, "sync_batch_norm": sync_batch_norm,
    "teacher": teacher,
}  # fmt: skip


@pytest.mark.parametrize("name", [field.name for field in fields(Experiment)])
def test_the_setting_changes_what_is_trained(name, request):
    assert name in CASES, f"setting {name!r} has no case here: show what it changes"
    case = CASES[name]
    names = case.__code__.co_varnames[: case.__code__.co_argcount]
    case(**{each: request.getfixturevalue(each) for each in names})


def test_every_setting_tells_runs_apart_but_those_that_change_no_result(base, parts, tmp_path):
    study = Study(parts, tmp_path)
    other = {
        "tasks": ("gender", "age"), "loss_weights": (1.0, 2.0), "image_size": 40, "weights": None, "variant": "x",
        "age": "argmax", "loss_mean": "batch", "schedule": "cosine", "precision": "mixed_bfloat16",
        "strategy": "mirrored", "crop": "celeba", "backbone": "bknet", "sharing": "cross_stitch",
        "teacher": "x",
    }  # fmt: skip
    same = []
    for field in fields(Experiment):
        value = getattr(base, field.name)
        changed = not value if isinstance(value, bool) else f"{value}x" if isinstance(value, str) else None
        changed = changed if changed is not None else value + 1 if isinstance(value, int | float) else None
        settings = replace(base, **{field.name: other.get(field.name, changed)})
        if fingerprint(json.dumps(study.noted(settings))) == fingerprint(json.dumps(study.noted(base))):
            same.append(field.name)
    # Without augmentation no image loses its color.
    assert same == ["weights", "precision", "strategy", "gray", "variant"]
    changed = replace(base, augment=True)
    usual, other = (study.noted(replace(changed, gray=share)) for share in (0.1, 0.3))
    assert usual == study.noted(changed) and "gray" not in usual and usual["augment"]["gray"] == 0.1
    assert other["augment"]["gray"] == 0.3
