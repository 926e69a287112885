"""How much each task counts."""

import numpy as np
import pytest

import mtl_keras as mtl
from mtl_keras.errors import UserError
from mtl_keras.training.weightings.preference import preferences, shares

JACOBIAN = np.array([[1.0, 2.0, 0.0], [-2.0, 0.5, 1.0]])


def test_all_count_alike_if_nothing_is_said_and_the_sum_does_not_matter():
    assert shares(preferences("upgrad: preference", (), ["a", "b"])).tolist() == [0.5, 0.5]
    assert shares(preferences("upgrad: preference", (1.0, 3.0), ["a", "b"])).tolist() == [0.25, 0.75]
    assert shares(np.zeros(2)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("given", [(1.0,), (1.0, -1.0), (0.0, 0.0), (1.0, float("nan"))])
def test_what_is_no_preference_is_refused(given):
    with pytest.raises(
        UserError, match="upgrad: preference is .*; expected a number of at least 0 for each of the tasks a, b"
    ):
        preferences("upgrad: preference", given, ["a", "b"])


@pytest.mark.parametrize("name", ["aligned_mtl", "config", "dual_proj", "upgrad", "sdmgrad"])
def test_what_a_task_counts_moves_the_combined_gradient_towards_its_own(name):
    first, usual, second = (
        mtl.aggregate(name, JACOBIAN, preference=preference) for preference in ((5.0, 1.0), (), (1.0, 5.0))
    )
    cosines = [found @ JACOBIAN[0] / np.linalg.norm(found) for found in (first, usual, second)]
    assert cosines[0] > cosines[1] > cosines[2]
    np.testing.assert_array_equal(mtl.aggregate(f"{name}:preference=3/3", JACOBIAN), usual)
