"""One person has one number, also after frames in which they are not seen, and a track ends when they are gone."""

import numpy as np

from mtl_keras.serving.people.sightings import Sighting
from mtl_keras.serving.people.tracks import FRAMES_TO_COUNT, PATIENCE, Tracker

RATE = 10


def boxes(tracker: Tracker, frames: list[list[tuple[float, float]]], start: int = 0) -> list[set[int]]:
    """Return the tracks of each frame, for the middles of faces of 40 pixels in it."""
    found = []
    for number, middles in enumerate(frames, start):
        sightings = [Sighting(np.array([x - 20, y - 20, x + 20, y + 20]), 0.95, None) for x, y in middles]
        found.append({each.track for each in tracker.update(number / RATE, sightings)})
    return found


def test_numbers_stay_and_begin_after_some_frames():
    tracker = Tracker(RATE)
    found = boxes(tracker, [[(50 + 5 * number, 50), (300 - 5 * number, 200)] for number in range(20)])
    assert found[: FRAMES_TO_COUNT - 1] == [{-1}] * (FRAMES_TO_COUNT - 1)
    assert found[FRAMES_TO_COUNT:] == [{1, 2}] * (20 - FRAMES_TO_COUNT)
    assert set(tracker.seen) == {1, 2} and tracker.ended() == []


def test_a_glimpse_is_nobody_and_a_gap_is_bridged_but_not_a_long_one():
    tracker, walk = Tracker(RATE), [[(50 + 4 * number, 50)] for number in range(100)]
    assert boxes(tracker, [[(400, 400)], [], *walk[:8]])[-1] == {1}
    gap = round(0.6 * PATIENCE * RATE)
    boxes(tracker, [[]] * gap, 10)
    assert tracker.ended() == [] and set(tracker.expected) == {1}
    assert boxes(tracker, walk[8 + gap : 12 + gap], 10 + gap) == [{1}] * 4
    boxes(tracker, [[]] * round(1.5 * PATIENCE * RATE), 14 + gap)
    assert tracker.ended() == [1] and tracker.ended() == [] and not tracker.seen


def test_time_counts_and_not_frames():
    """Whoever is there after a stream broke off for a while is somebody else, though no frame came between."""
    tracker = Tracker(10)
    sight = [Sighting(np.array([50, 50, 120, 120]), 0.95, None)]
    for seconds in (0, 0.1, 0.2, 0.3, 1.5):
        found = tracker.update(seconds, sight)
    assert [each.track for each in found] == [1]
    for seconds in (9, 9.1, 9.2, 9.3):
        found = tracker.update(seconds, sight)
    assert [each.track for each in found] == [2] and tracker.ended() == [1]
