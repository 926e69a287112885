"""Arrays, lists and tables as they are checked and put by task before Keras sees them."""

import numpy as np
import pandas as pd
import pytest

from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE, GENDER, HEAD_POSE
from mtl_keras.training.arrays import check_pixels, labels_and_weights

TASKS = [AGE, GENDER, HEAD_POSE]
TWO = np.zeros(2)
CLASSES = "expected indices 0 to 1 of male, female, or -1 or NaN where there is none"


def test_weights_are_completed_with_1_for_the_tasks_that_they_lack():
    given = {"age": TWO, "gender": TWO}
    labels, weights = labels_and_weights(TASKS, given, {"age": np.array([0.5, 2.0])})
    assert {name: array.tolist() for name, array in weights.items()} == {"age": [0.5, 2.0], "gender": [1.0, 1.0]}
    assert list(labels) == ["age", "gender"] and labels_and_weights(TASKS, given, None)[1] is None
    assert labels_and_weights(TASKS, None, None) == (None, None)


def test_labels_as_a_list_go_with_weights_as_a_dictionary():
    labels, weights = labels_and_weights([AGE, GENDER], [TWO, TWO], {"gender": TWO})
    assert list(labels) == list(weights) == ["age", "gender"] and weights["age"].tolist() == [1.0, 1.0]


def test_tables_have_a_column_for_each_task_and_blanks_of_their_own():
    table = pd.DataFrame({"age": [3.0, 4.5], "gender": pd.array([1, pd.NA], "Int64")})
    labels, _ = labels_and_weights(TASKS, table, None)
    assert labels["age"].tolist() == [3.0, 4.5]
    np.testing.assert_array_equal(labels["gender"], [1.0, np.nan])
    np.testing.assert_array_equal(labels_and_weights([GENDER], table["gender"], None)[0]["gender"], [1.0, np.nan])
    poses = pd.DataFrame({name: TWO for name in HEAD_POSE.columns})
    assert labels_and_weights([HEAD_POSE], poses, None)[0]["head_pose"].shape == (2, 3)


@pytest.mark.parametrize(
    "labels", [[0, 2], ["male", "female"], [np.nan, 7.0], [0.5, 1.0], [np.inf, 0.0], pd.array([2, pd.NA], "Int64")]
)
@pytest.mark.parametrize("form", ["dictionary", "list", "alone", "table"])
def test_what_is_no_class_is_one_line_in_every_form(labels, form):
    values = labels if isinstance(labels, pd.api.extensions.ExtensionArray) else np.array(labels)
    tasks, given = {
        "dictionary": (TASKS, {"gender": values}),
        "list": ([AGE, GENDER], [TWO, values]),
        "alone": ([GENDER], values),
        "table": (TASKS, pd.DataFrame({"age": TWO, "gender": values})),
    }[form]
    with pytest.raises(UserError, match=f"labels of 'gender': got .*; {CLASSES}") as error:
        labels_and_weights(tasks, given, None)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("labels", "weights", "message"),
    [
        ({"age": np.array(["old", "young"])}, None, "labels of 'age': got .* array; expected a number from 0 to 116"),
        ({"age": [-40.0, 3.0]}, None, "labels of 'age': got -40; expected a number from 0 to 116 years, or NaN"),
        ({"age": [np.inf, 3.0]}, None, "labels of 'age': got inf; expected a number from 0 to 116 years"),
        ({"age": [[20, 10], [1, 2]]}, None, "labels of 'age': got an interval from 20 to 10; expected a number"),
        ({"age": TWO}, np.array([1.0, -1.0]), "sample_weight of 'age': got -1; expected numbers of at least 0"),
        ({"age": TWO}, {"age": [1.0, np.nan]}, "sample_weight of 'age': got nan; expected numbers of at least 0"),
        ({"age": TWO}, {"gender": TWO}, "sample_weight of 'gender': got weights of a task without labels; leave them"),
    ],
)
def test_what_is_no_label_or_weight_is_one_line(labels, weights, message):
    with pytest.raises(UserError, match=message) as error:
        labels_and_weights(TASKS, labels, weights)
    assert "\n" not in str(error.value)


# === Images ===

IMAGES = np.full((2, 4, 4, 3), 128.0)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (1 / 255, "images: holds numbers of 0 to 1; expected 0 to 255: multiply them by 255"),
        (-1, "images: holds numbers from -128 to -128; expected 0 to 255"),
        (3, "images: holds numbers from 384 to 384"),
        (np.nan, "images: holds numbers from nan"),
    ],
)
def test_images_of_other_numbers_are_one_line(factor, message):
    for images in (IMAGES * factor, {"image": IMAGES * factor}):
        with pytest.raises(UserError, match=message):
            check_pixels(images, (None, 4, 4, 3))


def test_what_is_no_image_is_not_looked_at():
    for shape in ((None, 4), (None, 4, 4, 64)):
        check_pixels(IMAGES / 255, shape)
    for images in (IMAGES, IMAGES.astype("uint8"), IMAGES * 0, None, iter([]), IMAGES[:0]):
        check_pixels(images, (None, 4, 4, 3))
