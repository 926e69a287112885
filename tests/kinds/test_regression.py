"""Numbers by least squares: head, loss, answers and metrics."""

import math

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.kinds.regression import Affine
from mtl_keras.tasks import AGE_REGRESSION, Task

RANDOM = np.random.default_rng(0)
PLACE = Task("place", "regression", outputs=("x", "y", "z"), scale=30.0, unit="mm")


def test_a_scale_of_0_is_refused():
    with pytest.raises(UserError, match="scale 0.*above 0"):
        kind_of(Task("mine", "regression", scale=0.0))


def test_regression_is_the_mean_squared_error_in_units_of_the_scale():
    labels, outputs = RANDOM.normal(0, 30, (2, 5, 3)).astype("float32")
    expected = (((outputs.astype("float64") - labels) / 30) ** 2).mean(-1)
    np.testing.assert_allclose(kind_of(PLACE).loss(labels, outputs), expected, rtol=1e-5)


def test_regression_of_one_number_does_not_mix_rows():
    # (B,) against (B, 1) would silently broadcast to (B, B).
    labels, outputs = np.array([10.0, 50.0], "float32"), np.array([[30.0], [50.0]], "float32")
    np.testing.assert_allclose(kind_of(AGE_REGRESSION).loss(labels, outputs), [1.0, 0.0])


@pytest.mark.parametrize("task", [AGE_REGRESSION, Task("mine", "regression")], ids=lambda task: task.name)
def test_metrics_agree_with_scikit_learn(task):
    labels, answers = RANDOM.uniform(0, 116, (2, 40))
    kept = RANDOM.random(40) < 0.6
    found = kind_of(task).measure(labels, answers, kept.astype("float32"))
    assert found["n"] == kept.sum()
    assert found["mae"] == pytest.approx(mean_absolute_error(labels[kept], answers[kept]))
    assert found["rmse"] == pytest.approx(root_mean_squared_error(labels[kept], answers[kept]))
    # Within five years is a figure about ages, and about nothing else.
    assert set(found) == {"n", "mae", "rmse", *(["cs5"] if task.name == "age" else [])}


def test_the_cumulative_score_counts_errors_of_so_many_units_and_less():
    labels, answers = np.zeros(4), np.array([0.0, 5.0, 5.01, 30.0])
    assert kind_of(AGE_REGRESSION).measure(labels, answers, np.ones(4))["cs5"] == 0.5
    task = Task("mood", "regression", within=0.1)
    assert kind_of(task).measure(labels, answers / 50, np.ones(4))["cs0_1"] == 0.5


def test_several_outputs_are_averaged_and_measured_each():
    labels, answers = RANDOM.normal(0, 20, (2, 40, 3))
    found = kind_of(PLACE).measure(labels, answers, np.ones(40))
    assert found["mae"] == pytest.approx(mean_absolute_error(labels, answers))
    assert found["rmse"] == pytest.approx(math.sqrt(((labels - answers) ** 2).mean()))
    for number, output in enumerate("xyz"):
        columns = labels[:, number], answers[:, number]
        assert found[f"{output}_mae"] == pytest.approx(mean_absolute_error(*columns))
        assert found[f"{output}_rmse"] == pytest.approx(root_mean_squared_error(*columns))
    assert [metric.name for metric in kind_of(PLACE).shown] == ["mae", "x_mae", "y_mae", "z_mae"]


def test_answers_have_one_number_a_label():
    assert kind_of(AGE_REGRESSION).answers(np.ones((4, 1), "float32")).shape == (4,)
    assert kind_of(PLACE).answers(np.ones((4, 3), "float32")).shape == (4, 3)
    columns = kind_of(PLACE).answer_columns(np.array([[1.0, 2.0, 3.0]], "float32"))
    assert columns == {"place.x.value": [1.0], "place.y.value": [2.0], "place.z.value": [3.0]}


def test_the_constant_answer_is_the_median_of_each_output():
    labels = np.array([[1.0, 9.0, 0.0], [2.0, 5.0, 0.0], [7.0, 5.0, 3.0]])
    assert kind_of(PLACE).constant(labels).tolist() == [2.0, 5.0, 0.0]


def test_affine_survives_its_config():
    layer = Affine(20.0, 33.0, name="age")
    again = Affine.from_config(layer.get_config())
    assert (again.scale, again.offset, again.name) == (20.0, 33.0, "age")
    np.testing.assert_allclose(again(np.array([[1.0, -1.0]])), [[53.0, 13.0]])
