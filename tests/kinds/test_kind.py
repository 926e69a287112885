"""What all kinds share: heads in any precision, scores against metrics, ranges, and how metrics are found by name."""

import math
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.special

from mtl_keras.errors import UserError
from mtl_keras.kinds import KINDS, METRICS, kind_of, metric_of
from mtl_keras.kinds.angle import GEODESIC
from mtl_keras.kinds.kind import WITHIN_INTERVAL
from mtl_keras.precision import computing_in
from mtl_keras.tasks import (
    AGE,
    AGE_ARGMAX,
    AGE_GROUP_ORDINAL,
    AGE_REGRESSION,
    ETHNICITY,
    EXPRESSION,
    GENDER,
    HEAD_POSE,
    TASKS,
    Task,
)

FEATURES = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")


def network(task, units=(), dropout=0.0) -> keras.Model:
    inputs = keras.Input((6,))
    return keras.Model(inputs, kind_of(task).head(inputs, units, dropout))


@pytest.mark.parametrize("task", [AGE, ETHNICITY, AGE_GROUP_ORDINAL], ids=lambda task: task.name)
def test_classes_and_bins_get_probabilities(task):
    outputs = network(task)(FEATURES).numpy()
    assert outputs.shape == (5, task.size) and (outputs >= 0).all()
    np.testing.assert_allclose(outputs.sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize("task", [AGE_REGRESSION, HEAD_POSE], ids=lambda task: task.name)
def test_regression_starts_at_the_center_in_the_unit_of_the_task(task):
    model = network(task)
    kernel, bias = model.get_layer(f"{task.name}_scores").get_weights()
    expected = (FEATURES @ kernel + bias) * task.scale + task.center
    np.testing.assert_allclose(model(FEATURES), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model(np.zeros((1, 6))), np.full((1, task.size), task.center), rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.4, 2.5])
@pytest.mark.parametrize("task", [ETHNICITY, AGE_GROUP_ORDINAL], ids=lambda task: task.name)
def test_scores_divided_by_a_temperature_change_probabilities_and_no_answer(task, temperature):
    model, kind = network(task), kind_of(task)
    model.set_weights(
        [weight + np.linspace(-1, 1, weight.size).reshape(weight.shape) for weight in model.get_weights()]
    )
    before = model(FEATURES).numpy()
    kind.divide_scores(model, temperature)
    after = model(FEATURES).numpy()
    assert np.abs(after - before).max() > 0.05
    np.testing.assert_allclose(after, kind.tempered(before, temperature), atol=1e-5)
    np.testing.assert_array_equal(kind.answers(after), kind.answers(before))
    kind.divide_scores(model, 1 / temperature)
    np.testing.assert_allclose(model(FEATURES), before, atol=1e-5)


def test_units_are_dense_layers_of_these_widths():
    model = network(ETHNICITY, (7, 4), 0.5)
    dense = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert dense == [7, 4, 5]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.5, 0.5]
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in network(ETHNICITY, (7,)).layers)


def test_the_hidden_layers_are_leaky():
    model = network(ETHNICITY, (4,))
    kernel, bias = model.get_layer("ethnicity_dense_0").get_weights()
    hidden = FEATURES @ kernel + bias
    got = keras.Model(model.inputs[0], model.get_layer("ethnicity_leaky_relu_0").output)(FEATURES)
    np.testing.assert_allclose(got, np.where(hidden < 0, 0.1 * hidden, hidden), atol=1e-5)


@pytest.mark.parametrize("task", [ETHNICITY, HEAD_POSE, AGE_GROUP_ORDINAL], ids=lambda task: task.name)
def test_answers_are_float32_in_mixed_precision(task):
    with computing_in("mixed_bfloat16"):
        model = network(task, (4,))
    assert model.get_layer(f"{task.name}_dense_0").compute_dtype == "bfloat16"
    outputs = model(FEATURES)
    assert outputs.dtype == "float32"
    if kind_of(task).names:
        np.testing.assert_allclose(outputs.numpy().sum(-1), 1, rtol=1e-5)


# === Tasks and their kinds ===


def test_an_unknown_kind_is_refused():
    known = "angle, categorical, expectation, ordinal, regression"
    with pytest.raises(UserError, match=f"'mine'.*'nonsense'.*{known}"):
        kind_of(Task("mine", "nonsense"))


def test_every_task_suits_its_kind_and_is_known_once():
    for task in TASKS.values():
        assert type(kind_of(task)) is KINDS[task.kind] and kind_of(task) is kind_of(task)


# === Cells ===

MOOD = Task("mood", "regression", range=(0, 1), unit="points")


def test_a_range_refuses_what_lies_outside():
    cells = pd.Series([0, 1, 0.5, 7.0, -0.1, None, "happy"], dtype=object)
    np.testing.assert_array_equal(kind_of(MOOD).numbers(cells), [0, 1, 0.5, np.nan, np.nan, np.nan, np.nan])
    assert kind_of(MOOD).expected == "a number from 0 to 1 points"
    assert kind_of(Task("any", "regression")).expected == "a finite number"


@pytest.mark.parametrize("limits", [(1, 1), (1, 0)])
def test_an_empty_range_is_refused(limits):
    with pytest.raises(UserError, match="mood.*expected a smaller and a larger number"):
        kind_of(Task("mood", "regression", range=limits))


def test_labels_are_counted_in_bins_that_suit_their_range():
    widths = {task.name: kind_of(task).bin_width for task in (AGE, HEAD_POSE, MOOD, Task("any", "regression"))}
    assert widths == {"age": 10, "head_pose": 15, "mood": 0.1, "any": 10}


# === Metrics ===


@pytest.mark.parametrize("task", [GENDER, AGE, HEAD_POSE, AGE_GROUP_ORDINAL], ids=lambda task: task.name)
def test_without_a_label_figures_are_nan(task):
    shape = (3, 3) if task.outputs else (3,)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = kind_of(task).measure(np.zeros(shape, int), np.zeros(shape, int), np.zeros(3))
    assert found.pop("n") == 0
    assert found and all(math.isnan(figure) for figure in found.values())


@pytest.mark.parametrize(
    "task",
    [AGE, AGE_ARGMAX, AGE_REGRESSION, GENDER, EXPRESSION, HEAD_POSE, AGE_GROUP_ORDINAL],
    ids=lambda task: f"{task.name} {task.kind}",
)
def test_scores_average_to_the_whole_set_metric(task):
    random, rows, kind = np.random.default_rng(0), 40, kind_of(task)
    outputs = scipy.special.softmax(random.normal(0, 2, (rows, task.size)), axis=-1).astype("float32")
    kept = (random.random(rows) < 0.6).astype("float32")
    labels = random.integers(0, task.size, rows) if kind.names else random.uniform(0, 116, rows)
    labels = random.normal(0, 300, (rows, 3)) if task.outputs else labels
    scores = keras.ops.convert_to_numpy(kind.score(labels.astype("float32"), outputs))
    found = kind.measure(labels, keras.ops.convert_to_numpy(kind.answers(outputs)), kept)
    assert scores.shape == (rows,)
    assert np.average(scores, weights=kept) == pytest.approx(found[kind.SCORE.name], rel=1e-5)


@pytest.mark.parametrize("task", [*TASKS.values(), AGE_REGRESSION, Task("mood", "regression", within=0.25)], ids=str)
def test_every_metric_is_measured_and_found_by_the_name_of_its_column(task):
    kind = kind_of(task)
    shape = (4, len(task.outputs)) if task.outputs else (4,)
    found = kind.measure(np.zeros(shape, int), np.zeros(shape, int), np.ones(4))
    assert list(found) == ["n", *(metric.name for metric in kind.metrics)]
    assert not any(math.isnan(value) for value in found.values())
    assert set(kind.shown) <= set(kind.metrics) and kind.SCORE in kind.metrics
    for metric in kind.metrics:
        assert metric_of(f"{task.name}.{metric.name}") == metric


def test_a_name_stands_for_one_metric_in_all_kinds():
    metrics = {metric for kind in KINDS.values() for metric in kind.METRICS} | {GEODESIC, WITHIN_INTERVAL}
    assert len(metrics) == len(METRICS)


def test_metrics_know_how_they_are_shown():
    assert metric_of("gender.accuracy")[2:] == ("%", False, "%") and metric_of("gender.accuracy").factor == 100
    assert metric_of("age.rmse").heading == "RMSE" and metric_of("age.rmse").factor == 1
    assert metric_of("age.cs5").heading == "within 5, %" and metric_of("mood.cs0_25").heading == "within 0.25, %"
    assert metric_of("head_pose.yaw_mae").heading == "yaw MAE" and metric_of("head_pose.yaw_mae").lower_is_better
    assert metric_of("group.class_mae").unit == "classes"


@pytest.mark.parametrize("column", ["age.speed", "age.yaw_speed", "age._mae", "age.cs", "age"])
def test_an_unknown_metric_is_refused(column):
    with pytest.raises(UserError, match="unknown metric.*accuracy"):
        metric_of(column)


def test_json_holds_rounded_numbers_and_none():
    row = pd.Series({"age.value": 31.23456, "head_pose.yaw.value": 1.0, "head_pose.pitch.value": np.nan})
    assert kind_of(AGE_REGRESSION).as_json(row) == {"value": 31.2346, "std": None}
    assert kind_of(HEAD_POSE).as_json({**row, "head_pose.roll.value": np.inf}) == {
        "yaw": 1.0, "pitch": None, "roll": None,
    }  # fmt: skip
