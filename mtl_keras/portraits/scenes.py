"""Drawn scenes whose truth is known, easy and hard ones, on which counting people is measured."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mtl_keras.portraits.look import Portrait
from mtl_keras.portraits.moving import Scene, Stop, Walker
from mtl_keras.portraits.writer import sample_portraits

WIDTH, HEIGHT = 480, 270
# A line across the picture from top to bottom: whoever walks to the right has entered.
LINE = (WIDTH / 2, 0, WIDTH / 2, HEIGHT)
# The right third of the picture, before the counter.
ZONE = (320, 0, WIDTH - 1, 0, WIDTH - 1, HEIGHT - 1, 320, HEIGHT - 1)


@dataclass(frozen=True)
class Known:
    """A scene and what is true of it: how many people there are, and how many cross `LINE` in each direction."""

    scene: Scene
    visitors: int
    entered: int
    left: int


def across(portrait: Portrait, start: float, end: float, y: float, side: float, to_right: bool = True) -> Walker:
    """Return somebody who walks through the whole picture at the height y between two times."""
    ends = (-0.5 * side, WIDTH + 0.5 * side) if to_right else (WIDTH + 0.5 * side, -0.5 * side)
    return Walker(portrait, (Stop(start, ends[0], y, side), Stop(end, ends[1], y, side)))


def faces(count: int, seed: int) -> list[Portrait]:
    """Return made-up people who look more or less into the camera, adults each, so that all differ."""
    people = sample_portraits(count, seed)
    return [replace(each, age=max(18, each.age), yaw=each.yaw / 3, roll=each.roll / 2) for each in people]


def one_by_one(seed: int = 0) -> Known:
    """Three people walk by one after the other, one of them to the left."""
    a, b, c = faces(3, seed)
    walkers = (across(a, 0, 4, 130, 70), across(b, 4, 8, 110, 50, to_right=False), across(c, 7, 11, 150, 90))
    return Known(Scene(walkers, 11), 3, 2, 1)


def at_the_counter(seed: int = 0) -> Known:
    """One waits at the counter, one comes, waits there for four seconds and goes, one stays far from it."""
    a, b, c = faces(3, seed)
    comes = (Stop(0, 40, 160, 70), Stop(3, 400, 160, 70), Stop(7, 400, 160, 70), Stop(10, 40, 160, 70))
    waits = Walker(a, (Stop(0, 350, 60, 40), Stop(10, 350, 60, 40)))
    far = Walker(c, (Stop(0, 180, 50, 36), Stop(10, 180, 50, 36)))
    return Known(Scene((waits, Walker(b, comes), far), 10), 3, 1, 1)


def crossing(seed: int = 0) -> Known:
    """Four people walk past each other in pairs; the nearer one of each pair hides the other for a moment."""
    a, b, c, d = faces(4, seed)
    walkers = (across(a, 0, 6, 110, 50), across(b, 0.5, 6, 120, 80, False), across(c, 3, 9, 105, 46, False))
    return Known(Scene((*walkers, across(d, 3, 8, 130, 90)), 9), 4, 2, 2)


def hiding(seed: int = 0) -> Known:
    """Two stand still, and others stop before them for a second or two, so that they are hidden."""
    a, b, c, d = faces(4, seed)
    back = [Walker(each, (Stop(0, x, 105, 44), Stop(12, x, 105, 44))) for each, x in ((a, 140), (b, 340))]
    stops = ((0, -50), (2, 140), (3.2, 140), (6, 340), (8, 340), (10, 530))
    long = tuple(Stop(seconds, x, 125, 92) for seconds, x in stops)
    return Known(Scene((*back, Walker(c, long), across(d, 6, 12, 120, 70, False)), 12), 4, 1, 1)


def coming_back(seed: int = 0) -> Known:
    """Two leave the picture and come back some seconds later; somebody else walks by between."""
    a, b, c = faces(3, seed)
    again = (across(a, 8, 12, 120, 72, False), across(b, 10, 14, 120, 60))
    return Known(
        Scene((across(a, 0, 4, 120, 72), across(b, 2.5, 6, 120, 60, False), across(c, 5, 9, 130, 80), *again), 14),
        3,
        3,
        2,
    )


def crowd(seed: int = 0) -> Known:
    """Ten people of all sizes walk in both directions within twelve seconds and hide each other again and again."""
    random, walkers, entered = np.random.default_rng(seed), [], 0
    for portrait in faces(10, seed):
        side, to_right = random.uniform(36, 80), bool(random.integers(2))
        start = random.uniform(0, 6)
        walkers.append(across(portrait, start, start + random.uniform(4, 6), 80 + 0.7 * side, side, to_right))
        entered += to_right
    return Known(Scene(tuple(walkers), 12), 10, entered, 10 - entered)


SIMPLE: dict[str, Callable[[int], Known]] = {"one by one": one_by_one, "at the counter": at_the_counter}
HARD: dict[str, Callable[[int], Known]] = {
    "crossing": crossing,
    "hiding": hiding,
    "coming back": coming_back,
    "crowd": crowd,
}
SCENES = {**SIMPLE, **HARD}
