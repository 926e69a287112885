"""Ears, head, and the shading of the skin."""

import numpy as np
from PIL import Image

from mtl_keras.portraits.canvas import Canvas, curve, ellipse, enlarge, outline
from mtl_keras.portraits.features import nose_lines
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.look import Look, mix

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
