"""Labels as Keras' users give them: blanks, missing tasks, shapes and types, weights of examples and classes."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE, GENDER, HEAD_POSE, SMILE, Task
from mtl_keras.training.labels import class_weights_of, labels_and_masks, weighed_by_class

TASKS = [AGE, GENDER, HEAD_POSE]
POSES = np.arange(9, dtype="float32").reshape(3, 3)


def found(labels, weights=None, tasks=TASKS) -> tuple[dict, dict]:
    """Labels and masks of three rows, as lists."""
    return tuple(
        {name: values.numpy().tolist() for name, values in each.items()}
        for each in labels_and_masks(tasks, labels, weights, 3)
    )


def test_blanks_and_missing_tasks_have_mask_0_and_all_others_1():
    labels, masks = found({"age": np.array([3.0, np.nan, -1.0]), "gender": np.array([1, -1, 0])})
    # What is -1 is a number of a task of numbers.
    assert labels == {"age": [3.0, 0.0, -1.0], "gender": [1, 0, 0], "head_pose": [[0.0] * 3] * 3}
    assert masks == {"age": [1.0, 0.0, 1.0], "gender": [1.0, 0.0, 1.0], "head_pose": [0.0] * 3}


def test_a_row_of_which_one_number_is_blank_is_masked():
    poses = POSES.copy()
    poses[1, 2] = np.nan
    labels, masks = found({"head_pose": poses})
    assert masks["head_pose"] == [1.0, 0.0, 1.0] and np.isfinite(labels["head_pose"]).all()


@pytest.mark.parametrize("shape", [None, (None, None)])
@pytest.mark.parametrize("ages", [[20.0, 30.0, np.nan], [[20, 29], [30, 30], [np.nan, 5]]])
def test_numbers_and_intervals_may_follow_each_other(shape, ages):
    """As they are where Keras has traced one step for both."""
    ages = np.array(ages, "float32")
    given = ages if shape is None else ages.reshape(3, -1)
    traced = tf.function(
        lambda labels: labels_and_masks([AGE], {"age": labels}, None, 3),
        input_signature=[tf.TensorSpec(shape, tf.float32)],
    )
    labels, masks = (each["age"].numpy().tolist() for each in traced(given))
    assert masks == [1, 1, 0]
    assert labels[:2] == [[20, 20 if ages.ndim == 1 else 29], [30, 30]]


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_labels_of_every_type_and_of_one_axis_or_two_are_the_same(dtype, shape):
    given = np.array([1, 0, 1], dtype).reshape(shape)
    labels, masks = labels_and_masks(TASKS, {"age": given, "gender": given}, {"age": given}, 3)
    assert labels["age"].dtype == tf.float32 and labels["gender"].dtype == tf.int32
    assert labels["age"].numpy().tolist() == labels["gender"].numpy().tolist() == [1, 0, 1]
    assert masks["age"].numpy().tolist() == [1.0, 0.0, 1.0] and masks["gender"].numpy().tolist() == [1.0] * 3


def test_float_classes_may_be_blank_by_nan_or_below_0():
    assert found({"gender": np.array([1.0, np.nan, -1.0])})[1]["gender"] == [1.0, 0.0, 0.0]


def test_one_array_of_weights_is_that_of_all_tasks_and_a_blank_weighs_nothing():
    labels = {"age": np.array([1.0, np.nan, 2.0]), "gender": np.array([0, 1, 1])}
    _, masks = found(labels, np.array([0.5, 2.0, 0.0]))
    assert masks["age"] == [0.5, 0.0, 0.0] and masks["gender"] == [0.5, 2.0, 0.0]


def test_labels_of_the_only_task_need_no_name_and_a_list_follows_the_tasks():
    assert found(np.array([1, 0, 1]), tasks=[GENDER])[0] == {"gender": [1, 0, 1]}
    assert found([np.zeros(3), np.ones(3, int), POSES]) == found(
        {"head_pose": POSES, "gender": np.ones(3, int), "age": np.zeros(3)}
    )


@pytest.mark.parametrize(
    ("labels", "weights", "message"),
    [
        (None, None, "labels: got a NoneType; expected {task: ...} of some of the tasks age, gender, head_pose"),
        ([np.zeros(3)], None, "labels: got 1 entries; expected"),
        ({"smile": np.zeros(3)}, None, "labels: unknown task 'smile'; expected some of age, gender, head_pose"),
        ({"age": np.zeros(3)}, {"smile": np.ones(3)}, "sample_weight: unknown task 'smile'"),
        ({"gender": np.eye(3)[:, :2]}, None, r"labels of 'gender': shape \(3, 2\); expected \(B,\) or \(B, 1\)"),
        ({"head_pose": np.zeros(3)}, None, r"labels of 'head_pose': shape \(3,\); expected \(B, 3\)"),
        ({"gender": np.array(["male"] * 3)}, None, "labels of 'gender': string; expected indices of the classes"),
    ],
)
def test_what_cannot_be_read_is_one_line(labels, weights, message):
    with pytest.raises(UserError, match=message) as error:
        labels_and_masks(TASKS, labels, weights, 3)
    assert "\n" not in str(error.value)


def test_a_label_above_the_last_class_fails_in_the_step_and_names_the_task():
    step = tf.function(lambda labels: labels_and_masks([AGE, GENDER], {"gender": labels}, None, 2)[0]["gender"])
    assert step(tf.constant([1, -1])).numpy().tolist() == [1, 0]
    for call in (step, step.python_function):
        with pytest.raises(tf.errors.InvalidArgumentError, match="labels of gender: expected indices 0 to 1 of male"):
            call(tf.constant([1, 2]))


# === Weights of classes ===


def test_classes_are_weighed_by_index_or_name_and_a_missing_one_by_1():
    weights = class_weights_of(TASKS, {"gender": {"female": 3.0}})
    assert weights == class_weights_of(TASKS, {"gender": {1: 3}}) == {"gender": (1.0, 3.0)}
    labels, masks = labels_and_masks(TASKS, {"age": np.zeros(3), "gender": np.array([0, 1, -1])}, None, 3)
    weighed = weighed_by_class(labels, masks, weights)
    assert weighed["gender"].numpy().tolist() == [1.0, 3.0, 0.0] and weighed["age"].numpy().tolist() == [1.0] * 3


def test_weights_of_the_only_tasks_classes_need_no_name():
    for given in ({0: 1.0, 1: 2.0}, {"female": 2.0}, {"gender": {1: 2.0}}):
        assert class_weights_of([GENDER], given) == {"gender": (1.0, 2.0)}
    # Whose class may be called as the task is.
    assert class_weights_of([SMILE], {SMILE.classes[1]: 2.0}) == {"smile": (1.0, 2.0)}


def test_a_task_may_have_weights_of_its_own_in_whose_place_others_can_be_given():
    own = replace(GENDER, class_weights=[0.5, 2.0])
    assert class_weights_of([AGE, own], None) == {"gender": (0.5, 2.0)}
    assert class_weights_of([AGE, own], {"gender": {0: 4.0}}) == {"gender": (4.0, 1.0)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({0: 1.0}, "got {0: 1.0}; expected {task: {class: weight}} of some of the tasks age, gender, head_pose"),
        ({"smile": {0: 1.0}}, "class_weight: unknown task 'smile'"),
        ({"age": {0: 1.0}}, "expected {class: weight} of a task that has classes"),
        ({"gender": {2: 1.0}}, "{2: 1.0}; expected {class: weight} of male, female"),
        ({"gender": [1.0, 2.0]}, "expected {class: weight} of male, female"),
    ],
)
def test_other_weights_of_classes_are_one_line(given, message):
    with pytest.raises(UserError, match=message) as error:
        class_weights_of(TASKS, given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -1.0), (1.0, 2.0, 3.0)])
def test_a_task_has_a_weight_for_each_class(weights):
    with pytest.raises(UserError, match="class_weights .* expected a number of at least 0 for each of its 2 classes"):
        Task("hat", "categorical", classes=("no_hat", "hat"), class_weights=weights)
