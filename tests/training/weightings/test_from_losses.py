"""Equal and fixed weights: their values, and what is refused."""

import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.training import weightings
from mtl_keras.training.weightings.from_losses import equal, fixed
from mtl_keras.training.weightings.weighting import Step

NAMES = ["age", "gender", "smile"]
LOSSES = np.array([0.5, 3.0, 0.0], "float32")
STEP = Step(LOSSES, np.array([True, True, False]))


def test_equal_weights_are_one_whatever_the_losses():
    np.testing.assert_array_equal(equal(NAMES).weigh(STEP), [1.0, 1.0, 1.0])


def test_fixed_weights_go_by_name_not_by_order():
    weighting = fixed(NAMES, {"smile": 0.0, "age": 2.5, "gender": 1})
    np.testing.assert_array_equal(weighting.weigh(STEP), [2.5, 1.0, 0.0])


@pytest.mark.parametrize(
    "by_task",
    [
        {},
        {"age": 1.0, "gender": 1.0},
        {"age": 1.0, "gender": 1.0, "smile": 1.0, "ethnicity": 1.0},
        {"age": 1.0, "gender": -0.5, "smile": 1.0},
        {"age": 1.0, "gender": float("nan"), "smile": 1.0},
        {"age": 1.0, "gender": float("inf"), "smile": 1.0},
    ],
    ids=["none", "one missing", "one unknown", "negative", "not a number", "infinite"],
)
def test_wrong_fixed_weights_are_refused(by_task):
    with pytest.raises(UserError, match="age, gender, smile") as error:
        fixed(NAMES, by_task)
    assert "\n" not in str(error.value)


def test_find_takes_names_fixed_weights_and_weightings():
    assert weightings.find("equal", NAMES).needs == "losses"
    by_task = weightings.find({"age": 1, "gender": 2, "smile": 3}, NAMES)
    np.testing.assert_array_equal(by_task.weigh(STEP), [1, 2, 3])
    assert weightings.find(by_task, NAMES) is by_task


def test_find_names_what_there_is():
    with pytest.raises(UserError, match="'equall'.*equal"):
        weightings.find("equall", NAMES)
