"""One label and a task index a sample: there and back, its errors, and the BKNet article's loss in plain NumPy."""

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_keras.data.index_masks import INDICES, WIDTH, from_table, index_form, index_masks
from mtl_keras.errors import UserError
from mtl_keras.tasks import TASKS, find
from mtl_keras.training.model import MultiTaskModel

FOUR = {index: TASKS[name] for index, name in INDICES.items()}
L2 = 1e-4
FEATURES = 6

a_sample = st.sampled_from([(index, label) for index, task in FOUR.items() for label in range(task.size)])
a_row = st.fixed_dictionaries({task.name: st.none() | st.integers(0, task.size - 1) for task in FOUR.values()})


def coded(samples: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """One-hots (B, 7) and task indices (B,) of (task index, class) pairs."""
    index, label = np.array(samples, "int32").reshape(-1, 2).T
    return np.eye(WIDTH, dtype="float32")[label], index


def labelled(rows: list[dict]) -> tuple[dict, dict]:
    """Labels and masks {task: (B,)} of rows that may have a label of each task."""
    cells = {name: [row[name] for row in rows] for name in INDICES.values()}
    labels = {name: np.array([cell or 0 for cell in column], "int32") for name, column in cells.items()}
    return labels, {name: np.array([c is not None for c in column], "float32") for name, column in cells.items()}


def drawn(seed: int, rows: int, indices=tuple(INDICES)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (B, D), one-hots (B, 7) and task indices (B,) of a random batch."""
    random = np.random.default_rng(seed)
    index = random.choice(indices, rows)
    samples = [(each, random.integers(FOUR[each].size)) for each in index]
    return random.normal(size=(rows, FEATURES)).astype("float32"), *coded(samples)


# === There and back ===


def test_a_batch_of_the_article_is_the_pinned_labels_and_masks():
    labels, masks = index_masks(*coded([(2, 6), (4, 1), (1, 1), (3, 4), (2, 0)]))
    expected = {
        "smile": ([0, 0, 1, 0, 0], [0, 0, 1, 0, 0]),
        "expression": ([6, 0, 0, 0, 0], [1, 0, 0, 0, 1]),
        "age_group": ([0, 0, 0, 4, 0], [0, 0, 0, 1, 0]),
        "gender": ([0, 1, 0, 0, 0], [0, 1, 0, 0, 0]),
    }
    assert {name: (labels[name].tolist(), masks[name].tolist()) for name in labels} == expected
    assert {array.dtype.name for array in labels.values()} == {"int32"}
    assert {array.dtype.name for array in masks.values()} == {"float32"}


@given(st.lists(a_sample, max_size=12))
def test_samples_come_back_from_labels_and_masks(samples):
    one_hot, index = coded(samples)
    again = index_form(*index_masks(one_hot, index))
    for got, expected in zip(again, (one_hot, index, np.arange(len(samples))), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert [array.dtype.name for array in again[:2]] == ["float32", "int32"]


@given(st.lists(a_row, max_size=8))
def test_labels_and_masks_come_back_from_samples(rows):
    labels, masks = labelled(rows)
    one_hot, index, row = index_form(labels, masks)
    assert len(row) == sum(mask.sum() for mask in masks.values())
    assert sorted(zip(row, index, strict=True)) == list(zip(row, index, strict=True))
    sample_labels, sample_masks = index_masks(one_hot, index)
    for name in labels:
        again = np.zeros((2, len(rows)))
        # No row has two samples of one task, so that adding puts each back in its place.
        np.add.at(again[0], row, sample_labels[name])
        np.add.at(again[1], row, sample_masks[name])
        np.testing.assert_array_equal(again, [labels[name], masks[name]])


def test_what_is_masked_may_be_anything():
    one_hot, index, row = index_form({"gender": np.array([np.nan, 1.0, 99.0])}, {"gender": np.array([0, 1, 0])})
    assert (one_hot.tolist(), index.tolist(), row.tolist()) == ([[0, 1, 0, 0, 0, 0, 0]], [4], [1])


def test_other_indices_may_name_other_tasks():
    one_hot, index = coded([(9, 3), (5, 1)])
    indices = {5: "gender", 9: "ethnicity"}
    labels, masks = index_masks(one_hot, index, indices)
    assert {name: label.tolist() for name, label in labels.items()} == {"gender": [0, 1], "ethnicity": [3, 0]}
    np.testing.assert_array_equal(index_form(labels, masks, indices)[1], index)


def test_a_table_becomes_one_sample_a_label():
    columns = {"smile": ["smiling", None, None], "gender": ["female", None, "male"], "age": [30.0, 40.0, None]}
    one_hot, index, row = from_table(pd.DataFrame({"path": ["a.jpg", "b.jpg", "c.jpg"], **columns}))
    assert (one_hot.argmax(-1).tolist(), index.tolist(), row.tolist()) == ([1, 1, 0], [1, 4, 4], [0, 0, 2])


# === Errors ===

ONE, NONE, TWO = np.eye(WIDTH)[0], np.zeros(WIDTH), np.eye(WIDTH)[0] + np.eye(WIDTH)[3]


@pytest.mark.parametrize(
    ("one_hot", "index", "message"),
    [
        ([ONE, ONE], [1, 5], "row 1: got task index 5, expected one of 1 .smile., 2 .expression., 3"),
        ([ONE, ONE], [0, 1], "row 0: got task index 0"),
        ([ONE, NONE], [1, 2], r"row 1: got one-hot \[0.0, 0.0, .*expected one 1 and 6 zeros"),
        ([TWO, ONE], [1, 2], r"row 0: got one-hot \[1.0, 0.0, 0.0, 1.0"),
        ([ONE, 2 * ONE], [1, 2], "row 1: got one-hot"),
        ([ONE, ONE + 0.1 * np.eye(WIDTH)[2]], [1, 2], "row 1: got one-hot"),
        ([ONE, np.eye(WIDTH)[2]], [2, 4], "row 1: got gender class 2, expected 0 to 1"),
        ([ONE, np.eye(WIDTH)[5]], [2, 3], "row 1: got age_group class 5, expected 0 to 4"),
        ([ONE[:5]], [1], r"got one-hots \(1, 5\) and indices \(1,\), expected \(B, 7\) and \(B,\)"),
        ([ONE, ONE], [1], r"got one-hots \(2, 7\) and indices \(1,\)"),
        ([ONE], [[1]], r"got one-hots \(1, 7\) and indices \(1, 1\)"),
    ],
)
def test_what_is_no_sample_is_an_error(one_hot, index, message):
    with pytest.raises(UserError, match=message):
        index_masks(np.array(one_hot), np.array(index))


@pytest.mark.parametrize(
    ("labels", "masks", "message"),
    [
        ({"gender": [0, 2]}, {"gender": [1, 1]}, "row 1: got gender class 2, expected 0 to 1"),
        ({"gender": [0.5]}, {"gender": [1]}, "row 0: got gender class 0.5"),
        ({"gender": [0]}, {"smile": [1]}, r"got labels of \['gender'\] and masks of \['smile'\], expected both of"),
        ({"ethnicity": [0]}, {"ethnicity": [1]}, "got labels of .*ethnicity.* expected both of"),
        ({"gender": [0, 1]}, {"gender": [1]}, r"shapes \[\(1,\), \(2,\)\], expected one shape"),
        ({"gender": [[0]]}, {"gender": [[1]]}, r"shapes \[\(1, 1\)\], expected one shape"),
        ({}, {}, r"shapes \[\], expected one shape"),
    ],
)
def test_what_has_no_index_form_is_an_error(labels, masks, message):
    with pytest.raises(UserError, match=message):
        index_form(labels, masks)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ({1: "age"}, "task 'age': expected a task of at most 7 classes"),
        ({1: "expression_8"}, "task 'expression_8': expected a task of at most 7"),
        ({1: "smiles"}, "unknown task 'smiles'"),
        ({1: "smile", 2: "smile"}, "only once"),
    ],
)
def test_what_does_not_fit_the_one_hot_is_an_error(indices, message):
    with pytest.raises(UserError, match=message):
        index_masks(*coded([(1, 0)]), indices)


# === The article's loss ===


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    keras.utils.set_random_seed(1)
    tasks = find(list(INDICES.values()))
    return MultiTaskModel(tasks, "features", image_size=FEATURES, shared_units=(5,), head_units=(4,), dropout=0.0)


def article_loss(probabilities: dict, one_hot, index, weights: list[np.ndarray]) -> float:
    """The article's total loss in float64, of {task index: probabilities (B, K)} and the kernels."""
    total = L2 * sum(0.5 * np.sum(weight.astype("float64") ** 2) for weight in weights)
    for task_index, p in probabilities.items():
        cross_entropy = -np.sum(one_hot[:, : p.shape[1]] * np.log(np.clip(p.astype("float64"), 1e-10, 1)), axis=-1)
        total += np.mean((index == task_index) * cross_entropy)
    return total


def logged(model, features, one_hot, index, step: str = "test_on_batch") -> dict[str, float]:
    """What the library logs of one batch alone."""
    model.reset_metrics()
    logs = getattr(model, step)(features, *index_masks(one_hot, index), return_dict=True)
    return {name: np.asarray(value).item() for name, value in logs.items()}


@pytest.mark.parametrize("step", ["test_on_batch", "train_on_batch"])
def test_the_total_loss_is_the_articles(model, step):
    model.compile(keras.optimizers.SGD(0.01), loss_mean="batch", l2=L2)
    # The last batch has no sample of two of the tasks.
    for seed, indices in enumerate([tuple(INDICES)] * 5 + [(2, 4)]):
        features, one_hot, index = drawn(seed, 16, indices)
        answers = model.predict(features, verbose=0)
        probabilities = {each: answers[name] for each, name in INDICES.items()}
        # Between here and the library's own floor the article's loss is flat and the library's is not.
        assert min(p.min() for p in probabilities.values()) > 1e-10
        kernels = [variable.numpy() for variable in model.trainable_variables if variable.name == "kernel"]
        expected = article_loss(probabilities, one_hot, index, kernels)
        logs = logged(model, features, one_hot, index, step)
        assert logs["loss"] + logs["l2"] == pytest.approx(expected, rel=0, abs=1e-6)


@pytest.mark.parametrize("index", INDICES)
def test_samples_of_other_tasks_change_a_loss_only_under_the_mean_over_the_batch(model, index):
    own, others = drawn(index, 8, (index,)), drawn(7, 24, tuple(set(INDICES) - {index}))
    together = tuple(np.concatenate(parts) for parts in zip(own, others, strict=True))
    only = {name: float(name == INDICES[index]) for name in INDICES.values()}
    losses = {}
    for loss_mean in ("labelled", "batch"):
        model.compile(keras.optimizers.SGD(0.01), weighting=only, loss_mean=loss_mean, run_eagerly=True)
        for rows in (own, together):
            losses[loss_mean, len(rows[0])] = logged(model, *rows)["loss"]
    assert losses["labelled", 8] > 0.1
    assert losses["labelled", 32] == pytest.approx(losses["labelled", 8], rel=0, abs=1e-6)
    # A quarter of the samples are the task's.
    assert losses["batch", 32] == pytest.approx(losses["batch", 8] / 4, rel=0, abs=1e-6)
