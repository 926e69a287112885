"""Eyeglasses and sunglasses: frames of many shapes, colors and thicknesses, how they sit, and their shadow."""

from dataclasses import dataclass

import numpy as np

from mtl_keras.portraits.canvas import Canvas, curve
from mtl_keras.portraits.features import EYE_X
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.lenses import Glass, choose_glass, draw_glass, draw_reflections
from mtl_keras.portraits.look import Look, mix, shade

SIDES = (-1, 1)
# Half width, half height, squareness (2 is an ellipse), how far the outer upper corner is pulled up and out, and how
# much narrower the lens gets downwards.
SHAPES = {
    "round": (0.28, 0.28, 2.0, 0.0, 0.05), "oval": (0.33, 0.20, 2.2, 0.0, 0.05),
    "rectangle": (0.36, 0.185, 5.0, 0.0, 0.08), "square": (0.35, 0.26, 4.5, 0.0, 0.08),
    "wayfarer": (0.37, 0.25, 3.4, 0.06, 0.16), "cat_eye": (0.36, 0.22, 2.8, 0.12, 0.10),
    "aviator": (0.38, 0.30, 2.7, -0.03, 0.26), "panto": (0.31, 0.27, 2.5, 0.02, 0.14),
    "narrow": (0.34, 0.13, 3.0, 0.0, 0.05), "oversized": (0.41, 0.36, 3.0, 0.03, 0.10),
    "wrap": (0.43, 0.20, 2.9, -0.02, 0.14),
}  # fmt: skip
KINDS = {"full": 0.66, "half": 0.13, "browline": 0.09, "rimless": 0.12}
FRAME_COLORS = (
    (18, 16, 18), (22, 20, 24), (30, 26, 28), (12, 12, 14), (58, 36, 26), (74, 44, 28), (104, 62, 34), (120, 24, 36),
    (36, 52, 96), (176, 142, 86), (150, 152, 158), (90, 94, 102), (128, 126, 124), (150, 100, 60), (60, 90, 70),
    (226, 220, 214),
)  # fmt: skip


@dataclass(frozen=True)
class Spectacles:
    """One pair: shape and kind of frame, its color, how thick it is (in half faces), and what is in it."""

    shape: str
    kind: str
    color: tuple[int, int, int]
    thick: float
    glass: Glass


def choose_glasses(look: Look) -> Spectacles:
    """Choose a pair by chance alone: no label but that of the glasses themselves has a say."""
    chance, glass = look.chances("glasses"), choose_glass(look)
    shape = tuple(SHAPES)[int(chance[0] * len(SHAPES))]
    kind = tuple(KINDS)[int(np.searchsorted(np.cumsum(list(KINDS.values())), min(chance[4], 0.999)))]
    color = FRAME_COLORS[int(chance[3] * len(FRAME_COLORS))]
    thick = 0.032 + 0.08 * chance[5] ** 2
    if kind == "rimless":
        thick = 0.018 + 0.014 * chance[5]
    if kind in ("half", "browline") or shape == "narrow":
        thick = min(thick, 0.06)
    return Spectacles(shape, kind, apart(color, look), thick, glass)


def apart(color: tuple[int, int, int], look: Look) -> tuple[int, int, int]:
    """Return a color that is seen on this skin: one too near to it is made darker, or on dark skin brighter."""
    near = abs(sum(color) / 765 - look.brightness) < 0.30
    return (shade(color, 0.4) if look.brightness > 0.45 else mix(color, (255, 255, 255), 0.6)) if near else color


class Placed:
    """A pair of glasses on a head: the outlines of its lenses, and its points in pixels.

    It stands a little off the face, so it shifts against the eyes when the head turns.
    """

    def __init__(self, pair: Spectacles, head: Head, look: Look):
        chance = look.chances("glasses")
        half, tall, square, pull, narrow = SHAPES[pair.shape]
        size = 0.92 + 0.24 * chance[1]
        self.half, self.tall = half * size, tall * size * (0.88 + 0.26 * chance[2])
        gap = 0.06 + 0.05 * chance[16]
        self.x = max(EYE_X + 0.01, self.half + gap)
        slid = 0.10 + 0.16 * chance[18] if chance[17] < 0.1 else 0.0  # down the nose
        self.y = 0.035 + 0.09 * (chance[6] - 0.5) + 0.02 * look.old + slid
        self.pull, self.head = pull, head
        self.bow = 0.34 if pair.shape == "wrap" else 0.14 + 0.10 * chance[19]
        self.depth = head.depth_at(0.0, 0.05) + 0.10
        self.lean = 0.05 * (chance[20] - 0.5) if chance[21] < 0.3 else 0.0  # worn askew
        t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        cosine, sine = np.cos(t), np.sin(t)
        lens_x = self.half * np.sign(cosine) * np.abs(cosine) ** (2 / square)
        lens_y = self.tall * np.sign(sine) * np.abs(sine) ** (2 / square)
        corner = np.clip(lens_x / self.half, 0, 1) * np.clip(-lens_y / self.tall, 0, 1)
        lens_x, lens_y = lens_x + 0.5 * pull * corner, lens_y - pull * corner
        low = np.clip(lens_y / self.tall, 0, 1)
        # Aviators narrow towards the nose only: they leave room for it, and reach far down the cheek.
        lens_x = lens_x * (1 - narrow * low) + (0.4 * narrow * self.half * low if pair.shape == "aviator" else 0)
        self.lenses = [np.stack([side * (self.x + lens_x), self.y + lens_y], 1) for side in SIDES]

    def pixels(self, points) -> np.ndarray:
        """Return pixels (N, 2) of points (N, 2) on the plane of the frame, which follows the face a little."""
        points = np.asarray(points, float)
        y = points[:, 1] + self.lean * points[:, 0]
        return self.head.pixels(np.column_stack([points[:, 0], y, self.depth - self.bow * points[:, 0] ** 2]))


def draw_glasses(canvas: Canvas, head: Head, look: Look):
    """Draw a pair of glasses: its shadow, the arms, the lenses with what they reflect, and the frame."""
    pair = choose_glasses(look)
    placed = Placed(pair, head, look)
    draw_shadow(canvas, placed, pair, look)
    draw_arms(canvas, placed, pair, look)
    for lens in placed.lenses:
        draw_glass(canvas, placed.pixels, lens, pair.glass)
    draw_reflections(canvas, look, [placed.pixels(lens) for lens in placed.lenses])
    draw_rims(canvas, placed, pair, look)
    draw_bridge(canvas, placed, pair, look)


def draw_shadow(canvas: Canvas, placed: Placed, pair: Spectacles, look: Look):
    """Draw the shadow of frame and lenses on the skin, away from the light."""
    chance = look.chances("lenses")
    strength, drop = 0.25 + 0.45 * chance[12], 0.03 + 0.07 * chance[13]
    shift = np.array((-0.10 * (look.face[9] - 0.5), drop))
    rings = []
    for lens in placed.lenses:
        outside, inside = placed.pixels(lens + shift), placed.pixels(lens * (1, 0.86) + shift)
        rings.append((np.concatenate([outside, outside[:1], inside[:1], inside[::-1]]), strength))
    canvas.soft(look.shadow, rings if pair.kind != "rimless" else [(r, 0.7 * s) for r, s in rings], 0.006)
    if chance[14] < 0.5:  # the side of the frame on the temples
        for side, lens in zip(SIDES, placed.lenses, strict=True):
            end = np.abs(lens[:, 0]).max()
            strip = np.array([(end - 0.08, -0.12), (1.0, -0.10), (1.0, -0.03), (end - 0.08, -0.02)]) + (0, placed.y)
            canvas.soft(look.shadow, [(placed.head.face(strip * (side, 1)), strength)], 0.007)


def draw_rims(canvas: Canvas, placed: Placed, pair: Spectacles, look: Look):
    """Draw what holds the lenses: a full rim, its upper part, a heavy upper part, or the lenses' bare edge."""
    unit, thick = placed.head.unit, pair.thick * placed.head.unit
    shine = 0.3 + 0.6 * look.chances("lenses")[15]
    square = SHAPES[pair.shape][2]
    for lens in placed.lenses:
        points = placed.pixels(lens)
        closed = np.concatenate([points, points[:2]])
        if pair.kind == "full":
            canvas.line(closed, thick, pair.color)
            canvas.line(
                placed.pixels(lens[22:39] + (0, -0.006)), 0.3 * thick, mix(pair.color, (255, 255, 255), 0.45), shine
            )
            continue
        bright = shine > 0.6 or look.brightness < 0.4
        bare = mix(pair.color, (225, 232, 236), 0.7) if bright else mix(look.shadow, (20, 16, 18), 0.6)
        canvas.line(closed, 0.030 * unit, bare, 0.95)
        if pair.kind != "rimless":
            upper = placed.pixels(lens[20:] if square > 2.8 else lens[21:40])
            canvas.line(upper, max(0.03 * unit, thick) * (1.7 if pair.kind == "browline" else 1.0), pair.color)


def draw_bridge(canvas: Canvas, placed: Placed, pair: Spectacles, look: Look):
    """Draw the bridge over the nose, a second one on some aviators, nose pads, and the hinges."""
    chance, unit, thick = look.chances("glasses"), placed.head.unit, pair.thick * placed.head.unit
    gap = placed.x - placed.half
    rise = placed.y - (0.15 + 0.45 * chance[9]) * placed.tall
    arch = 0.02 + 0.05 * chance[10]
    bridge = curve(
        [(-gap - 0.01, rise + 0.03), (-0.4 * gap, rise - arch), (0.4 * gap, rise - arch), (gap + 0.01, rise + 0.03)]
    )
    canvas.line(placed.pixels(bridge), max(thick, 0.036 * unit), pair.color)
    if pair.shape in ("aviator", "square") and chance[10] < 0.6:
        top = placed.y - 0.86 * placed.tall
        canvas.line(placed.pixels([(-gap - 0.06, top), (gap + 0.06, top)]), max(0.8 * thick, 0.02 * unit), pair.color)
    if pair.thick < 0.045:
        for side in SIDES:
            pad = placed.pixels([(side * 0.9 * gap, rise + 0.05), (side * 0.75 * gap, rise + 0.14)])
            canvas.line(pad, 0.02 * unit, mix(pair.color, look.skin, 0.4), 0.8)
    for side, lens in zip(SIDES, placed.lenses, strict=True):
        end = hinge_of(placed, lens, side)
        joint = placed.pixels([(end[0] - side * 0.03, end[1]), (end[0] + side * 0.045, end[1])])
        canvas.line(joint, max(1.3 * thick, 0.045 * unit), pair.color)
        canvas.disk(joint[1], 0.012 * unit, (235, 235, 240), 0.7)


def hinge_of(placed: Placed, lens: np.ndarray, side: int) -> np.ndarray:
    """Return where an arm is fastened to a lens (N, 2): at the outer end of its upper half."""
    upper = lens[lens[:, 1] < placed.y - 0.25 * placed.tall]
    return np.array((side * np.abs(upper[:, 0]).max(), placed.y - 0.4 * placed.tall - 0.4 * placed.pull))


def draw_arms(canvas: Canvas, placed: Placed, pair: Spectacles, look: Look):
    """Draw the arms from the hinges to the ears; the head hides the one on the far side."""
    head, chance = placed.head, look.chances("glasses")
    thick = max(pair.thick * (0.8 + 0.8 * chance[22]), 0.034) * head.unit
    for side, lens in zip(SIDES, placed.lenses, strict=True):
        outward = head.rotation[2] @ (side * 1.0, 0, 0.35)  # towards the viewer or away
        if outward < 0.15:
            continue
        x, y = hinge_of(placed, lens, side)
        y += placed.lean * x
        z = placed.depth - placed.bow * x**2
        start, bow = (x + side * 0.04, y, z), (side * 1.02, 0.8 * y - 0.02, 0.45 * z)
        ear = (side * 1.0, 0.4 * y - 0.06, -0.10)
        canvas.line(head.pixels(curve(np.array([start, bow, ear]))), thick, shade(pair.color, 0.85))
