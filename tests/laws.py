"""Laws that every member of every table obeys: every loss, metric, weighting, backbone, way of sharing and head."""

import inspect
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mtl_keras.data.pipeline import feature_batches, finished
from mtl_keras.errors import UserError
from mtl_keras.kinds import KINDS, kind_of
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.normalization import FusedBatchNormalization
from mtl_keras.models.sharing import SHARING
from mtl_keras.precision import computing_in
from mtl_keras.tasks import AGE, AGE_ARGMAX, AGE_REGRESSION, GENDER, HEAD_POSE, TASKS, Task
from mtl_keras.training import distribute, resume, weightings
from mtl_keras.training.cluster import read_cluster
from mtl_keras.training.labels import labels_and_masks
from mtl_keras.training.masked import masked_sum
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.optimizers import LayerwiseAdamW
from mtl_keras.training.weightings import WEIGHTINGS
from mtl_keras.training.weightings.weighting import Step

WIDTH, ROWS, BATCH = 6, 11, 5
EVERY_TASK = {
    **TASKS,
    "age by argmax": AGE_ARGMAX,
    "age by regression": AGE_REGRESSION,
    "age with label_std": replace(AGE, label_std=2.0),
    "age with error_weight": replace(AGE, label_std=2.0, error_weight=0.2),
}
# One task of each kind, and the fixed weights that are tried beside the named weightings.
THREE = [AGE, GENDER, HEAD_POSE]
EVERY_WEIGHTING = [*WEIGHTINGS, {"age": 0.3, "gender": 2.0, "head_pose": 1.0}]
# The weights of losses of 0.5, 2 and 4, and of three gradients of length 4; or what the gradients are combined to.
LOSSES = np.array([0.5, 2.0, 4.0], "float32")
GRADIENTS = np.array([[1.0, 2.0, 0.0, 1.0], [-2.0, 0.5, 1.0, 0.0], [0.5, -1.0, 3.0, 1.0]], "float32")
PINNED = {
    "equal": [1.0, 1.0, 1.0],
    "uncertainty": [1.0, 1.0, 1.0],  # at the start of training, as all that have a state
    "dwa": [1.0, 1.0, 1.0],
    "random": [0.1754057, 1.0612561, 1.7633382],
    "geometric_mean": [1.0582673, 0.2645668, 0.1322834],
    "imtl_l": [1.0, 1.0, 1.0],
    "stch": [2.0, 0.5, 0.25],
    "famo": [0.7272727, 0.1818182, 0.0909091],
    "gradnorm": [1.0, 1.0, 1.0],
    "excess_mtl": [-0.5, 1.5, 4.0, 2.0],
    "db_mtl": [-0.1545883, 0.3608452, 0.6519870, 0.3460594],
    "auto_lambda": [0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
    "forum": [0.0, 0.0, 0.0, 0.2669090, 0.2418240, 0.1367839],
    "moml": [1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3],
    "pbi": [-2.7784300, 0.2417722, 4.2687086],
    "cosmos": [0.1179159, 0.2414642, 0.4061951],
    "mgda": [0.4255733, 0.4306257, 0.1438010],
    "pcgrad": [1.25, 1.1904762, 1.0190476],
    "gradvac": [1.25, 1.1904762, 1.0190476],  # at the start of training
    # The first draws of seed 0 are 0.2110, 0.7060, 0.8001, 0.7708, below every purity: what is positive stays.
    "graddrop": [1.5, 2.5, 4.0, 2.0],
    "cagrad": [0.6079787, 0.5742694, 0.3333333],
    "imtl_g": [0.4134811, 0.3746207, 0.2118983],
    "nash_mtl": [0.2652575, 0.2541863, 0.1614358],
    "aligned_mtl": [0.3199784, 0.3158796, 0.1917860],
    "fairgrad": [0.4594394, 0.4402635, 0.2796151],
    "config": [1.2963580, 1.1745217, 0.6643498],
    "dual_proj": [0.3333333, 0.3333333, 0.3333333],
    "upgrad": [0.4166354, 0.3949124, 0.3399363],
    "sdmgrad": [0.4254875, 0.4305726, 0.1439399] * 2,
    "moco": [-0.0953125, 0.2984375, 0.6145833, 0.3260417],
    "modo": [0.3342933, 0.3338933, 0.3318133] * 2,  # the nearest to 1/3 - 0.001 * 4 * 0.24 (4.5, 5.75, 12.25) / 3
    "cr_mogm": [0.4255733, 0.4306257, 0.1438010],  # at the start of training
    "pcd": [1.0162811, 0.2060081, 0.0325440],
}
# Those that treat the first task unlike the others, and how they are told of it whatever the order of the tasks.
TOLD = {"pcd": "pcd:primary=age"}
# Those whose weights may be negative, by their definition.
SIGNED = {"pbi", "cosmos", "imtl_g", "aligned_mtl", "config"}
# The smallest sides that the trunks can take; a trunk that is not here is built at its usual one.
SMALLEST = {
    "mobilenet_v3_small": 32, "facenet": 75, "facenet_small": 75, "alexnet": 63, "features": WIDTH,
}  # fmt: skip
# Ways of sharing that need a trunk with stages.
CUT = {"hard_soft", "cross_stitch", "mtan", "ltb"}
# What cannot work together, and what is said of it.
REFUSED = {
    ("gender_eyeglasses", "relationship"): "branches of backbone 'gender_eyeglasses' read maps",
    ("gender_eyeglasses", "mult"): "branches of backbone 'gender_eyeglasses' read maps",
    ("features", "mult"): "has no maps",
}
# Trunks of many layers would be the longest tests of all; those of `small_cnn` show the same. A small Swin transformer
# has tests of its own.
LARGE = ("facenet", "facenet_small", "mobilenet_v3_small", "alexnet", "bknet")
NETWORKS = [(b, s) for b in BACKBONES for s in SHARING if b != "swin_tiny" and (s == "hard" or b not in LARGE)]

every_task = pytest.mark.parametrize("task", EVERY_TASK.values(), ids=EVERY_TASK)
every_weighting = pytest.mark.parametrize(
    "weighting", EVERY_WEIGHTING, ids=lambda w: w if isinstance(w, str) else "fixed"
)


# === Made-up data ===


def labels_of(task: Task, rows: int, random: np.random.Generator) -> np.ndarray:
    """Labels as the pipeline gives them: (B,) or (B, D)."""
    if kind_of(task).names:
        return random.integers(0, task.size, rows).astype("int32")
    if task.outputs:
        return random.normal(0, 20, (rows, task.size)).astype("float32")
    return random.uniform(0, 116, rows).astype("float32")


def outputs_of(task: Task, rows: int, random: np.random.Generator) -> np.ndarray:
    """Outputs as the task's head gives them: (B, K)."""
    scores = random.normal(0, 2, (rows, task.size))
    if not task.classes and not task.values:
        return (scores * task.scale + task.center).astype("float32")
    return (np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)).astype("float32")


def rows_of(tasks: list[Task], rows: int = ROWS, seed: int = 0) -> tuple[np.ndarray, dict, dict]:
    """Features (N, WIDTH), labels and uneven masks: one batch without an age, and one row without any label."""
    random = np.random.default_rng(seed)
    masks = {task.name: (random.random(rows) < 0.6).astype("float32") for task in tasks}
    masks[tasks[0].name][BATCH : 2 * BATCH] = 0
    for mask in masks.values():
        mask[2:3] = 0
    features = random.normal(size=(rows, WIDTH)).astype("float32")
    return features, {task.name: labels_of(task, rows, random) for task in tasks}, masks


def dataset_of(data, batch_size: int = BATCH) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(data).batch(batch_size)


def take(data, rows):
    return tf.nest.map_structure(lambda array: array[rows], data)


def found_of(weighting, names=("age", "gender", "head_pose")):
    """The weighting of these tasks, whose gradients have four values where it keeps a state of such."""
    return weightings.find(weighting, list(names), lambda: GRADIENTS.shape[1])


def what_it_needs(weighting) -> tuple:
    """What a weighting asks of the trainer: two that ask for the same are treated alike there."""
    found = found_of(weighting)
    own = isinstance(weighting, str) and "size" in inspect.signature(WEIGHTINGS[weighting]).parameters
    remembers = found.state is not None
    return found.needs, found.halves, found.looks_again, own, remembers, found.end_epoch is not None


# The first of each kind: what the trainer does for it, it does for all others of its kind. What is each one's own
# stands under "Weightings", without any network.
# Not in a worker, which must join the others before it makes any variable.
ASKED = [] if __name__ == "__main__" else EVERY_WEIGHTING
ONE_OF_EACH_KIND = {what_it_needs(weighting): weighting for weighting in reversed(ASKED)}.values()
one_of_each_kind = pytest.mark.parametrize("weighting", ONE_OF_EACH_KIND, ids=str)
# Of each way to make a step one, since replicas take seconds: what they have to add up depends on that alone.
STEPS = {what_it_needs(weighting)[:3]: weighting for weighting in reversed(ASKED)}.values()
# What a loss is divided by is another matter than how losses are weighed: not every pair is worth its seconds.
every_choice = pytest.mark.parametrize(
    ("weighting", "loss_mean"),
    [*((weighting, "labelled") for weighting in ONE_OF_EACH_KIND), ("equal", "batch"), ("uncertainty", "batch")],
)


def states(model: MultiTaskModel) -> list[np.ndarray]:
    """The state of a model's weighting."""
    return [] if model.weighting_state is None else [np.asarray(v) for v in model.weighting_state.weights]


def network(tasks: list[Task], seed: int = 1) -> MultiTaskModel:
    """A small network on features, without dropout; the same weights for the same seed."""
    keras.utils.set_random_seed(seed)
    return MultiTaskModel(tasks, "features", image_size=WIDTH, shared_units=(5,), head_units=(4,), dropout=0.0)


def table_of(tasks: list[Task], labels: dict, masks: dict) -> pd.DataFrame:
    """The label table that these labels and masks come from."""
    table = pd.DataFrame({"path": [f"{row}.jpg" for row in range(len(labels[tasks[0].name]))]})
    for task in tasks:
        for column, numbers in zip(task.columns, labels[task.name].reshape(len(table), -1).T, strict=True):
            cells = pd.Series([task.classes[number] for number in numbers] if task.classes else numbers)
            table[column] = cells.where(masks[task.name] > 0)
    return table


def with_norm(tasks: list[Task]) -> MultiTaskModel:
    """A small network on features with a batch norm, which looks at all rows of a batch together."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((WIDTH,))
    trunk = keras.Model(
        inputs, FusedBatchNormalization(name="norm")(keras.layers.Dense(4, use_bias=False, name="dense")(inputs))
    )
    backbone = Backbone(trunk, WIDTH, channels=0, mean=0.0, scale=1.0)
    return MultiTaskModel(tasks, backbone, shared_units=(5,), head_units=(4,), dropout=0.0)


def trained(strategy: str, optimizer=keras.optimizers.SGD, validated=True, epochs=2, **choices):
    """The weights and the history after some epochs of shuffled, partly labelled rows under a strategy."""
    with distribute.strategy(strategy).scope():
        model = with_norm(THREE)
        model.compile(optimizer(), **choices)
    features, labels, masks = rows_of(THREE)
    table = table_of(THREE, labels, masks)
    training = feature_batches(features, table, THREE, BATCH, seed=3)
    validation = feature_batches(features, table, THREE, BATCH) if validated else None
    # As file names do, which take numbers alone.
    named = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: "{loss:.3f}".format(**logs))
    history = model.fit(training, validation_data=validation, epochs=epochs, verbose=0, callbacks=[named])
    return [*model.get_weights(), *states(model)], history.history


def assert_same(first, second, tolerance: float = 1e-5):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


# === Kinds ===


def test_there_is_a_task_of_every_kind():
    assert {task.kind for task in EVERY_TASK.values()} == set(KINDS)


def tasks_of(kind: str):
    tasks = {name: task for name, task in EVERY_TASK.items() if issubclass(KINDS[task.kind], KINDS[kind])}
    return pytest.mark.parametrize("task", tasks.values(), ids=tasks)


@tasks_of("angle")
def test_a_whole_turn_more_changes_neither_loss_nor_metrics_of_angles(task):
    random, kind = np.random.default_rng(0), kind_of(task)
    labels, outputs, mask = labels_of(task, 9, random), outputs_of(task, 9, random), np.ones(9, "float32")
    answer = keras.ops.convert_to_numpy(kind.answers(outputs))
    for turn in (-720, -360, 360):
        np.testing.assert_allclose(kind.loss(labels + turn, outputs), kind.loss(labels, outputs), rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(kind.score(labels + turn, outputs), kind.score(labels, outputs), rtol=1e-3)
        assert kind.measure(labels + turn, answer, mask) == pytest.approx(kind.measure(labels, answer, mask), rel=1e-4)


@tasks_of("ordinal")
def test_probabilities_of_ordered_classes_sum_to_1_and_an_answer_further_off_costs_more(task):
    outputs = network([task])(50 * rows_of([task])[0])[task.name].numpy()
    assert (outputs >= 0).all()
    np.testing.assert_allclose(outputs.sum(-1), 1, rtol=1e-5)
    sure = (0.9 * np.eye(task.size) + 0.1 / task.size).astype("float32")
    losses = np.stack([kind_of(task).loss(np.full(task.size, label), sure) for label in range(task.size)])
    distance = np.abs(np.subtract.outer(np.arange(task.size), np.arange(task.size)))
    for row, off in zip(losses, distance, strict=True):
        steps = [row[off == step] for step in range(off.max() + 1)]
        assert all(near.max() + 0.1 < far.min() for near, far in zip(steps, steps[1:], strict=False))


# === Mask 0 equals the row removed ===


@every_task
def test_mask_0_equals_the_row_removed_in_losses(task):
    random = np.random.default_rng(0)
    labels, outputs, mask = labels_of(task, 9, random), outputs_of(task, 9, random), np.ones(9, "float32")
    mask[[0, 3, 8]] = 0
    # What is masked may be anything, even no number at all.
    outputs[3], outputs[8] = 0, np.nan
    got = masked_sum(kind_of(task).loss(labels, outputs), mask)
    kept = kind_of(task).loss(labels[mask > 0], outputs[mask > 0])
    assert np.isfinite(got[0]) and float(got[1]) == 6
    np.testing.assert_allclose(got[0], np.sum(kept), rtol=1e-5)


@every_task
def test_mask_0_equals_the_row_removed_in_metrics(task):
    random = np.random.default_rng(0)
    labels, outputs, mask = labels_of(task, 9, random), outputs_of(task, 9, random), np.ones(9, "float32")
    mask[[0, 3, 8]] = 0
    kind = kind_of(task)
    answer = keras.ops.convert_to_numpy(kind.answers(outputs))
    all_rows = kind.measure(labels, answer, mask)
    kept = kind.measure(labels[mask > 0], answer[mask > 0], np.ones(6))
    assert all_rows == pytest.approx(kept) and all_rows["n"] == 6
    means = [keras.metrics.Mean(), keras.metrics.Mean()]
    means[0].update_state(kind.score(labels, outputs), sample_weight=mask)
    means[1].update_state(kind.score(labels[mask > 0], outputs[mask > 0]))
    np.testing.assert_allclose(means[0].result(), means[1].result(), rtol=1e-5)


@one_of_each_kind
def test_mask_0_equals_the_row_removed_in_training(weighting):
    data = rows_of(THREE, 8)
    for mask in data[2].values():
        mask[[2, 5]] = 0
    results = []
    for rows in (data, take(data, [0, 1, 3, 4, 6, 7])):
        model = network(THREE)
        model.compile(keras.optimizers.SGD(0.1), weighting=weighting, run_eagerly=True)
        history = model.fit(dataset_of(rows, 8), epochs=2, verbose=0, shuffle=False).history
        results.append(([*model.get_weights(), *states(model)], list(history.values())))
    assert_same(results[0][0], results[1][0])
    assert_same(results[0][1], results[1][1])


@every_task
def test_a_blank_label_equals_mask_0(task):
    labels = labels_of(task, 6, np.random.default_rng(0))
    blanks = labels.astype("float64")
    blanks[[0, 4]] = np.nan
    masked, mask = labels_and_masks([task], {task.name: labels}, {task.name: np.array([0, 1, 1, 1, 0, 1])}, 6)
    found, present = labels_and_masks([task], {task.name: blanks}, None, 6)
    np.testing.assert_array_equal(present[task.name], mask[task.name])
    np.testing.assert_array_equal(found[task.name][1:4], masked[task.name][1:4])


@one_of_each_kind
def test_a_batch_in_parts_equals_the_whole_batch_in_training(weighting):
    data, results = rows_of(THREE), []
    for parts in (1, 3):
        model = network(THREE)
        model.compile(keras.optimizers.Adam(0.01), weighting=weighting, l2=0.01, accumulate=parts, run_eagerly=True)
        history = model.fit(dataset_of(data, 8), epochs=2, verbose=0, shuffle=False).history
        results.append(([*model.get_weights(), *states(model)], list(history.values())))
    assert_same(results[0][0], results[1][0], 1e-4)
    assert_same(results[0][1], results[1][1], 1e-4)


@one_of_each_kind
def test_weight_2_equals_the_row_twice_in_training(weighting):
    if found_of(weighting).halves:
        return  # a row stands in one half, its twin in the other
    data = rows_of(THREE, 6)
    twice = take(data, [0, 1, 1, 2, 3, 4, 5, 5])
    for mask in data[2].values():
        mask[[1, 5]] *= 2
    results = []
    for rows in (data, twice):
        model = network(THREE)
        model.compile(keras.optimizers.SGD(0.1), weighting=weighting, run_eagerly=True)
        history = model.fit(dataset_of(rows, 8), epochs=2, verbose=0).history
        # Scores count every labelled row once.
        losses = [values for name, values in history.items() if name.endswith("loss")]
        results.append(([*model.get_weights(), *states(model)], losses))
    assert_same(results[0][0], results[1][0])
    assert_same(results[0][1], results[1][1])


# === No label of a task ===


@pytest.mark.parametrize("absent", EVERY_TASK.values(), ids=EVERY_TASK)
def test_without_a_label_a_task_has_loss_0_and_learns_nothing(absent):
    tasks = [absent, *(task for task in THREE if task.name != absent.name)]
    features, labels, masks = rows_of(tasks, 6)
    masks = {name: np.full(6, float(name != absent.name), "float32") for name in masks}
    model = network(tasks)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    logs = model.train_on_batch(features, labels, masks, return_dict=True)
    assert logs[f"{absent.name}_loss"] == 0 and all(np.isfinite(value) for value in logs.values())
    assert logs["loss"] == pytest.approx(sum(logs[f"{task.name}_loss"] for task in tasks), rel=1e-5)
    for layer in model.layers:
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True):
            assert np.isfinite(new).all()
            assert np.array_equal(old, new) == layer.name.startswith(f"{absent.name}_")


@every_choice
def test_a_batch_without_any_label_changes_nothing(weighting, loss_mean):
    features, labels, masks = rows_of(THREE, 4)
    model = network(THREE)
    model.compile(keras.optimizers.SGD(0.1), weighting=weighting, loss_mean=loss_mean, run_eagerly=True)
    before = [*model.get_weights(), *states(model)]
    logs = model.train_on_batch(features, labels, {name: np.zeros(4, "float32") for name in masks}, return_dict=True)
    assert all(value == 0 for value in logs.values())
    assert_same(before, [*model.get_weights(), *states(model)], 0)


# === An epoch's loss ===


@every_choice
def test_the_epochs_loss_is_that_of_all_its_examples_at_once(weighting, loss_mean):
    features, labels, masks = rows_of(THREE)
    # Set by set: labels of the first task, then of the second. None of the third, which takes no part.
    rows = np.arange(ROWS)
    masks = dict(zip(masks, (rows < 3, (rows >= 3) & (rows < 9), rows < 0), strict=True))
    data = features, labels, {name: mask.astype("float32") for name, mask in masks.items()}
    model = network(THREE)
    # Nothing is learned at rate 0: training then logs what validation does.
    model.compile(keras.optimizers.SGD(0.0), weighting=weighting, loss_mean=loss_mean, run_eagerly=True)
    for state in model.weighting_state.trainable_weights if model.weighting_state else ():
        state.assign([0.7, -0.4, 5.0])
    expected = model.evaluate(dataset_of(data, ROWS), verbose=0, return_dict=True)
    shuffled = dataset_of(take(data, np.random.default_rng(1).permutation(ROWS)), 4)
    assert model.evaluate(shuffled, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-5)
    history = model.fit(dataset_of(data, 2), validation_data=dataset_of(data, 3), verbose=0, shuffle=False).history
    for name, value in expected.items():
        assert history[name] + history[f"val_{name}"] == pytest.approx([value, value], rel=1e-5)


# === Many devices equal one ===


def clipped():
    """Clips every step of these tests: their gradients' norms are all larger."""
    return keras.optimizers.SGD(0.1, global_clipnorm=0.05)


def averaging():
    """What fine-tuning takes: Adam with weight decay, slower layers, clipping and moving averages."""
    return LayerwiseAdamW(0.01, 0.1, 0.5, ("shared_dense_0/kernel",), 0.9, global_clipnorm=0.05)


@pytest.mark.parametrize(
    ("weighting", "loss_mean"), [*((weighting, "labelled") for weighting in STEPS), ("uncertainty", "batch")], ids=str
)
def test_two_replicas_equal_one_device(weighting, loss_mean):
    # The last of three batches has a single row, so that the second replica gets none.
    # Eagerly, which takes a fifth of the time; those of one of each kind at features are compiled.
    choices = {"weighting": weighting, "loss_mean": loss_mean, "validated": False, "epochs": 1, "run_eagerly": True}
    one, two = (trained(name, **choices) for name in ("one", "mirrored"))
    assert_same(one[0], two[0])
    assert_same(one[1].values(), two[1].values())


# Compiled, as training is, with the optimizer that does more.
@pytest.mark.parametrize(("optimizer", "eager"), [(clipped, True), (averaging, False)], ids=["clipped", "averaging"])
def test_two_replicas_equal_one_device_with_every_optimizer(optimizer, eager):
    one, two = (trained(name, optimizer, run_eagerly=eager) for name in ("one", "mirrored"))
    assert_same(one[0], two[0])
    start = with_norm(THREE).get_weights()
    assert all(np.abs(new - old).max() > 1e-4 for old, new in zip(start, one[0], strict=True))


@pytest.mark.parametrize("weighting", STEPS, ids=str)
def test_two_replicas_equal_one_device_where_gradients_are_taken_at_features(weighting):
    needs, *_, own = what_it_needs(weighting)[:5]
    if needs == "losses" or own:
        return  # has no such
    choices = {"weighting": weighting, "gradients_at": "features", "validated": False, "epochs": 1}
    one, two = (trained(name, **choices) for name in ("one", "mirrored"))
    assert_same(one[0], two[0])
    assert_same(one[1].values(), two[1].values())


def test_two_replicas_equal_one_device_with_l2():
    choices = {"l2": 0.1, "validated": False, "epochs": 1, "run_eagerly": True}
    one, two = (trained(name, clipped, **choices) for name in ("one", "mirrored"))
    assert_same(one[0], two[0])
    assert_same(one[1].values(), two[1].values())


@keras.saving.register_keras_serializable("laws")
class Penalized(keras.layers.Dense):
    """A dense layer that adds a quarter of its kernel's squared norm to the loss."""

    def call(self, inputs):
        self.add_loss(keras.ops.sum(keras.ops.square(self.kernel)) / 4)
        return super().call(inputs)


@pytest.mark.parametrize("weighting", STEPS, ids=str)
@pytest.mark.parametrize("strategy", ["one", "mirrored"])
def test_what_layers_add_to_the_loss_is_minimized_once(strategy, weighting):
    inputs = keras.Input((WIDTH,))
    trunk = keras.Model(inputs, Penalized(3, name="penalized")(inputs))
    with distribute.strategy(strategy).scope():
        backbone = Backbone(trunk, WIDTH, channels=0, mean=0.0, scale=1.0)
        model = MultiTaskModel(THREE, backbone, shared_units=(), head_units=(), dropout=0.0)
        model.compile(keras.optimizers.SGD(0.1), weighting=weighting, run_eagerly=True)
    features, labels, masks = rows_of(THREE, 4)
    unlabelled = {name: np.zeros(4, "float32") for name in masks}
    before = {variable.path: variable.numpy() for variable in model.trainable_variables}
    logs = model.fit(dataset_of((features, labels, unlabelled)), verbose=0, shuffle=False).history
    assert logs["loss"] == pytest.approx([(before["penalized/kernel"] ** 2).sum() / 4], rel=1e-5)
    # Its gradient is half the kernel.
    for variable in model.trainable_variables:
        factor = 0.95 if variable.path == "penalized/kernel" else 1.0
        np.testing.assert_allclose(variable.numpy(), factor * before[variable.path], rtol=1e-5)


def test_layers_that_add_to_the_loss_are_refused_beside_synchronized_norms():
    strategy, inputs = distribute.strategy("mirrored"), keras.Input((WIDTH,))
    with strategy.scope():
        trunk = keras.Model(inputs, FusedBatchNormalization(name="norm")(Penalized(3, name="penalized")(inputs)))
        backbone = Backbone(trunk, WIDTH, channels=0, mean=0.0, scale=1.0)
        model = MultiTaskModel([GENDER], backbone, shared_units=(), head_units=(), dropout=0.0)
        model.compile("sgd", run_eagerly=True)
        model.optimizer.build(model.trainable_variables)
    batch = tf.ones((2, WIDTH)), {"gender": tf.constant([0, 1])}
    with pytest.raises(UserError, match="sync_batch_norm=False"):
        strategy.run(model.train_step, (batch,))


def images_trained(
    strategy: str, backbone: str, side: int, policy: str = "float64", weightings: tuple[str, ...] = ("equal",)
) -> list[np.ndarray]:
    """The weights and losses after three epochs of 11 images in batches of 5, of which the last has a single one.

    Only the first three rows of a batch have a gender, so that the last worker never sees one. There is a
    network for each weighting.
    """
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (ROWS, side, side, 3)).astype("uint8")
    tasks = [AGE, GENDER]
    _, labels, masks = rows_of(tasks)
    masks["gender"] = (np.arange(ROWS) % BATCH < 3).astype("float32")
    found = []
    for weighting in weightings:
        with computing_in(policy), distribute.strategy(strategy).scope():
            keras.utils.set_random_seed(1)
            model = MultiTaskModel(tasks, backbone, "hard", side, 0, (8,), (4,), 0.0)
            model.compile(keras.optimizers.SGD(0.01), weighting=weighting)
        batches = finished(dataset_of((images, labels, masks)), ROWS, BATCH)
        history = model.fit(batches, validation_data=batches, epochs=3, verbose=0, shuffle=False).history
        found += [*model.get_weights(), *states(model), *map(np.asarray, history.values())]
    return found


def assert_close(found: list[np.ndarray], expected: list[np.ndarray], share: float = 1e-5):
    """No number differs by more than a share of the largest of its array."""
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - other).max() <= share * np.abs(other).max()


@pytest.mark.parametrize(
    ("backbone", "side"), [("small_cnn", 8), pytest.param("bknet", 16, marks=pytest.mark.slow)], ids=str
)
def test_two_replicas_equal_one_device_with_batch_norms(backbone, side):
    one, two = (images_trained(name, backbone, side) for name in ("one", "mirrored"))
    assert_close(two, one)


# Those that add to the loss, draw, or change between steps: layers alone are the same anywhere.
@pytest.mark.parametrize("sharing", ["soft", "ltb", "relationship"])
def test_two_replicas_equal_one_device_in_ways_of_sharing(sharing, staged_backbone):
    random = np.random.default_rng(0)
    # Each replica gets the same two images, as batch normalization counts on its replica alone; with other labels.
    images = np.tile(random.integers(0, 256, (2, 8, 8, 3)), (2, 1, 1, 1)).astype("uint8")
    _, labels, masks = rows_of(THREE, 4)
    masks["age"][:] = [1, 0, 1, 1]
    results = []
    for name in ("one", "mirrored"):
        with distribute.strategy(name).scope():
            keras.utils.set_random_seed(0)
            model = MultiTaskModel(THREE, staged_backbone, sharing, 8, 0, (5,), (4,), 0.0)
            model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        history = model.fit(dataset_of((images, labels, masks), 4), epochs=2, verbose=0).history
        results.append((model.get_weights(), history))
    assert_same(results[0][0], results[1][0])
    assert_same(results[0][1].values(), results[1][1].values())


def work(folder: str) -> None:
    """Train as one of the workers that TF_CONFIG names, and save the weights and the history."""
    trained = images_trained("auto", "small_cnn", 8, weightings=IN_WORKERS)
    np.savez(Path(folder, f"{read_cluster().place}.npz"), *trained)


# One weighting of losses with a state, one of dot products and one of gradients.
IN_WORKERS = ("uncertainty", "mgda", "graddrop")


@pytest.mark.slow
def test_workers_equal_one_process(local_workers, tmp_path):
    with local_workers(3, tmp_path, __file__, tmp_path) as workers:
        expected = images_trained("one", "small_cnn", 8, weightings=IN_WORKERS)
        assert workers.codes(300) == [0] * 3, "".join(map(workers.told, range(3)))
    for place in range(3):
        with np.load(tmp_path / f"{place}.npz") as saved:
            assert_close([saved[f"arr_{index}"] for index in range(len(expected))], expected)


# === Saving ===


@every_choice
def test_a_reloaded_network_answers_and_trains_on_as_the_saved_one(weighting, loss_mean, tmp_path):
    data = rows_of(THREE, BATCH + 1)
    model = network(THREE)
    model.compile(averaging(), weighting=weighting, loss_mean=loss_mean, run_eagerly=True)
    model.fit(dataset_of(data), epochs=1, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert_same(states(model), states(again), 0)
    answers, answers_again = model.predict(data[0], verbose=0), again.predict(data[0], verbose=0)
    assert list(answers) == list(answers_again) == ["age", "gender", "head_pose"]
    assert_same(answers.values(), answers_again.values(), 1e-6)
    histories = [m.fit(dataset_of(data), verbose=0, shuffle=False).history for m in (model, again)]
    assert_same([*model.get_weights(), *states(model)], [*again.get_weights(), *states(again)], 1e-6)
    assert_same(histories[0].values(), histories[1].values(), 1e-6)


# Trained, moved at the end of an epoch, and drawn from.
@pytest.mark.parametrize("weighting", ["uncertainty", "dwa", "graddrop"])
def test_a_resumed_run_equals_an_uninterrupted_one(weighting, tmp_path):
    features, labels, masks = rows_of(THREE)
    table = table_of(THREE, labels, masks)

    def run(folder: str, epochs: int) -> list[np.ndarray]:
        model = network(THREE)
        model.compile(averaging(), weighting=weighting, run_eagerly=True)
        resume.fit(
            model,
            lambda epoch: feature_batches(features, table, THREE, BATCH, 3, epoch),
            None,
            tmp_path / folder,
            epochs,
            patience=9,
        )
        return [*model.get_weights(), *states(model)]

    expected = run("whole", 2)
    # What this one leaves is what is there when it is killed in its second epoch.
    run("killed", 2)
    assert_same(run("killed", 2), expected, 0)


@pytest.mark.parametrize(("backbone", "sharing"), NETWORKS)
def test_every_network_builds_trains_saves_and_reloads(backbone, sharing, tmp_path):
    keras.utils.set_random_seed(0)
    size = SMALLEST.get(backbone, BACKBONES[backbone].image_size)
    if sharing in CUT and not BACKBONES[backbone].stages:
        with pytest.raises(UserError, match="cannot be cut"):
            MultiTaskModel(THREE, backbone, sharing, size)
        return
    if (backbone, sharing) in REFUSED:
        with pytest.raises(UserError, match=REFUSED[backbone, sharing]):
            MultiTaskModel(THREE, backbone, sharing, size)
        return
    model = MultiTaskModel(THREE, backbone, sharing, size, shared_units=(8,), head_units=(4,))
    model.compile(keras.optimizers.SGD(0.01))
    model.run_eagerly = True  # a large network's graph takes longer to build than one step
    features, labels, masks = rows_of(THREE, 2)
    if BACKBONES[backbone].channels:
        features = np.random.default_rng(0).integers(0, 256, (2, size, size, 3)).astype("uint8")
    before = model.get_weights()
    logs = model.train_on_batch(features, labels, {name: np.ones(2, "float32") for name in masks}, return_dict=True)
    assert np.isfinite(logs["loss"]) and logs["loss"] > 0
    trainable = [variable.path for variable in model.trainable_variables]
    moved = [np.abs(old - new).max() > 0 for old, new in zip(before, model.get_weights(), strict=True)]
    unmoved = [variable.path for variable, m in zip(model.weights, moved, strict=True) if not m]
    assert not set(unmoved) & {path for path in trainable if path.endswith("kernel")}
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert_same(states(model), states(again), 0)
    answers, answers_again = model(features), again(features)
    assert {name: answer.shape for name, answer in answers.items()} == {task.name: (2, task.size) for task in THREE}
    assert_same(answers.values(), answers_again.values(), 1e-6)


@every_task
def test_every_head_is_built_again_with_its_task(task, tmp_path):
    model = network([task])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert again.tasks == [task]
    features = rows_of([task])[0]
    assert_same(model(features).values(), again(features).values(), 1e-6)


# === Weightings ===

NAMES = ["age", "gender", "head_pose"]
EVERYONE = np.ones(3, bool)


def step_of(weighting, losses=LOSSES, gradients=GRADIENTS, present=EVERYONE) -> Step:
    """What a weighting is told of a step: losses (T,), and the Gramian or the gradients, if it needs them."""
    if weighting.halves:
        gradients = np.concatenate([0.4 * gradients, 0.6 * gradients])
    known = {"gramian": gradients @ gradients.T, "gradients": gradients}
    known = {name: keras.ops.convert_to_tensor(x) for name, x in known.items() if name == weighting.needs}
    return Step(keras.ops.convert_to_tensor(losses), keras.ops.convert_to_tensor(present), **known)


def weighed(weighting, losses=LOSSES, gradients=GRADIENTS, present=EVERYONE) -> np.ndarray:
    return np.asarray(weighting.weigh(step_of(weighting, losses, gradients, present)))


@every_weighting
@pytest.mark.parametrize("factor", [1.0, 0.0, 1e6], ids=["usual", "zero", "huge"])
def test_weights_are_finite_one_a_task_and_not_negative(weighting, factor):
    found = found_of(weighting)
    gradients = np.sqrt(factor) * GRADIENTS if found.needs == "gramian" else factor * GRADIENTS
    weights = weighed(found, factor * LOSSES, gradients.astype("float32"))
    assert weights.dtype == "float32" and np.isfinite(weights).all()
    assert weights.shape == ((4,) if found.needs == "gradients" else (6,) if found.halves else (3,))
    assert found.needs == "gradients" or str(weighting) in SIGNED or (weights >= 0).all()


@every_weighting
def test_weights_permute_with_the_tasks(weighting):
    order = [2, 0, 1]
    weighting = TOLD.get(str(weighting), weighting)
    found, other = found_of(weighting), found_of(weighting, [NAMES[index] for index in order])
    weights = weighed(found)
    permuted = weighed(other, LOSSES[order], GRADIENTS[order])
    if found.needs != "gradients":
        weights = weights.reshape(-1, 3)[:, order].ravel()
    np.testing.assert_allclose(permuted, weights, rtol=1e-4)


@every_weighting
def test_a_task_without_a_label_takes_no_part_in_the_weights(weighting):
    if isinstance(weighting, dict):
        return  # given by the user for all tasks
    found, fewer = found_of(weighting), found_of(weighting, NAMES[:2])
    weights = weighed(found, present=np.array([True, True, False]))
    without = weighed(fewer, LOSSES[:2], GRADIENTS[:2], EVERYONE[:2])
    if found.needs != "gradients":
        weights = weights.reshape(-1, 3)[:, :2].ravel()
    np.testing.assert_allclose(weights, without, rtol=1e-4)
    assert np.isfinite(weighed(found, 0 * LOSSES, 0 * GRADIENTS, np.zeros(3, bool))).all()


@one_of_each_kind
def test_a_task_without_a_label_in_a_step_keeps_its_head_and_its_state(weighting):
    data = rows_of(THREE)
    model = network(THREE)
    # With momentum from earlier steps, so that what is not held would go on moving.
    model.compile(keras.optimizers.Adam(0.05), weighting=weighting, run_eagerly=True)
    model.fit(dataset_of(data), epochs=2, verbose=0, shuffle=False)
    model.optimizer = keras.optimizers.SGD(0.1)
    model.optimizer.build(model.trainable_variables)
    model.train_function = None
    features, labels, _ = take(data, slice(0, BATCH))
    before = {layer.name: layer.get_weights() for layer in model.layers}
    state, found = model.weighting_state, found_of(weighting)
    rows = [row.numpy() for row in state.rows] if state else []
    model.train_on_batch(features, labels, {name: np.full(BATCH, name != "gender", "float32") for name in NAMES})
    for layer in model.layers:
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True):
            assert np.isfinite(new).all()
            assert np.array_equal(old, new) == layer.name.startswith("gender_")
    moved = [
        (old != new).reshape(3, -1).any(1).tolist() for old, new in zip(rows, state.rows if state else (), strict=True)
    ]
    assert not any(row[1] for row in moved)
    follows = found.update or found.variables(trained=True)
    assert [True, False, True] in moved or not (rows and follows)


def steps_of(weighting) -> list[Step]:
    """Three steps of which the second has no label of gender; what is said of that task means nothing there."""
    random = np.random.default_rng(0)
    found = []
    for present in (EVERYONE, np.array([True, False, True]), EVERYONE):
        losses = random.uniform(0.2, 3, 3).astype("float32")
        gradients = random.normal(size=GRADIENTS.shape).astype("float32")
        after = tf.constant(losses * random.uniform(0.7, 1.1, 3).astype("float32"))
        found.append(step_of(weighting, losses, gradients, present)._replace(after=after))
    return found


def followed(weighting, step: Step):
    """Return what a weighting answers in a step, which its state then follows, as in training."""
    before = [tf.identity(variable.value) for variable in weighting.variables()]
    step = step._replace(answer=tf.convert_to_tensor(weighting.weigh(step)))
    weighting.follow(step, tf.constant(True), before)
    return step.answer


def values(weighting) -> list[np.ndarray]:
    return [variable.numpy() for variable in weighting.variables()]


@every_weighting
def test_a_weighting_answers_and_follows_alike_on_two_replicas(weighting):
    alone = found_of(weighting)
    expected = [followed(alone, step) for step in steps_of(alone)]
    strategy = distribute.strategy("mirrored")
    with strategy.scope():
        found = found_of(weighting)
    # Compiled, as training is.
    run = tf.function(lambda step: strategy.run(followed, (found, step)), reduce_retracing=True)
    for step, answer in zip(steps_of(found), expected, strict=True):
        for other in strategy.experimental_local_results(run(step)):
            np.testing.assert_allclose(other, answer, rtol=1e-4, atol=1e-6)
    for variable, value in zip(found.variables(), values(alone), strict=True):
        for other in strategy.experimental_local_results(variable.value):
            np.testing.assert_allclose(other, value, rtol=1e-4, atol=1e-6)


@every_weighting
def test_all_that_a_weighting_remembers_is_in_its_state(weighting):
    found, again = found_of(weighting), found_of(weighting)
    for step in steps_of(found):
        followed(found, step)
    for variable, value in zip(again.variables(), values(found), strict=True):
        variable.assign(value)
    for step in steps_of(found):
        np.testing.assert_array_equal(followed(found, step), followed(again, step))
    assert_same(values(found), values(again), 0)


@every_weighting
def test_the_state_of_a_task_without_a_label_does_not_move(weighting):
    found = found_of(weighting)
    first, second, _ = steps_of(found)
    followed(found, first)
    rows = [*found.state.rows] if found.state else []
    before = [row.numpy() for row in rows]
    followed(found, second)
    moved = [(row.numpy() != old).reshape(3, -1).any(1).tolist() for row, old in zip(rows, before, strict=True)]
    assert not any(row[1] for row in moved)
    assert [True, False, True] in moved or not (rows and found.update)
    trained = [variable.value for variable in found.variables(trained=True)]
    if not trained:
        return
    with tf.GradientTape() as tape:
        tape.watch(trained)
        objective = tf.reduce_sum(found.weigh(second) * second.losses * tf.cast(second.present, "float32"))
        objective += found.regularizer(second.present)
    for gradient in tape.gradient(objective, trained):
        assert (gradient.numpy() != 0).tolist() == [True, False, True]


@every_weighting
def test_epochs_are_compared_by_what_the_steps_between_do_not_change(weighting):
    found, losses, present = found_of(weighting), np.array([0.5, 2.0, 0.0], "float32"), np.array([True, True, False])
    worth = float(found.worth(losses, present))
    for step in steps_of(found):
        followed(found, step)
    assert float(found.worth(losses, present)) == pytest.approx(worth, rel=1e-6)
    if found.needs != "losses":
        assert worth == pytest.approx(2.5)


@every_weighting
def test_it_is_told_whether_weights_of_losses_depend_on_these_losses(weighting):
    found = found_of(weighting)
    if found.needs == "losses":
        same = np.array_equal(weighed(found), weighed(found, LOSSES[::-1].copy()))
        assert same != found.reads_losses


def test_every_weighting_has_a_pinned_value():
    assert set(PINNED) == set(WEIGHTINGS)


@pytest.mark.parametrize("name", PINNED)
def test_weights_are_the_pinned_ones(name):
    np.testing.assert_allclose(weighed(found_of(name)), PINNED[name], rtol=1e-4)


if __name__ == "__main__":
    work(*sys.argv[1:])
