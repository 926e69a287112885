"""Eyeglasses: frames of many shapes, colors and thicknesses, with reflections and a shadow on the skin."""

import numpy as np

from mtl_keras.datasets.portrait.canvas import Canvas, curve
from mtl_keras.datasets.portrait.features import EYE_X
from mtl_keras.datasets.portrait.head import Head
from mtl_keras.datasets.portrait.look import Look, mix, shade

# Half width, half height, squareness (2 is an ellipse), how far the outer upper corner is pulled up and out.
SHAPES = {
    "round": (0.27, 0.27, 2.0, 0.0), "oval": (0.30, 0.20, 2.2, 0.0), "rectangle": (0.32, 0.175, 5.0, 0.0),
    "square": (0.31, 0.25, 4.0, 0.0), "wayfarer": (0.32, 0.24, 3.4, 0.05), "cat_eye": (0.31, 0.21, 2.8, 0.11),
    "aviator": (0.32, 0.28, 2.6, -0.03), "panto": (0.29, 0.26, 2.5, 0.02),
}  # fmt: skip
FRAME_COLORS = (
    (22, 20, 24), (22, 20, 24), (58, 36, 26), (104, 62, 34), (140, 28, 40), (36, 52, 96), (196, 160, 96),
    (150, 152, 158), (90, 94, 102), (176, 120, 70), (60, 90, 70), (214, 206, 200),
)  # fmt: skip


def draw_glasses(canvas: Canvas, head: Head, look: Look):
    """Draw a pair of glasses that stands a little off the face, so it shifts against the eyes when the head turns."""
    chance, unit = look.chances("glasses"), head.unit
    half, tall, square, pull = SHAPES[tuple(SHAPES)[int(chance[0] * len(SHAPES))]]
    half, tall = half * (0.96 + 0.12 * chance[1]), tall * (0.92 + 0.20 * chance[2])
    color = FRAME_COLORS[int(chance[3] * len(FRAME_COLORS))]
    kind = "full" if chance[4] < 0.66 else ("half", "browline", "rimless")[int((chance[4] - 0.66) / 0.34 * 2.999)]
    thick = (0.022 + 0.050 * chance[5] ** 1.5) * unit
    if kind == "rimless":
        thick = 0.016 * unit
    x, y = max(EYE_X + 0.02, half + 0.075), 0.055 + 0.05 * (chance[6] - 0.5) + 0.02 * look.old
    depth = head.depth_at(0.0, 0.05) + 0.10

    def place(points) -> np.ndarray:
        points = np.asarray(points, float)
        z = depth - 0.16 * points[:, 0] ** 2  # frames follow the face a little
        return head.pixels(np.column_stack([points, z]))

    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    cosine, sine = np.cos(t), np.sin(t)
    lens_x = half * np.sign(cosine) * np.abs(cosine) ** (2 / square)
    lens_y = tall * np.sign(sine) * np.abs(sine) ** (2 / square)
    corner = np.clip(lens_x / half, 0, 1) * np.clip(-lens_y / tall, 0, 1)
    lens_x, lens_y = lens_x + 0.5 * pull * corner, lens_y - pull * corner
    lens_x = lens_x * (1 - 0.10 * np.clip(lens_y / tall, 0, 1))  # lenses narrow downwards
    lenses = {side: np.stack([side * (x + lens_x), y + lens_y], 1) for side in (-1, 1)}
    ends = {side: np.array((side * (x + half + 0.4 * pull), y - 0.35 * tall - 0.5 * pull)) for side in (-1, 1)}
    draw_arms(canvas, head, color, thick, {side: (*end, depth - 0.16 * end[0] ** 2) for side, end in ends.items()})
    shadow = [(place(lens + (0.0, 0.05)), place(lens * (1, 0.86) + (0, 0.05))) for lens in lenses.values()]
    for outside, inside in shadow:
        ring = np.concatenate([outside, outside[:1], inside[:1], inside[::-1]])
        canvas.soft(look.shadow, [(ring, 0.30 if kind != "rimless" else 0.16)], 0.006)
    tint = mix((255, 255, 255), ((190, 214, 230), (226, 214, 186), (200, 224, 206))[int(chance[7] * 3)], 0.6)
    for lens in lenses.values():
        canvas.fill(place(lens), tint, 0.05 + 0.10 * chance[8])
    draw_reflections(canvas, look, [place(lens) for lens in lenses.values()])
    edge = {"rimless": mix(color, (210, 220, 226), 0.65)}.get(kind, color)
    for lens in lenses.values():
        points = place(lens)
        closed = np.concatenate([points, points[:2]])
        if kind == "full":
            canvas.line(closed, thick, edge)
            canvas.line(place(lens[22:39] + (0, -0.006)), 0.3 * thick, mix(edge, (255, 255, 255), 0.45), 0.7)
        else:
            upper = place(lens[20:] if square > 2.8 else lens[22:39])
            canvas.line(closed, 0.013 * unit, mix(edge, (230, 236, 240), 0.4), 0.75)
            if kind != "rimless":
                canvas.line(upper, max(0.03 * unit, thick) * (1.35 if kind == "browline" else 1.0), edge)
    gap = x - half
    rise = y - (0.30 + 0.25 * chance[9]) * tall
    bridge = place(
        curve(
            [
                (-gap - 0.005, rise + 0.03),
                (-0.4 * gap, rise - 0.02),
                (0.4 * gap, rise - 0.02),
                (gap + 0.005, rise + 0.03),
            ]
        )
    )
    canvas.line(bridge, max(thick, 0.022 * unit), color)
    if chance[0] > 0.75 and kind == "full" and chance[10] < 0.6:  # the double bridge of some aviators
        canvas.line(place([(-gap - 0.06, y - 0.86 * tall), (gap + 0.06, y - 0.86 * tall)]), 0.8 * thick, color)
    for side, end in ends.items():
        hinge = place([(end[0] - side * 0.03, end[1]), (end[0] + side * 0.045, end[1])])
        canvas.line(hinge, max(1.3 * thick, 0.028 * unit), color)
        canvas.disk(hinge[1], 0.012 * unit, (235, 235, 240), 0.7)


def draw_arms(canvas: Canvas, head: Head, color, thick: float, hinges: dict):
    """Draw the arms from the hinges to the ears; the head hides the one on the far side."""
    for side, hinge in hinges.items():
        ear = np.array((side * 1.0, hinge[1] - 0.02, -0.10))
        outward = head.rotation[2] @ (side * 1.0, 0, 0.35)  # towards the viewer or away
        if outward < 0.15:
            continue
        start = np.array((hinge[0] + side * 0.04, hinge[1], hinge[2]))
        bow = np.array((side * 1.02, hinge[1], 0.45 * hinge[2]))
        canvas.line(head.pixels(curve([start, bow, ear])), max(thick, 0.022 * head.unit), shade(color, 0.85))


def draw_reflections(canvas: Canvas, look: Look, lenses: list[np.ndarray]):
    """Draw bright streaks across the lenses of most glasses."""
    chance = look.chances("glasses")
    if chance[11] < 0.2:
        return
    strength = 0.12 + 0.40 * chance[12] ** 2
    first, wide = 22 + int(6 * chance[13]), 2 + int(3 * chance[14])
    for lens in lenses:
        for start, width, share in ((first, wide, 1.0), (first + wide + 2, 1, 0.7)):
            # A streak joins a stretch of the upper rim to a stretch of the lower rim, so it never leaves the lens.
            upper = lens[np.arange(start, start + width + 1) % 40]
            lower = lens[(58 - np.arange(start, start + width + 1) + 8) % 40]
            canvas.fill(np.concatenate([upper, lower[::-1]]), (255, 255, 255), strength * share)
