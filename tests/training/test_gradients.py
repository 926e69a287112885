"""Gradients at features, in parts and of halves, against gradients by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.tasks import GENDER, SMILE
from mtl_keras.training import distribute
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.weightings.weighting import State, Weighting, variable

FEATURES = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
LABELS = {"gender": np.array([0, 1, 1, 0, 1, 0, 1, 0, 0]), "smile": np.array([1, 0, 0, 1, 0, 0, 1, 1, 0])}
MASKS = {"gender": np.array([1, 1, 0, 1, 0, 1, 1, 1, 0.0]), "smile": np.array([0, 1, 1, 1, 1, 0, 1, 1, 1.0])}
DATA = tuple(tf.nest.map_structure(tf.constant, (FEATURES, LABELS, {k: v.astype("float32") for k, v in MASKS.items()})))


def network(units=(3,), **choices) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([GENDER, SMILE], "features", image_size=4, shared_units=units, head_units=(), dropout=0.0)
    model.compile(keras.optimizers.SGD(0.1), **choices)
    return model


def losses_of(outputs, rows=slice(None)) -> list:
    """The tasks' sums over some rows, divided by the number of all labelled rows."""
    return [
        -tf.reduce_sum((tf.math.log(tf.gather(outputs[name], LABELS[name], batch_dims=1)) * MASKS[name])[rows])
        / MASKS[name].sum()
        for name in ("gender", "smile")
    ]


def moved(model, data=DATA) -> dict:
    """How far each variable went against the gradient, by its path."""
    before = {each.path: each.numpy() for each in model.trainable_variables}
    model.train_on_batch(*data)
    return {each.path: (before[each.path] - each.numpy()) / 0.1 for each in model.trainable_variables}


def test_gradients_at_features_are_weighed_there_and_go_back_once():
    model = network(weighting="mgda", gradients_at="features")
    with tf.GradientTape(persistent=True) as tape:
        front, back = model.front_and_back()
        features = front(FEATURES)
        outputs = dict(zip(("gender", "smile"), back(features).values(), strict=True))
        losses = losses_of(outputs)
    first, second = (np.ravel(tape.gradient(loss, features)) for loss in losses)
    weight = np.clip((second - first) @ second / ((first - second) @ (first - second)), 0, 1)
    assert 0.05 < weight < 0.95
    combined = np.reshape(weight * first + (1 - weight) * second, (9, 3)).astype("float32")
    kernel = model.get_layer("shared_dense_0").kernel
    expected = tape.gradient(features, kernel.value, output_gradients=tf.constant(combined))
    own = {each.path: tape.gradient(losses, each.value) for each in model.trainable_variables}
    found = moved(model)
    np.testing.assert_allclose(found.pop("shared_dense_0/kernel"), expected, rtol=1e-3, atol=1e-6)
    found.pop("shared_dense_0/bias")
    assert len(found) == 4
    for path, gradient in found.items():
        np.testing.assert_allclose(gradient, own[path], rtol=1e-3, atol=1e-6)


def test_with_weights_of_1_it_does_not_matter_where_gradients_are_taken():
    ones = Weighting("gramian", lambda step: tf.ones(2))
    expected = moved(network(weighting="equal"))
    for gradients_at in ("features", "parameters"):
        for path, gradient in moved(network(weighting=ones, gradients_at=gradients_at, l2=0.0)).items():
            np.testing.assert_allclose(gradient, expected[path], rtol=1e-4, atol=1e-6)


def halving(seen: list) -> Weighting:
    """Takes the first halves once and the second twice, and keeps what it was told."""

    def weigh(step):
        seen.append(step)
        return tf.constant([1.0, 1.0, 2.0, 2.0])

    return Weighting("gramian", weigh, halves=True)


def test_halves_are_every_second_labelled_row_of_each_task():
    seen = []
    model = network(weighting=halving(seen))
    model.run_eagerly = True
    kernel = model.get_layer("shared_dense_0").kernel
    with tf.GradientTape(persistent=True) as tape:
        outputs = model(FEATURES)
        losses = []
        for start in (0, 1):
            for task, name in enumerate(("gender", "smile")):
                rows = np.flatnonzero(MASKS[name])[start::2]
                chosen = np.isin(np.arange(9), rows)
                losses.append(losses_of(outputs, chosen)[task])
    gradients = [tape.gradient(loss, kernel.value) for loss in losses]
    expected = gradients[0] + gradients[1] + 2 * (gradients[2] + gradients[3])
    bias = model.get_layer("shared_dense_0").bias
    flat = [np.ravel(g) for g in gradients]
    flat = np.stack([np.r_[f, tape.gradient(loss, bias.value)] for f, loss in zip(flat, losses, strict=True)])
    np.testing.assert_allclose(moved(model)["shared_dense_0/kernel"], expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(seen[0].gramian, flat @ flat.T, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(seen[0].losses, [float(losses[0] + losses[2]), float(losses[1] + losses[3])], rtol=1e-5)


@pytest.mark.parametrize("gradients_at", ["features", "parameters"])
def test_halves_and_features_are_the_same_on_two_replicas(gradients_at):
    found = []
    for strategy in ("one", "mirrored"):
        with distribute.strategy(strategy).scope():
            model = network(weighting=halving([]), gradients_at=gradients_at)
        model.fit(tf.data.Dataset.from_tensor_slices(DATA).batch(9), epochs=2, verbose=0, shuffle=False)
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_task_with_labels_in_one_half_alone_takes_no_part():
    seen = []
    model = network(weighting=halving(seen))
    model.run_eagerly = True
    masks = {"gender": DATA[2]["gender"], "smile": tf.one_hot(3, 9)}
    model.train_on_batch(*DATA[:2], masks)
    assert seen[0].present.numpy().tolist() == [True, False]


def test_an_update_is_told_the_whole_step_and_the_losses_after_it():
    told, state = [], variable([0.0, 0.0], "state")

    def update(step):
        told.append(step)
        state.assign(step.losses)

    weighting = Weighting(
        "gramian", lambda step: tf.constant([1.0, 2.0]), State([state]), update=update, looks_again=True
    )
    model = network(weighting=weighting)
    model.run_eagerly = True
    moved(model)
    (step,) = told
    assert step.answer.numpy().tolist() == [1.0, 2.0] and step.gramian.shape == (2, 2) and step.gradients is None
    np.testing.assert_allclose(step.after, losses_of(model(FEATURES)), rtol=1e-5)
    assert (step.after.numpy() < step.losses.numpy()).all()
    np.testing.assert_allclose(state.value, step.losses)


def test_a_state_of_the_shared_parameters_is_as_large_as_they_are():
    assert network().shared_size() == 4 * 3 + 3
    assert network(units=()).shared_size() == 0


def test_a_weighting_by_epochs_is_told_the_means_of_each():
    told, state = [], variable([0.0, 0.0], "state")

    def end_epoch(losses, present):
        told.append((np.asarray(losses), np.asarray(present)))
        state.assign(state + 1.0)

    weighting = Weighting("losses", lambda step: tf.ones(2), State([state]), end_epoch=end_epoch)
    model = network(weighting=weighting)
    data = tf.data.Dataset.from_tensor_slices((*DATA[:2], {**DATA[2], "smile": tf.zeros(9)})).batch(4)
    history = model.fit(data, validation_data=data, epochs=2, verbose=0, shuffle=False).history
    assert [each[1].tolist() for each in told] == [[True, False]] * 2
    np.testing.assert_allclose([each[0][0] for each in told], history["gender_loss"], rtol=1e-5)
    assert state.numpy().tolist() == [2.0, 0.0]


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"gradients_at": "pixels"}, "unknown gradients_at 'pixels'; expected one of parameters, features"),
        ({"gradients_at": "features"}, "weighting 'equal' needs no gradients; take 'parameters'"),
        ({"gradients_at": "features", "weighting": "mgda", "accumulate": 2}, "in parts too; take 'parameters'"),
        ({"accumulate": 0}, "accumulate 0: expected the number of parts of a batch, at least 1"),
        ({"weighting": "equal:c=1"}, "equal: unknown setting 'c'; it has none"),
    ],
)
def test_what_cannot_work_is_one_line(choices, said):
    with pytest.raises(UserError, match=said) as error:
        network(**choices)
    assert "\n" not in str(error.value)


def test_features_that_not_all_tasks_read_are_refused():
    model = MultiTaskModel([GENDER, SMILE], "bknet", "cross_stitch", image_size=16)
    with pytest.raises(UserError, match="do not all read the same features; take 'parameters'"):
        model.compile(weighting="mgda", gradients_at="features")
