"""Lines count who crosses them, in each direction, and minutes add up to the whole."""

import numpy as np
import pytest

from mtl_keras.serving.people.counts import Counts, Places, check_in_picture, check_places
from mtl_keras.serving.people.sightings import Sighting
from mtl_keras.serving.people.tracks import Tracker


def crossings(places: Places, xs: list[float | None]) -> tuple[int, int, int]:
    """Return how often somebody entered and left who is at these places (None: not seen), and frames in the zone."""
    tracker, entered, left, inside = Tracker(10), 0, 0, 0
    for number, x in enumerate(xs):
        sight = [] if x is None else [Sighting(np.array([x - 20, 40, x + 20, 80]), 0.95, None)]
        tracker.update(number / 10, sight)
        for passing in places.passing(tracker).values():
            entered, left, inside = entered + passing.entered, left + passing.left, inside + passing.in_zone
    return entered, left, inside


ACROSS = [*range(20, 181, 8)]
LINE = (100, 0, 100, 120)


@pytest.mark.parametrize(
    ("line", "xs", "expected"),
    [
        (LINE, ACROSS, (1, 0)),  # to the left of the line's own direction, which is the picture's right
        (LINE, ACROSS[::-1], (0, 1)),
        ((100, 120, 100, 0), ACROSS, (0, 1)),
        (LINE, [*ACROSS, *ACROSS[::-1]], (1, 1)),
        (LINE, [*ACROSS[:13], *[100] * 10, *[98, 104] * 5, *ACROSS[:12][::-1]], (0, 0)),  # stands on it, goes back
        (LINE, [*ACROSS[:7], *[None] * 6, *ACROSS[13:]], (1, 0)),  # not seen while crossing
        (LINE, [*ACROSS[:14], None, *ACROSS[15:]], (1, 0)),  # nor in the frame after it
        ((100, 200, 100, 300), ACROSS, (0, 0)),  # walks past its end
    ],
)
def test_a_line_counts_in_both_directions(line, xs, expected):
    assert crossings(Places(line, None, "CENTER"), xs)[:2] == expected


def test_a_zone_is_where_the_middle_is():
    places = Places(None, (90, 0, 200, 0, 200, 120, 90, 120), "CENTER")
    assert crossings(places, [*range(20, 161, 10), *range(160, 49, -10)])[2] == 16  # of 100 to 160 and back
    feet = Places(None, (90, 0, 200, 0, 200, 70, 90, 70), "BOTTOM_CENTER")
    assert crossings(feet, [120] * 8)[2] == 0


def test_minutes_add_up_also_those_in_which_nobody_came():
    counts, rows = Counts(), []
    for number in range(1000):
        seconds = 0.25 * number
        present = int(seconds < 60)
        rows += counts.add(seconds if number < 500 else seconds + 120, present, number == 0, 0, number == 900)
    rows += counts.rest()
    assert [row["minute"] for row in rows] == list(range(len(rows))) and len(rows) == 7
    assert [row["mean_present"] for row in rows[:2]] == [1, 0] and rows[3]["frames"] == 0
    assert sum(row["frames"] for row in rows) == counts.total.frames == 1000
    assert [sum(row[name] for row in rows) for name in ("new", "left")] == [1, 1]


@pytest.mark.parametrize(
    ("line", "zone", "says"),
    [
        ((1, 2, 3), None, "line 1,2,3: expected X1,Y1,X2,Y2"),
        ((1, 2, 1, 2), None, "two different points"),
        ((1, 2, 3, float("nan")), None, "line 1,2,3,nan"),
        (None, (0, 0, 1, 1), "zone 0,0,1,1: expected .* at least three corners"),
        (None, (0, 0, 1, 1, 2, 2, 3), "at least three corners"),
    ],
)
def test_what_is_no_line_or_zone_is_one_line(line, zone, says, one_line):
    with one_line(says):
        check_places(line, zone)


@pytest.mark.parametrize(
    ("line", "zone", "says"),
    [
        (None, (0, 0, 1e6, 0, 1e6, 1e6), "in the picture or near it; the video has 480 x 270 pixels"),
        (None, (-100, -100, -50, -100, -50, -50), "in the picture or near it"),
        ((1e308, 0, -1e308, 5), None, "line .* in the picture or near it"),
        (None, (0, 0, 10, 10, 20, 20), "has no area"),
    ],
)
def test_what_has_nothing_in_the_picture_is_one_line(line, zone, says, one_line):
    check_in_picture((0, 0, 0, 270), (-20, 0, 500, 0, 500, 300), (480, 270))
    with one_line(says):
        check_in_picture(line, zone, (480, 270))
