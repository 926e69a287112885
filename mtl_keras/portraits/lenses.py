"""The glass of eyeglasses: clear, tinted or dark as in sunglasses, with what it reflects."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mtl_keras.portraits.canvas import Canvas, ellipse
from mtl_keras.portraits.look import Look, mix, shade

CLEAR = ((190, 214, 230), (226, 214, 186), (200, 224, 206))
TINTS = (
    (14, 13, 16), (20, 18, 22), (28, 24, 26), (46, 30, 22), (70, 42, 26), (34, 44, 40), (24, 30, 52), (96, 60, 44),
    (60, 40, 70), (120, 90, 50), (52, 64, 84), (110, 40, 40),
)  # fmt: skip
SLICES = 5


@dataclass(frozen=True)
class Glass:
    """A color, and how much it hides at the top and at the bottom of the lens, 0 to 1."""

    color: tuple[int, int, int]
    top: float
    bottom: float

    @property
    def dark(self) -> bool:
        """Whether these are sunglasses."""
        return max(self.top, self.bottom) > 0.5


def choose_glass(look: Look) -> Glass:
    """Choose clear glass for most, and for the others a tint or the dark of sunglasses, even or paler downwards."""
    chance = look.chances("lenses")
    if chance[0] > 0.42:
        opacity = 0.02 + 0.12 * chance[1]
        return Glass(mix((255, 255, 255), CLEAR[int(chance[2] * len(CLEAR))], 0.6), opacity, opacity)
    color = TINTS[int(chance[2] ** 1.6 * len(TINTS))]
    top = 0.30 + 0.4 * chance[1] if chance[3] < 0.16 else 0.72 + 0.28 * chance[1]
    return Glass(color, top, top * (0.35 + 0.5 * chance[5]) if chance[4] < 0.35 else top)


def draw_glass(canvas: Canvas, place: Callable, lens: np.ndarray, glass: Glass):
    """Fill a lens (N, 2), which `place` turns into pixels: from the bottom up in slices if it is paler there."""
    if glass.bottom >= glass.top:
        canvas.fill(place(lens), glass.color, glass.top)
        return
    canvas.fill(place(lens), glass.color, glass.bottom)
    low, high = lens[:, 1].max(), lens[:, 1].min()
    # Each slice hides a share of what shows through those below it, so that the top ends up as dark as it should.
    share = 1 - ((1 - min(glass.top, 0.99)) / (1 - glass.bottom)) ** (1 / SLICES)
    for level in np.linspace(low, high, SLICES + 2)[1:-1]:
        cut = np.column_stack([lens[:, 0], np.minimum(lens[:, 1], level)])
        canvas.fill(place(cut), glass.color, share)


def draw_reflections(canvas: Canvas, look: Look, lenses: list[np.ndarray]):
    """Draw what lenses (40, 2) in pixels mirror: streaks, lamps, the horizon, or a glare that hides the eye."""
    chance = look.chances("lenses")
    dark = choose_glass(look).dark
    tone = mix((255, 255, 255), (150, 180, 214), chance[16])
    if chance[6] < 0.55:
        strength = 0.10 + 0.4 * chance[7] ** 2
        first, wide = 22 + int(6 * chance[8]), 2 + int(4 * chance[9])
        for lens in lenses:
            for start, width, share in ((first, wide, 1.0), (first + wide + 2, 1, 0.7)):
                # A streak joins a stretch of the upper rim to one of the lower rim, so it never leaves the lens.
                upper = lens[np.arange(start, start + width + 1) % 40]
                lower = lens[(58 - np.arange(start, start + width + 1) + 8) % 40]
                canvas.fill(np.concatenate([upper, lower[::-1]]), tone, strength * share)
    if chance[10] < (0.35 if dark else 0.12):  # the lit half of a horizon: sky above, or ground below
        rows = np.arange(20, 41) % 40 if chance[11] < 0.6 else np.arange(0, 21)
        for lens in lenses:
            canvas.fill(lens[rows], shade(tone, 0.5 + 0.5 * chance[17]), 0.15 + 0.4 * chance[18])
    if chance[19] < 0.09:  # glare
        for lens in lenses:
            middle = lens.mean(axis=0)
            canvas.soft(tone, [(middle + (lens - middle) * (0.5 + 0.5 * chance[20]), 0.2 + 0.4 * chance[21])], 0.012)
    if chance[22] < 0.4:  # a lamp, at the same place of both lenses
        for lens in lenses:
            middle, size = lens.mean(axis=0), np.ptp(lens, axis=0)
            spot = middle + size * (0.5 * (chance[23] - 0.5), -0.25 + 0.3 * (chance[20] - 0.5))
            canvas.fill(ellipse(spot, size * (0.05 + 0.08 * chance[21], 0.05 + 0.09 * chance[18])), tone, 0.85)
