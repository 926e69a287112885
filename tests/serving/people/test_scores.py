"""Scores are 1 for tracks that are the truth, and fall by what is wrong."""

import numpy as np
import pytest

from mtl_keras.portraits.scenes import SCENES, crossing, one_by_one
from mtl_keras.serving.people.scores import NoisyTruth, follow, tracking_scores
from mtl_keras.serving.people.sightings import Sighting
from mtl_keras.serving.people.tracks import Tracked

BOXES = [{0: np.array([t, 0, t + 40, 40.0]), 1: np.array([t, 100, t + 40, 140.0])} for t in range(20)]


def found(numbers) -> list[list[Tracked]]:
    """Return the truth as tracks, numbered by (frame, person)."""
    return [
        [Tracked(numbers(frame, person), Sighting(box, 1.0, None)) for person, box in boxes.items()]
        for frame, boxes in enumerate(BOXES)
    ]


def test_truth_has_full_scores_and_a_switch_costs():
    perfect = tracking_scores(BOXES, found(lambda frame, person: person + 1))
    assert perfect[:4] == pytest.approx((1, 1, 1, 1)) and perfect.switches == 0
    switched = tracking_scores(BOXES, found(lambda frame, person: person + 1 if frame < 10 else 2 - person))
    assert switched.switches == 2 and switched.deta == pytest.approx(1)
    assert switched.idf1 == pytest.approx(0.5) and switched.assa == pytest.approx(1 / 3, abs=0.01)
    half = tracking_scores(BOXES, found(lambda frame, person: person + 1 if frame < 10 else -1))
    assert half.deta == pytest.approx(0.5) and half.idf1 == pytest.approx(2 / 3)


def test_a_simple_scene_is_followed_exactly_also_with_noise_and_misses():
    known = one_by_one(4)
    result = follow(known, NoisyTruth(4))
    assert (result.visitors, result.entered, result.left) == (3, 2, 1)
    assert result.scores.hota > 0.7 and result.scores.idf1 > 0.9 and result.scores.switches == 0


def test_people_who_pass_before_each_other_keep_their_numbers():
    result = follow(crossing(2), NoisyTruth(2, missed=0.05))
    assert result.visitors == 4 and result.scores.idf1 > 0.9
    assert set(SCENES) >= {"crossing", "hiding", "coming back", "crowd"}
