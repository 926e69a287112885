"""Answers about a person are those of the mean of all looks, with how far the looks agree."""

import numpy as np
import pytest

from mtl_keras.serving.people.looks import MOST_LOOKS, Looks, answers_together
from mtl_keras.tasks import AGE, GENDER, HEAD_POSE


def look(age: int, male: float, yaw: float = 0.0) -> dict[str, np.ndarray]:
    """Return the outputs of one look that is sure of an age."""
    return {
        "age": np.eye(117, dtype="float32")[age],
        "gender": np.array([male, 1 - male], "float32"),
        "head_pose": np.array([yaw, 0, 0], "float32"),
    }


def age(looks: Looks) -> float:
    """Return the age that is answered from looks, as a table of people and a label have it."""
    (answers,), sure = answers_together([looks], [AGE]), looks.sure([AGE])
    assert answers["age"] == sure["age"][0]
    return answers["age"]["value"]


def test_probabilities_are_averaged_not_votes():
    looks = Looks()
    for male in (0.55, 0.55, 0.0):  # two of three look male, but only just
        looks.add(look(30, male))
    answer, sure = looks.sure([GENDER])["gender"]
    assert answer == {"class": "female", "probability": pytest.approx(1 - 1.1 / 3, abs=1e-4)}
    assert sure == {"agreement": 0.3333}


def test_numbers_have_a_mean_and_a_spread_over_looks():
    looks = Looks()
    for age, yaw in ((20, 170), (40, -170)):
        looks.add(look(age, 0.9, yaw))
    answers = looks.sure([AGE, HEAD_POSE])
    assert answers["age"] == ({"value": 30, "std": pytest.approx(10)}, {"spread": pytest.approx(10)})
    direction, spread = answers["head_pose"]
    assert abs(direction["yaw"]) == pytest.approx(180, abs=1e-3), "the mean direction, not 0"
    assert spread == {"yaw": pytest.approx(10, abs=1e-3), "pitch": 0, "roll": 0}
    assert Looks().sure([AGE]) == {}


def test_many_looks_need_no_more_memory_and_stay_spread_over_the_whole_time():
    looks = Looks()
    for number in range(5000):
        looks.add(look(int(116 * number / 5000), 0.5))
    assert looks.taken == 5000 and len(looks._kept) < MOST_LOOKS
    assert age(looks) == pytest.approx(57.5, abs=3)


def test_looks_that_show_too_little_count_only_without_better_ones():
    looks, other = Looks(), Looks()
    looks.add(look(10, 0.9), reliable=False)
    assert age(looks) == 10 and not looks.reliable
    looks.add(look(50, 0.9))
    looks.add(look(10, 0.9), reliable=False)
    assert age(looks) == 50 and looks.taken == 1 and looks.reliable
    other.add(look(10, 0.9), reliable=False)
    other.join(looks)
    assert age(other) == 50 and other.reliable
    third = Looks()
    third.add(look(70, 0.9))
    third.join(other)
    assert age(third) == 60 and third.taken == 2
