"""What the years and expressions leave on a drawn skin: folds, furrows, bags, crow's feet, spots."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from mtl_keras.portraits.canvas import Canvas, curve
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.look import Look, mix, shade

SIDES = (-1, 1)
FAINTEST = 0.04  # a fold of this opacity or less is left out


class Fold(NamedTuple):
    """A fold of the skin: its outline (N, 2) in units of the face, the width of its line, and its opacity."""

    points: np.ndarray
    width: float
    opacity: float


def draw_age(canvas: Canvas, head: Head, look: Look, mask: Image.Image):
    """Draw what the years leave: folds, furrows, bags, crow's feet, spots; and the folds that expressions make."""
    depth, muscles = 0.85 + 0.4 * look.chances("skin")[4], look.muscles
    folds = forehead_folds(look, depth)
    for side in SIDES:
        folds += nose_folds(look, depth, head.lower, side) + eye_folds(look, depth, side)
        folds += mouth_folds(look, depth, head.lower, side)
    folds += [
        fold([(-0.07, 0.10), (0, 0.12), (0.07, 0.10)], 0.02, 0.55 * muscles.nose_wrinkle),
        fold([(-0.07, 0.03), (0, 0.05), (0.07, 0.03)], 0.018, 0.5 * muscles.nose_wrinkle),
    ]
    folds = [each for each in folds if each.opacity > FAINTEST]
    draw_spots(canvas, head, look)
    if not folds:
        return
    cuts = np.cumsum([len(points) for points, _, _ in folds])[:-1]
    placed = np.split(head.face(np.concatenate([points for points, _, _ in folds])), cuts)
    soft = [(points, min(0.5, 0.7 * opacity)) for points, (_, _, opacity) in zip(placed, folds, strict=True)]
    canvas.soft(look.shadow, soft, 0.009, mask)
    for points, (_, width, opacity) in zip(placed, folds, strict=True):
        if opacity > 0.12:
            line = points[: len(points) // 2]
            canvas.stroke(line, width * head.unit, shade(look.shadow, 0.92), min(0.62, opacity - 0.08))


def fold(points: list[tuple[float, float]], width: float, opacity: float, side: int = 1) -> Fold:
    """Return a fold along these points of the right half of the face, or mirrored."""
    line = curve(np.asarray(points) * (side, 1))
    return Fold(np.concatenate([line, (line + (0.05 * side, 0.03))[::-1]]), width, opacity)


def forehead_folds(look: Look, depth: float) -> list[Fold]:
    """Return the furrows across the forehead."""
    chance, folds = look.chances("skin"), []
    forehead = depth * (0.62 * look.old + 0.35 * max(0.0, look.muscles.brow_height) * (1 - look.child))
    for row, height in enumerate((-0.78, -0.66, -0.54)):
        bend, reach = 0.03 * (chance[5 + row] - 0.5), 0.46 - 0.05 * row
        points = [
            (-reach, height + 0.02),
            (-0.22, height - 0.02 + bend),
            (0, height + 0.01),
            (0.22, height - 0.02 - bend),
            (reach, height + 0.02),
        ]
        folds.append(fold(points, 0.022, forehead * (0.8 + 0.3 * chance[8 + row])))
    return folds


def nose_folds(look: Look, depth: float, lower: float, side: int) -> list[Fold]:
    """Return one side's frown above the nose, and the folds from the nose to the corner of the mouth and below it."""
    muscles, old, wide, nose = look.muscles, look.old, 0.05 * look.muscles.width, 0.47 * lower
    frown = depth * (0.35 * old + 0.6 * max(0.0, -muscles.brow_inner)) * (1 - 0.6 * look.child)
    cheek = max(0.0, muscles.cheek)
    nasolabial = depth * (0.06 + 0.58 * old + 0.32 * cheek + 0.3 * max(0.0, muscles.snarl)) * (1 - 0.7 * look.child)
    beside = [(0.21, nose - 0.03), (0.30, nose + 0.08), (0.38 + wide, nose + 0.24), (0.40 + wide, nose + 0.38)]
    below = [(0.33 + wide, 0.88 * lower), (0.36 + wide, 0.96 * lower), (0.36, 1.05 * lower)]
    return [
        fold([(0.075, -0.34), (0.06, -0.26), (0.075, -0.16)], 0.022, frown, side),
        fold(beside, 0.035, nasolabial, side),
        fold(below, 0.028, depth * (0.6 * old - 0.12), side),
    ]


def eye_folds(look: Look, depth: float, side: int) -> list[Fold]:
    """Return one side's bags below the eye and crow's feet beside it."""
    muscles, old = look.muscles, look.old
    bag = depth * (0.62 * old - 0.05 + 0.25 * max(0.0, muscles.lower_lid))
    feet = depth * (0.62 * old - 0.06 + 0.16 * max(0.0, muscles.cheek) * (1 - look.child))
    ends = (-0.11, 0.01, 0.12)
    return [
        fold([(0.20, 0.11), (0.32, 0.185), (0.46, 0.18), (0.57, 0.10)], 0.026, bag, side),
        fold([(0.26, 0.20), (0.40, 0.27), (0.56, 0.24)], 0.020, depth * (0.6 * old - 0.3), side),
        *(
            fold([(0.64, 0.02 + 0.3 * end), (0.71, 0.02 + 0.7 * end), (0.79, 0.02 + 1.1 * end)], 0.018, feet, side)
            for end in ends
        ),
    ]


def mouth_folds(look: Look, depth: float, lower: float, side: int) -> list[Fold]:
    """Return one side's wrinkles of the nose, hollow of the cheek, and lines of the upper lip."""
    lines = depth * (0.9 * look.old - 0.58)
    return [
        fold([(0.07, 0.17), (0.10, 0.12), (0.15, 0.09)], 0.02, 0.5 * look.muscles.nose_wrinkle, side),
        fold([(0.58, 0.42), (0.64, 0.60), (0.62, 0.80)], 0.02, depth * (0.9 * look.old - 0.55), side),
        *(fold([(x, 0.66 * lower), (x * 1.05, 0.71 * lower)], 0.014, lines, side) for x in (0.06, 0.14)),
    ]


def draw_spots(canvas: Canvas, head: Head, look: Look):
    """Scatter freckles on some young faces and age spots on old ones."""
    points = look.generator("skin", 1).random((60, 3))
    freckled = look.brightness > 0.66 and look.chances("skin")[20] < 0.16 and look.portrait.age < 60
    count = 40 if freckled else int(26 * max(0.0, look.old - 0.45))
    color = mix(look.skin, (150, 84, 50), 0.55 if freckled else 0.45)
    for x, y, size in points[:count]:
        where = (1.3 * (x - 0.5), 0.12 + 0.42 * y) if freckled else (1.5 * (x - 0.5), -0.9 + 1.7 * y)
        if abs(where[0]) > 0.3 or abs(where[1]) > 0.16:  # not in the eyes' middle
            canvas.disk(head.face([where])[0], (0.008 + 0.014 * size) * head.unit, color, 0.35)
