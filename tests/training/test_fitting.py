"""`fit` and the like as everywhere in Keras: every kind of data, weights, splits, and logs that are plain numbers."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE, GENDER
from mtl_keras.training import distribute
from mtl_keras.training.model import MultiTaskModel

ROWS, BATCH = 8, 4
RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(ROWS, 4)).astype("float32")
# As a user has them: float64, with blanks.
LABELS = {"age": RANDOM.uniform(0, 90, ROWS), "gender": RANDOM.integers(0, 2, ROWS)}
LABELS["age"][[1, 6]], LABELS["gender"][3] = np.nan, -1
WEIGHTS = {"age": RANDOM.uniform(0.1, 2, ROWS), "gender": RANDOM.uniform(0.1, 2, ROWS)}
MASKS = {"age": np.isfinite(LABELS["age"]).astype("float32"), "gender": (LABELS["gender"] >= 0).astype("float32")}


def network(**choices) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([AGE, GENDER], "features", image_size=4, shared_units=(), head_units=(), dropout=0.0)
    # Compiling a step takes longer than the few that are taken here.
    model.compile(keras.optimizers.SGD(0.1), **({"run_eagerly": True} | choices))
    return model


def assert_same(first: MultiTaskModel, second: MultiTaskModel):
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def by_hand(weights: dict) -> dict[str, float]:
    """The tasks' losses of the untrained network, in plain NumPy."""
    outputs = {name: output.numpy() for name, output in network()(FEATURES).items()}
    found = {}
    for name, labels in LABELS.items():
        rows = np.flatnonzero(MASKS[name])
        chosen = outputs[name][rows, np.round(labels[rows]).astype(int)]
        found[f"{name}_loss"] = np.average(-np.log(chosen), weights=weights[name][rows])
    return found


# === Labels and weights ===


def test_labels_without_masks_learn_as_labels_with_them():
    plain, masked = network(), network()
    logs = [plain.train_on_batch(FEATURES, LABELS, return_dict=True)]
    zeros = {name: np.where(MASKS[name] > 0, labels, 0) for name, labels in LABELS.items()}
    logs.append(masked.train_on_batch(FEATURES, zeros, MASKS, return_dict=True))
    assert logs[0] == pytest.approx(logs[1], rel=1e-6) and all(isinstance(value, float) for value in logs[0].values())
    assert logs[0] == pytest.approx(logs[0] | by_hand(MASKS), rel=1e-4)
    assert_same(plain, masked)


def test_a_task_without_labels_takes_no_part():
    model, alone = network(), network()
    before = {layer.name: layer.get_weights() for layer in model.layers}
    logs = model.fit(FEATURES, {"age": LABELS["age"]}, batch_size=ROWS, verbose=0).history
    assert {*logs} == {"loss", "age_loss", "age_mae"} and logs["loss"] == logs["age_loss"]
    for layer in model.layers:
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True):
            assert np.array_equal(old, new) == layer.name.startswith("gender_")
    alone.train_on_batch(FEATURES, LABELS, {"age": MASKS["age"], "gender": np.zeros(ROWS)})
    assert_same(model, alone)


def test_sample_weights_make_the_mean_a_weighted_one():
    logs = network().evaluate(FEATURES, LABELS, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    assert logs == pytest.approx(logs | by_hand(WEIGHTS), rel=1e-4)
    # In one part of the tasks only, and in the data of validation.
    some = {"age": WEIGHTS["age"]}
    expected = by_hand({"age": WEIGHTS["age"], "gender": np.ones(ROWS)})
    logs = network().test_on_batch(FEATURES, LABELS, some, return_dict=True)
    assert logs == pytest.approx(logs | expected, rel=1e-4)
    data = FEATURES, LABELS, some
    history = network().fit(*data[:2], ROWS, sample_weight=some, validation_data=data, verbose=0).history
    assert history["age_loss"] == pytest.approx([expected["age_loss"]], rel=1e-4)
    assert history["val_age_loss"][0] < expected["age_loss"]


def test_a_part_can_be_split_off_for_validation():
    model = network()
    history = model.fit(FEATURES, LABELS, sample_weight=WEIGHTS, validation_split=0.5, verbose=0).history
    second = {name: values[ROWS // 2 :] for name, values in LABELS.items()}
    weights = {name: values[ROWS // 2 :] for name, values in WEIGHTS.items()}
    expected = model.evaluate(FEATURES[ROWS // 2 :], second, sample_weight=weights, verbose=0, return_dict=True)
    assert {name: history[f"val_{name}"][0] for name in expected} == pytest.approx(expected, rel=1e-5)


# === Weights of classes ===


def test_classes_are_weighed_in_training_alone_and_only_where_that_is_asked():
    by_class = {"gender": {"male": 3.0}}
    weights = {"gender": np.where(LABELS["gender"] == 0, 3.0, 1.0)}
    weighed, expected, plain = network(), network(), network()
    data = {"validation_data": (FEATURES, LABELS), "batch_size": ROWS, "verbose": 0}
    history = weighed.fit(FEATURES, LABELS, class_weight=by_class, **data).history
    other = expected.fit(FEATURES, LABELS, sample_weight=weights, **data).history
    assert_same(weighed, expected)
    assert history["val_loss"] == pytest.approx(other["val_loss"], rel=1e-5)
    for model in (weighed, expected):
        model.train_on_batch(FEATURES, LABELS)
    assert_same(weighed, expected)
    plain.fit(FEATURES, LABELS, **data)
    assert max(np.abs(a - b).max() for a, b in zip(plain.get_weights(), weighed.get_weights(), strict=True)) > 1e-3
    # A compiled step holds the weights of its classes.
    on_batch = network(run_eagerly=False)
    on_batch.train_on_batch(FEATURES, LABELS, class_weight=by_class)
    on_batch.train_on_batch(FEATURES, LABELS)
    assert_same(on_batch, weighed)


# === Kinds of data ===


class Batches(keras.utils.PyDataset):
    """The rows in two batches, with weights."""

    def __len__(self):
        return ROWS // BATCH

    def __getitem__(self, index):
        rows = slice(index * BATCH, (index + 1) * BATCH)
        return tf.nest.map_structure(lambda array: array[rows], (FEATURES, LABELS, WEIGHTS))


def sliced(*data) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(data).batch(BATCH)


DATA = {
    "arrays": lambda: {"x": FEATURES, "y": LABELS, "sample_weight": WEIGHTS, "batch_size": BATCH},
    "tensors": lambda: {
        "x": tf.constant(FEATURES),
        "y": tf.nest.map_structure(tf.constant, LABELS),
        "sample_weight": tf.nest.map_structure(tf.constant, WEIGHTS),
        "batch_size": BATCH,
    },
    "data set": lambda: {"x": sliced(FEATURES, LABELS, WEIGHTS)},
    "PyDataset": lambda: {"x": Batches()},
    "generator": lambda: {"x": (Batches()[index] for index in range(2))},
}


@pytest.mark.parametrize("kind", DATA)
def test_every_kind_of_data_is_learned_alike_and_nothing_is_warned_about(kind):
    model, expected = network(run_eagerly=False), network()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*shuffle.*")
        if kind not in ("arrays", "tensors", "PyDataset"):
            model.fit(**DATA[kind](), verbose=0)
        else:
            model.fit(**DATA[kind](), verbose=0, shuffle=False)
    for index in range(2):
        expected.train_on_batch(*Batches()[index])
    assert_same(model, expected)


def test_arrays_are_still_shuffled():
    seen = []
    for shuffle in (True, False):
        keras.utils.set_random_seed(3)
        model = network()
        model.fit(FEATURES, LABELS, batch_size=1, verbose=0, shuffle=shuffle)
        seen.append(np.concatenate([weight.ravel() for weight in model.get_weights()]))
    assert np.abs(seen[0] - seen[1]).max() > 1e-3


@pytest.mark.parametrize("kind", ["data set", "PyDataset", "generator"])
def test_a_label_above_the_last_class_ends_training_on_every_kind_of_data(kind):
    labels = {"gender": np.full(ROWS, 2)}
    data = {
        "data set": lambda: sliced(FEATURES, labels),
        "PyDataset": lambda: Wrong(),
        "generator": lambda: ((FEATURES, labels) for _ in range(2)),
    }[kind]()
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels of gender: expected indices 0 to 1 of male"):
        network(run_eagerly=False).fit(data, verbose=0)


class Wrong(Batches):
    """Batches with a class that there is not."""

    def __getitem__(self, index):
        return FEATURES, {"gender": np.full(ROWS, 2)}


def test_a_label_above_the_last_class_ends_training_on_several_replicas():
    with distribute.strategy("mirrored").scope():
        model = network(run_eagerly=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels of gender: expected indices 0 to 1 of male"):
        model.fit(sliced(FEATURES, {"gender": np.full(ROWS, 2)}), verbose=0)


def test_labels_of_validation_are_checked_too():
    with pytest.raises(UserError, match="labels of 'gender': got 2"):
        network().fit(FEATURES, LABELS, validation_data=(FEATURES, [LABELS["age"], np.full(ROWS, 2)]))


def test_images_can_be_given_by_the_name_of_the_input():
    model, expected = network(loss_mean="batch"), network(loss_mean="batch")
    named = {model.inputs[0].name: FEATURES}
    model.fit(named, LABELS, batch_size=ROWS, verbose=0)
    expected.fit(FEATURES, LABELS, batch_size=ROWS, verbose=0)
    assert_same(model, expected)
    assert model.evaluate(named, LABELS, verbose=0) == pytest.approx(expected.evaluate(FEATURES, LABELS, verbose=0))


@pytest.mark.parametrize("call", ["fit", "evaluate", "predict", "predict_on_batch", "train_on_batch", "test_on_batch"])
def test_images_of_0_to_1_are_one_line(call):
    model = MultiTaskModel([GENDER], "bknet")
    model.compile("sgd")
    labels = () if call.startswith("predict") else (np.zeros(2),)
    with pytest.raises(UserError, match="images: holds numbers of 0 to 1; expected 0 to 255: multiply them by 255"):
        getattr(model, call)(np.full((2, 48, 48, 3), 0.5), *labels)


# === Steps and logs ===


def test_a_task_without_labels_has_no_logs_of_validation():
    model = network(
        metrics={"gender": ["accuracy"], "age": "sparse_categorical_crossentropy"},
        weighted_metrics={"gender": ["accuracy"]},
    )
    age = {"age": LABELS["age"]}
    history = model.fit(FEATURES, LABELS, validation_data=(FEATURES, age), verbose=0).history
    assert not [name for name in history if name.startswith("val_gender")]
    assert history["val_loss"] == history["val_age_loss"] and "val_age_mae" in history
    values = model.evaluate(FEATURES, age, verbose=0)
    whole = model.evaluate(FEATURES, LABELS, verbose=0)
    assert len(values) == len(whole) and np.isnan(values).sum() == 3 and not np.isnan(whole).any()


def test_validation_without_any_label_is_one_line():
    blank = {"age": np.full(ROWS, np.nan), "gender": np.full(ROWS, -1)}
    with pytest.raises(UserError, match="no example has a label of any of the tasks age, gender"):
        network().fit(FEATURES, LABELS, validation_data=(FEATURES, blank), verbose=0)


@pytest.mark.parametrize("weight", [3.0, 0.0])
def test_weights_of_examples_and_classes_change_losses_and_weighted_metrics_alone(weight):
    choices = {"metrics": {"gender": ["accuracy"]}, "weighted_metrics": {"gender": ["accuracy"]}}
    data, by_class = {"batch_size": ROWS, "verbose": 0}, {"gender": {"male": weight}}
    plain = network(**choices).fit(FEATURES, LABELS, **data).history
    weighed = network(**choices).fit(FEATURES, LABELS, class_weight=by_class, **data).history
    other = network(**choices).fit(FEATURES, LABELS, sample_weight=WEIGHTS, **data).history
    for name in ("gender_accuracy", "age_mae"):
        assert plain[name] == pytest.approx(weighed[name]) and plain[name] == pytest.approx(other[name])
    for name in ("gender_weighted_accuracy", "gender_loss"):
        assert abs(plain[name][0] - weighed[name][0]) > 1e-3 and abs(plain[name][0] - other[name][0]) > 1e-3


def test_steps_are_the_same_eagerly_and_several_at_once():
    model, expected = network(run_eagerly=False, steps_per_execution=2), network()
    histories = [each.fit(sliced(FEATURES, LABELS), epochs=2, verbose=0).history for each in (model, expected)]
    assert_same(model, expected)
    assert histories[0]["loss"] == pytest.approx(histories[1]["loss"], rel=1e-5)


@pytest.mark.parametrize("strategy", ["one", "mirrored"])
def test_a_file_can_be_named_by_the_loss_of_a_step(strategy, tmp_path):
    with distribute.strategy(strategy).scope():
        model = network(run_eagerly=False)
    name = str(tmp_path / "{batch}-{loss:.3f}.weights.h5")
    saving = keras.callbacks.ModelCheckpoint(name, save_freq=2, save_weights_only=True)
    model.fit(sliced(FEATURES, LABELS), verbose=0, callbacks=[saving])
    assert [path.name for path in tmp_path.iterdir()] == [f"2-{model.get_metrics_result()['loss']:.3f}.weights.h5"]


# === Refusals ===


@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize(
    ("labels", "weights", "message"),
    [
        ({"smile": LABELS["gender"]}, None, "labels: unknown task 'smile'; expected some of age, gender"),
        (LABELS, {"smile": np.ones(ROWS)}, "sample_weight: unknown task 'smile'; expected some of age, gender"),
        ({"gender": np.full(ROWS, 2)}, None, "labels of 'gender': got 2; expected indices 0 to 1 of male, female"),
        (LABELS["age"], None, "labels: got .*; expected {task: ...} of some of the tasks age, gender"),
    ],
)
def test_labels_that_do_not_fit_are_one_line(call, labels, weights, message):
    model = network(run_eagerly=False)
    with pytest.raises(UserError, match=message) as error:
        getattr(model, call)(FEATURES, labels, sample_weight=weights)
    assert "\n" not in str(error.value)
