"""Cosines of the tasks' gradients, by cases whose answer is known."""

import keras
import numpy as np
import pandas as pd
import pytest

from mtl_keras.tasks import Task
from mtl_keras.training.conflict import CONFLICT, conflict_of, gradient_cosines, measuring_conflict
from mtl_keras.training.model import MultiTaskModel

TASKS = [Task(name, "regression") for name in ("first", "second", "third")]
FEATURES = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    """A network of three tasks whose heads are alike, so that they answer alike."""
    model = MultiTaskModel(TASKS, "features", image_size=4, shared_units=(3,), head_units=(), dropout=0.5)
    heads = [model.get_layer(f"{task.name}_scores") for task in TASKS]
    for head in heads[1:]:
        head.set_weights(heads[0].get_weights())
    model.compile("sgd")
    return model


def batch(model, shifts, masks=None):
    answers = model.predict(FEATURES, verbose=0)["first"][:, 0]
    labels = {task.name: answers + shift for task, shift in zip(TASKS, shifts, strict=True)}
    return FEATURES, labels, masks or {task.name: np.ones(6, "float32") for task in TASKS}


def test_gradients_that_agree_have_cosine_1_and_opposite_ones_minus_1(model):
    cosines = gradient_cosines(model, [batch(model, (1, -1, 5))])
    assert np.allclose(cosines, [[1, -1, 1], [-1, 1, -1], [1, -1, 1]], atol=1e-5)


def test_gradients_are_those_of_the_losses_that_the_model_is_compiled_with(model):
    backwards = MultiTaskModel.from_config(model.get_config())
    backwards.set_weights(model.get_weights())
    backwards.compile("sgd", loss={"second": lambda labels, outputs: -keras.losses.mean_squared_error(labels, outputs)})
    assert gradient_cosines(backwards, [batch(model, (1, 1, 1))])[0].round(4).tolist() == [1, -1, 1]


def test_rows_without_a_label_do_not_count(model):
    masks = {"first": np.array([1, 1, 1, 0, 0, 0.0]), "second": np.array([0, 1, 1, 1, 1, 0.0]), "third": np.ones(6)}
    known = np.array([1, -1, 1, 0, 0, 0.0]), np.array([0, -1, 1, 1, 1, 0.0]), np.array([1, -1, 1, 1, 1, 1.0])
    noise = [100 * (mask == 0) for mask in masks.values()]
    found = gradient_cosines(model, [batch(model, known, masks)])
    assert np.allclose(gradient_cosines(model, [batch(model, np.add(known, noise), masks)]), found, atol=1e-5)
    # Without the masks the noise would outweigh the rest.
    assert not np.allclose(gradient_cosines(model, [batch(model, np.add(known, noise))]), found, atol=0.1)


def test_a_task_without_labels_has_no_cosines_and_other_batches_count(model):
    none = {"first": np.ones(6), "second": np.ones(6), "third": np.zeros(6)}
    assert np.isnan(gradient_cosines(model, [batch(model, (1, -1, 1), none)])[2]).all()
    both = gradient_cosines(model, [batch(model, (1, -1, 1), none), batch(model, (1, 1, -1))])
    assert np.allclose(both[0], [1, 0, -1], atol=1e-5), "the mean over the batches in which both tasks have labels"


def test_tasks_that_share_nothing_have_no_cosines():
    apart = MultiTaskModel(TASKS[:2], "features", image_size=4, shared_units=(), head_units=())
    apart.compile("sgd")
    labels = {task.name: np.ones(6) for task in TASKS[:2]}
    assert np.isnan(gradient_cosines(apart, [(FEATURES, labels, labels)])).all()


def test_it_is_measured_where_it_is_asked_for_and_a_repeated_epoch_counts_once(model, tmp_path):
    assert conflict_of(tmp_path) == []
    with measuring_conflict(lambda model: [batch(model, (1, -1, 5))]):
        (callback,) = conflict_of(tmp_path)
    assert conflict_of(tmp_path) == []
    callback.set_model(model)
    for epoch in (0, 1, 1):
        callback.on_epoch_begin(epoch)
    found = pd.read_csv(tmp_path / CONFLICT)
    assert found["epoch"].tolist() == [0] * 3 + [1] * 3
    assert found["first"].tolist()[:3] == ["first", "first", "second"]
    assert found["second"].tolist()[:3] == ["second", "third", "third"]
    assert found["cosine"].round(3).tolist() == [-1, 1, -1] * 2
