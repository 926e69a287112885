"""Whoever comes back is joined by their features, and nobody else is."""

import numpy as np

from mtl_keras.serving.people.visitors import Memory, Visitor


def visitor(track: int, first: float, last: float, angle: float | None, **known) -> Visitor:
    """Return somebody with features at this angle in degrees."""
    features = None if angle is None else np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    return Visitor([track], first, last, seconds=last - first, features=features, **known)


def test_the_most_alike_are_joined_and_who_was_there_at_the_same_time_is_not():
    memory = Memory(0.9)  # less than 26 degrees apart
    assert memory.left(visitor(1, 0, 4, 0, entered=1)) == []
    assert memory.left(visitor(2, 2, 6, 5)) == [], "alike, but both were seen at once"
    assert memory.left(visitor(3, 8, 10, 4, left=1)) == [], "the second, at 1 degree, and not the first at 4"
    assert memory.left(visitor(4, 12, 13, 90)) == []
    assert [each.tracks for each in memory.left(visitor(5, 14, 15, None))] == [[5]], "nothing is known of the face"
    known = {tuple(each.tracks): each for each in memory.forget()}
    assert set(known) == {(1,), (2, 3), (4,)}
    joined = known[2, 3]
    assert (joined.first, joined.last, joined.seconds, joined.left) == (2, 10, 6, 1)
    assert all(each.features is None for each in known.values()), "features are dropped at the end"
    assert memory.forget() == []


def test_memory_is_bounded_and_the_ones_longest_away_are_forgotten():
    memory = Memory(0.99, most=2)
    done = [each.tracks for track in range(5) for each in memory.left(visitor(track, track, track + 0.5, 40 * track))]
    assert done == [[0], [1], [2]]
    memory.left(visitor(7, 7, 8, 120))  # the one of track 3 again, so that 4 is the longest away
    assert [each.tracks for each in memory.left(visitor(8, 9, 9.5, 300))] == [[4]]
