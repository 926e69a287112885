"""Gradients at features, in parts and of halves, against gradients by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.tasks import GENDER, SMILE
from mtl_keras.training import compiling
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.weightings.weighting import State, Weighting, variable

FEATURES = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
LABELS = {"gender": np.array([0, 1, 1, 0, 1, 0, 1, 0, 0]), "smile": np.array([1, 0, 0, 1, 0, 0, 1, 1, 0])}
MASKS = {"gender": np.array([1, 1, 0, 1, 0, 1, 1, 1, 0.0]), "smile": np.array([0, 1, 1, 1, 1, 0, 1, 1, 1.0])}
DATA = tuple(tf.nest.map_structure(tf.constant, (FEATURES, LABELS, {k: v.astype("float32") for k, v in MASKS.items()})))


def network(units=(3,), **choices) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([GENDER, SMILE], "features", image_size=4, shared_units=units, head_units=(), dropout=0.0)
    # Compiling a step takes longer than the one or two that most tests take.
    model.compile(keras.optimizers.SGD(0.1), **({"run_eagerly": True} | choices))
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


def test_a_task_with_labels_in_one_half_alone_takes_no_part():
    seen = []
    model = network(weighting=halving(seen))
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
        ({"accumulate": True}, "accumulate True: expected the number of parts"),
        ({"weighting": 5}, "weighting 5: expected a name of WEIGHTINGS"),
        ({"weighting": "mgda", "jit_compile": True}, "jit_compile: XLA cannot compile weighting 'mgda'"),
        ({"weighting": "equal:c=1"}, "equal: unknown setting 'c'; it has none"),
    ],
)
def test_what_cannot_work_is_one_line(choices, said):
    with pytest.raises(UserError, match=said) as error:
        network(**choices)
    assert "\n" not in str(error.value)


def test_on_a_tpu_a_weighting_that_numpy_computes_is_one_line(monkeypatch):
    monkeypatch.setattr(compiling, "fills_batches", lambda: True)
    with pytest.raises(
        UserError, match="on a TPU: XLA cannot compile weighting 'mgda', .*choose a weighting of losses"
    ):
        network(weighting="mgda")
    network(weighting="dwa")


def test_what_tasks_share_behind_the_features_goes_by_the_same_weights():
    weights = Weighting("gramian", lambda step: tf.constant([0.5, 2.0]))
    moves = []
    for choices in ({"weighting": {"gender": 0.5, "smile": 2.0}}, {"weighting": weights, "gradients_at": "features"}):
        keras.utils.set_random_seed(0)
        model = MultiTaskModel([GENDER, SMILE], "features", "mmoe:experts=2", 4, 0, (3,), (), 0.0)
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True, **choices)
        moves.append(moved(model))
    experts = [path for path in moves[0] if "expert" in path and "gate" not in path]
    assert len(experts) == 4
    for path in experts:
        np.testing.assert_allclose(moves[1][path], moves[0][path], rtol=1e-4, atol=1e-6)
    # Each task's own learns by its plain loss.
    np.testing.assert_allclose(0.5 * moves[1]["gender_scores/kernel"], moves[0]["gender_scores/kernel"], rtol=1e-4)


def test_a_state_of_other_parameters_than_those_that_are_trained_is_one_line(one_line):
    model = network(weighting="moco")
    model.get_layer("shared_dense_0").bias.trainable = False
    with one_line("3 shared parameters|15 shared parameters", start="the weighting keeps a state of 15 shared"):
        model.train_on_batch(*DATA)


@pytest.mark.parametrize("weighting", ["gradnorm", "cr_mogm", "famo"])
def test_a_step_that_a_loss_scale_leaves_out_moves_no_state(weighting):
    model = network(weighting=weighting, run_eagerly=False)
    model.optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=3e38)
    before = [np.asarray(each) for each in (*model.weights, *model.weighting_state.weights)]
    model.train_on_batch(100 * DATA[0], *DATA[1:])
    for each, old in zip((*model.weights, *model.weighting_state.weights), before, strict=True):
        np.testing.assert_array_equal(each, old)
    for _ in range(130):
        model.train_on_batch(*DATA)
    assert all(np.isfinite(np.asarray(each)).all() for each in model.weighting_state.weights)
    assert np.abs(np.asarray(model.weights[0]) - before[0]).max() > 1e-3


def test_to_look_again_moves_no_average():
    inputs = keras.Input((4,))
    trunk = keras.Model(inputs, keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(4)(inputs)))
    averages = []
    for weighting in ("equal", "famo"):
        keras.utils.set_random_seed(0)
        model = MultiTaskModel([GENDER], Backbone(trunk, 4, 0, 0.0, 1.0), shared_units=(), head_units=(), dropout=0.0)
        model.compile(keras.optimizers.SGD(0.1), weighting=weighting, run_eagerly=True)
        model.train_on_batch(DATA[0], {"gender": DATA[1]["gender"]})
        averages.append(model.trunks[0].get_layer("norm").moving_mean.numpy())
    np.testing.assert_allclose(averages[0], averages[1], rtol=1e-6)


def test_heads_alone_have_their_gradients_at_features_too(staged_backbone):
    for units in ((), (3,)):
        model = MultiTaskModel([GENDER, SMILE], staged_backbone, image_size=8, shared_units=units)
        heads = model.heads_network()
        heads.compile("sgd", weighting="mgda", gradients_at="features", run_eagerly=True)
        width = model.feature_network().output_shape[-1]
        logs = heads.train_on_batch(np.ones((9, width), "float32"), *DATA[1:], return_dict=True)
        assert np.isfinite(logs["loss"])


def test_gradients_of_tasks_that_share_nothing_are_refused(one_line):
    model = MultiTaskModel([GENDER, SMILE], "features", "soft", 4, 0, (3,), (), 0.0)
    model.compile("sgd", weighting="mgda")
    with one_line("such as uncertainty", start="the tasks share no variables"):
        model.train_on_batch(*DATA)


def test_features_that_not_all_tasks_read_are_refused():
    model = MultiTaskModel([GENDER, SMILE], "bknet", "cross_stitch", image_size=16)
    with pytest.raises(UserError, match="no features that all tasks read; take 'parameters'"):
        model.compile(weighting="mgda", gradients_at="features")
