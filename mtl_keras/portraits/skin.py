"""Ears, head, the shading of the skin, the marks of age, and beards."""

import numpy as np
from PIL import Image

from mtl_keras.portraits.canvas import Canvas, curve, ellipse, enlarge, outline
from mtl_keras.portraits.features import nose_lines
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.look import Look, mix, shade

SIDES = (-1, 1)
SMALL = 5  # how much smaller the broad shading is painted


def draw_ear(canvas: Canvas, head: Head, look: Look, side: int):
    """Draw one ear; before the head, which hides a far one, or after it."""
    size = 1 + 0.12 * look.old + 0.05 * look.masculine
    shape = [(0.96, -0.10), (1.06, -0.20), (1.15, -0.12), (1.13, 0.10), (1.07, 0.30), (0.99, 0.38), (0.95, 0.28)]
    rows = np.array(shape)
    depth = -0.12 - 0.25 * (rows[:, 0] - 0.95)
    points = np.stack([side * rows[:, 0], 0.06 + (rows[:, 1] - 0.06) * size, depth], axis=1)
    ear = head.pixels(curve(points, closed=True))
    canvas.fill(ear, mix(look.skin, look.shadow, 0.18))
    inner = curve([(1.02, -0.06), (1.09, -0.09), (1.08, 0.06), (1.03, 0.18)])
    inner = np.stack([side * inner[:, 0], inner[:, 1], np.full(len(inner), -0.12)], axis=1)
    canvas.stroke(head.pixels(inner), 0.05 * head.unit, look.shadow, 0.45)
    chance = look.chances("skin")
    if not look.male and chance[19] < 0.4 and look.portrait.age > 4:
        gold = ((226, 190, 110), (214, 216, 222), (190, 60, 80))[int(chance[18] * 3)]
        drop = head.pixels(np.array([(side * 1.03, 0.42, -0.12)]))[0]
        canvas.disk(drop, 0.045 * head.unit, gold)
        canvas.disk(drop - 0.012 * head.unit, 0.016 * head.unit, (255, 255, 255), 0.8)


def draw_head(canvas: Canvas, head: Head, look: Look) -> Image.Image:
    """Draw the head with broad shading, and return the mask of the face."""
    face, nose = (
        head.edge,
        outline(np.concatenate([head.face(line, out) for line, out in nose_lines(head, look)])),
    )
    mask = canvas.mask([face, nose])
    # All of this is soft, so it is painted on a small picture and enlarged.
    width, height = canvas.image.size
    small = Canvas(Image.new("RGB", (width // SMALL, height // SMALL), look.skin), canvas.side // SMALL)
    for color, shapes, blur in (rim(head, look, face), glow(head, look), blush(head, look), sockets(head, look)):
        small.soft(color, [(points / SMALL, opacity) for points, opacity in shapes], blur)
    skin = enlarge(small.image, canvas.image.size)
    canvas.image.paste(skin, (0, 0), mask)
    return mask


def rim(head: Head, look: Look, face: np.ndarray) -> tuple:
    """Roundness: what is near the edge of the face and away from the light lies in shadow."""
    light = toward_light(head, look)
    center = face.mean(axis=0)
    outside, inside = 1.6 * (face - center) + center, 0.93 * (face - center) + center + 0.35 * light
    ring = np.concatenate([outside, outside[:1], inside[:1], inside[::-1]])
    return look.shadow, [(ring, 0.62)], 0.05


def glow(head: Head, look: Look) -> tuple:
    """Light on forehead, cheekbones and chin."""
    unit, light = head.unit, 0.25 * toward_light(head, look)
    spots = head.face([(0, -0.62), (-0.52, 0.30), (0.52, 0.30), (0, 1.08 * head.lower)])
    sizes = ((0.45, 0.22), (0.22, 0.15), (0.22, 0.15), (0.14, 0.08))
    shapes = [
        (ellipse(spot + light, (wide * unit, tall * unit)), 0.38)
        for spot, (wide, tall) in zip(spots, sizes, strict=True)
    ]
    return look.glow, shapes, 0.035


def toward_light(head: Head, look: Look) -> np.ndarray:
    """Return the way to the light on the canvas, in pixels: above, and to one side."""
    return np.array([look.face[9] - 0.5, -0.35]) * 0.5 * head.unit


def blush(head: Head, look: Look) -> tuple:
    """Color of the cheeks: more on children, with make-up, and raised by a smile."""
    muscles, unit = look.muscles, head.unit
    rosy = (
        0.10 + 0.20 * look.chances("skin")[0] + 0.18 * look.child + 0.2 * look.makeup + 0.12 * max(0.0, muscles.cheek)
    )
    height = 0.44 * head.lower - 0.07 * muscles.cheek
    shapes = [
        (ellipse(spot, (0.25 * unit, 0.18 * unit)), rosy) for spot in head.face([(-0.56, height), (0.56, height)])
    ]
    return mix(look.skin, (226, 84, 84), 0.55), shapes, 0.035


def sockets(head: Head, look: Look) -> tuple:
    """Shadow around the eyes, in hollow cheeks, and under the lower lip."""
    chance = look.chances("skin")
    tired = 0.10 + 0.20 * chance[1] + 0.14 * look.old - 0.08 * look.child
    hollow = 0.28 * look.old + 0.18 * chance[2] * (1 - look.child)
    shapes = [(head.face(ellipse((0, 1.02 * head.lower), (0.2, 0.05))), 0.30)]
    for side in SIDES:
        shapes.append((head.face(ellipse((side * 0.38, -0.06), (0.27, 0.16))), tired + 0.12))
        shapes.append((head.face(ellipse((side * 0.14, -0.06), (0.08, 0.16))), tired + 0.14))
        shapes.append((head.face(ellipse((side * 0.70, 0.62), (0.13, 0.26), side * 0.5)), hollow))
    return look.shadow, shapes, 0.022


def draw_age(canvas: Canvas, head: Head, look: Look, mask: Image.Image):
    """Draw what the years leave: folds, furrows, bags, crow's feet, spots; and the folds that expressions make."""
    muscles, unit, lower, old = look.muscles, head.unit, head.lower, look.old
    chance = look.chances("skin")
    depth = 0.85 + 0.4 * chance[4]
    folds = []

    def fold(points, width, opacity, side=1):
        if opacity > 0.04:
            points = curve(np.asarray(points) * (side, 1))
            folds.append((np.concatenate([points, (points + (0.05 * side, 0.03))[::-1]]), width * unit, opacity))

    forehead = depth * (0.62 * old + 0.35 * max(0.0, muscles.brow_height) * (1 - look.child))
    for row, height in enumerate((-0.78, -0.66, -0.54)):
        bend, reach = 0.03 * (chance[5 + row] - 0.5), 0.46 - 0.05 * row
        points = [
            (-reach, height + 0.02),
            (-0.22, height - 0.02 + bend),
            (0, height + 0.01),
            (0.22, height - 0.02 - bend),
            (reach, height + 0.02),
        ]
        fold(points, 0.022, forehead * (0.8 + 0.3 * chance[8 + row]))
    frown = depth * (0.35 * old + 0.6 * max(0.0, -muscles.brow_inner)) * (1 - 0.6 * look.child)
    cheek = max(0.0, muscles.cheek)
    nasolabial = depth * (0.06 + 0.58 * old + 0.32 * cheek + 0.3 * max(0.0, muscles.snarl)) * (1 - 0.7 * look.child)
    wide = 0.05 * muscles.width
    for side in SIDES:
        fold([(0.075, -0.34), (0.06, -0.26), (0.075, -0.16)], 0.022, frown, side)
        nose = 0.47 * lower
        fold(
            [(0.21, nose - 0.03), (0.30, nose + 0.08), (0.38 + wide, nose + 0.24), (0.40 + wide, nose + 0.38)],
            0.035,
            nasolabial,
            side,
        )
        fold(
            [(0.33 + wide, 0.88 * lower), (0.36 + wide, 0.96 * lower), (0.36, 1.05 * lower)],
            0.028,
            depth * (0.6 * old - 0.12),
            side,
        )
        bag = depth * (0.62 * old - 0.05 + 0.25 * max(0.0, muscles.lower_lid))
        fold([(0.20, 0.11), (0.32, 0.185), (0.46, 0.18), (0.57, 0.10)], 0.026, bag, side)
        fold([(0.26, 0.20), (0.40, 0.27), (0.56, 0.24)], 0.020, depth * (0.6 * old - 0.3), side)
        feet = depth * (0.62 * old - 0.06 + 0.16 * cheek * (1 - look.child))
        for end in (-0.11, 0.01, 0.12):
            fold([(0.64, 0.02 + 0.3 * end), (0.71, 0.02 + 0.7 * end), (0.79, 0.02 + 1.1 * end)], 0.018, feet, side)
        fold([(0.07, 0.17), (0.10, 0.12), (0.15, 0.09)], 0.02, 0.5 * muscles.nose_wrinkle, side)
        fold([(0.58, 0.42), (0.64, 0.60), (0.62, 0.80)], 0.02, depth * (0.9 * old - 0.55), side)
        for x in (0.06, 0.14):  # lines of the upper lip
            fold([(x, 0.66 * lower), (x * 1.05, 0.71 * lower)], 0.014, depth * (0.9 * old - 0.58), side)
    fold([(-0.07, 0.10), (0, 0.12), (0.07, 0.10)], 0.02, 0.55 * muscles.nose_wrinkle)
    fold([(-0.07, 0.03), (0, 0.05), (0.07, 0.03)], 0.018, 0.5 * muscles.nose_wrinkle)
    draw_spots(canvas, head, look)
    if not folds:
        return
    cuts = np.cumsum([len(points) for points, _, _ in folds])[:-1]
    placed = np.split(head.face(np.concatenate([points for points, _, _ in folds])), cuts)
    soft = [(points, min(0.5, 0.7 * opacity)) for points, (_, _, opacity) in zip(placed, folds, strict=True)]
    canvas.soft(look.shadow, soft, 0.009, mask)
    for points, (_, width, opacity) in zip(placed, folds, strict=True):
        if opacity > 0.12:
            canvas.stroke(points[: len(points) // 2], width, shade(look.shadow, 0.92), min(0.62, opacity - 0.08))


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


def draw_beard(canvas: Canvas, head: Head, look: Look, mask: Image.Image):
    """Draw stubble, moustache, goatee or beard on some grown men."""
    chance, unit, lower = look.chances("beard"), head.unit, head.lower
    if not look.male or look.portrait.age < 17:
        return
    wide = 0.34 + 0.07 * look.muscles.width
    drop = lower * (0.80 + 0.10 * look.muscles.opening)
    cheeks = [
        (-0.93, 0.22),
        (-0.84, 0.52),
        (-0.62, 0.66 * lower),
        (-0.40, 0.64 * lower),
        (-0.16, 0.60 * lower),
        (0, 0.61 * lower),
    ]
    cheeks = np.array(cheeks + [(-x, y) for x, y in cheeks[-2::-1]])
    jaw = np.array(
        [
            (0.95, 0.5),
            (0.80, 0.95 * lower),
            (0.42, 1.22 * lower),
            (0, 1.27 * lower),
            (-0.42, 1.22 * lower),
            (-0.80, 0.95 * lower),
            (-0.95, 0.5),
        ]
    )
    area = head.face(curve(np.concatenate([cheeks, jaw]), closed=True))
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
        chin = [
            (-wide - 0.03, drop + 0.05),
            (-0.28, 1.20 * lower),
            (0, 1.27 * lower),
            (0.28, 1.20 * lower),
            (wide + 0.03, drop + 0.05),
            (0.18, drop + 0.17),
            (-0.18, drop + 0.17),
        ]
        canvas.soft(look.beard, [(head.face(curve(chin, True)), 0.9)], 0.009, mask)
        strands = [(x, y) for x in np.linspace(-0.25, 0.25, 12) for y in (0.98, 1.08)]
    top, thick = 0.585 * lower - 0.02 * look.muscles.snarl, 0.10 + 0.07 * chance[3]
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
        canvas.line(hair, 0.012 * unit, shade(look.beard, 1.25), 0.5)
    if strands:
        jitter = look.generator("beard", 1).random((len(strands), 3))
        x, y = (np.array(strands) * (1, lower) + jitter[:, :2] * (0.05, 0.08) - (0.025, 0.04)).T
        hairs = head.face(np.stack([x, y, 1.02 * x, y + 0.1], 1).reshape(-1, 2), 0.02)
        for hair, tone in zip(hairs.reshape(-1, 2, 2), jitter[:, 2], strict=True):
            canvas.line(hair, 0.012 * unit, shade(look.beard, 0.7 + 0.7 * tone), 0.45)
