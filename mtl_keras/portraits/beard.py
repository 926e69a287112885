"""Stubble, moustache, goatee or beard of a drawn man."""

import numpy as np
from PIL import Image

from mtl_keras.portraits.canvas import Canvas, curve
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.look import Look, mix, shade


def draw_beard(canvas: Canvas, head: Head, look: Look, mask: Image.Image):
    """Draw stubble, moustache, goatee or beard on some grown men."""
    chance, lower = look.chances("beard"), head.lower
    if not look.male or look.portrait.age < 17:
        return
    wide, drop = 0.34 + 0.07 * look.muscles.width, lower * (0.80 + 0.10 * look.muscles.opening)
    area = head.face(outline(lower))
    # Stubble looks dark even where the beard would be gray or fair.
    shadow = mix(shade(look.shadow, 0.7), look.beard, 0.3)
    canvas.soft(shadow, [(area, 0.50 + 0.25 * chance[0])], 0.02, mask)
    kind = "none" if chance[1] < 0.15 else ("full", "goatee", "moustache")[int(chance[2] * 3)]
    if kind == "none":
        return
    strands = []
    if kind == "full":
        canvas.soft(look.beard, [(area, 0.86)], 0.010, mask)
        strands = [(x, y) for x in np.linspace(-0.85, 0.85, 30) for y in (0.72, 0.84, 0.96)]
    elif kind == "goatee":
        half = [(-wide - 0.03, drop + 0.05), (-0.28, 1.20 * lower)]
        chin = [*half, (0, 1.27 * lower), *((-x, y) for x, y in half[::-1]), (0.18, drop + 0.17), (-0.18, drop + 0.17)]
        canvas.soft(look.beard, [(head.face(curve(chin, True)), 0.9)], 0.009, mask)
        strands = [(x, y) for x in np.linspace(-0.25, 0.25, 12) for y in (0.98, 1.08)]
    draw_moustache(canvas, head, look, (wide, drop))
    if strands:
        jitter = look.generator("beard", 1).random((len(strands), 3))
        x, y = (np.array(strands) * (1, lower) + jitter[:, :2] * (0.05, 0.08) - (0.025, 0.04)).T
        hairs = head.face(np.stack([x, y, 1.02 * x, y + 0.1], 1).reshape(-1, 2), 0.02)
        for hair, tone in zip(hairs.reshape(-1, 2, 2), jitter[:, 2], strict=True):
            canvas.line(hair, 0.012 * head.unit, shade(look.beard, 0.7 + 0.7 * tone), 0.45)


def outline(lower: float) -> np.ndarray:
    """Return the outline (N, 2) of where a full beard grows: over the cheeks, and along the jaw back."""
    cheek = [
        (-0.93, 0.22),
        (-0.84, 0.52),
        (-0.62, 0.66 * lower),
        (-0.40, 0.64 * lower),
        (-0.16, 0.60 * lower),
        (0, 0.61 * lower),
    ]
    jaw = [(0.95, 0.5), (0.80, 0.95 * lower), (0.42, 1.22 * lower), (0, 1.27 * lower)]
    mirrored = [[(-x, y) for x, y in half[-2::-1]] for half in (cheek, jaw)]
    return curve(np.array(cheek + mirrored[0] + jaw + mirrored[1]), closed=True)


def draw_moustache(canvas: Canvas, head: Head, look: Look, corner: tuple[float, float]):
    """Draw a moustache from the lip down to the corner (x, y) of the mouth on either side."""
    (wide, drop), chance = corner, look.chances("beard")
    top, thick = 0.585 * head.lower - 0.02 * look.muscles.snarl, 0.10 + 0.07 * chance[3]
    moustache = [
        (-wide - 0.04, drop + 0.02),
        (-0.2, top + 0.05),
        (0, top + 0.015),
        (0.2, top + 0.05),
        (wide + 0.04, drop + 0.02),
        (0.16, top + thick),
        (0, top + thick - 0.03),
        (-0.16, top + thick),
    ]
    canvas.soft(look.beard, [(head.face(curve(moustache, True), 0.03), 0.95)], 0.006)
    x = np.linspace(-0.26, 0.26, 14)
    hairs = head.face(np.stack([0.8 * x, 0 * x + top + 0.03, 1.2 * x, 0 * x + top + thick], 1).reshape(-1, 2), 0.04)
    for hair in hairs.reshape(-1, 2, 2):
        canvas.line(hair, 0.012 * head.unit, shade(look.beard, 1.25), 0.5)
