"""What lies around the eyes of anyone: shadows, rings, make-up, wrinkles, and hair that falls over them.

A careless eye takes these for glasses. They fall on faces with and without glasses alike.
"""

import numpy as np
from PIL import Image

from mtl_keras.portraits.canvas import Canvas, curve, ellipse
from mtl_keras.portraits.features import EYE_X
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.look import Look, mix, shade

SIDES = (-1, 1)
HATS = ((24, 24, 28), (60, 64, 84), (150, 40, 44), (206, 204, 200), (84, 72, 58), (34, 30, 34))


def draw_shadows(canvas: Canvas, head: Head, look: Look, mask: Image.Image):
    """Draw rings and bags under the eyes, make-up over them, and wrinkles beside them."""
    chance = look.chances("eye_area")
    rings, bags = 0.75 * max(0.0, chance[3] - 0.4), 0.8 * max(0.0, chance[4] - 0.45)
    shapes = []
    for side in SIDES:
        if rings > 0.04:
            ring = np.array([(0.16, 0.08), (0.38, 0.14), (0.60, 0.06), (0.56, 0.16), (0.38, 0.26), (0.20, 0.18)])
            shapes.append((head.face(curve(ring * (side, 1), True)), rings))
        if bags > 0.04:
            low = 0.20 + 0.08 * chance[5]
            bag = curve([(0.17, 0.10), (0.28, low - 0.02), (0.44, low), (0.60, 0.09)]) * (side, 1)
            shapes.append((head.face(np.concatenate([bag, (bag + (0, 0.045))[::-1]])), bags))
    canvas.soft(mix(look.shadow, (76, 44, 76), 0.3), shapes, 0.009, mask)
    if look.makeup and chance[6] < 0.55:  # painted lids, up to smoky eyes
        color = ((40, 30, 36), (84, 52, 70), (60, 70, 96), (110, 70, 50))[int(4 * chance[7])]
        lids = [head.face(ellipse((side * (EYE_X + 0.03), -0.05), (0.27, 0.13), -side * 0.12)) for side in SIDES]
        canvas.soft(color, [(lid, 0.25 + 0.55 * chance[8] * look.makeup) for lid in lids], 0.012, mask)
    if chance[19] < 0.4:  # folds from the corners of the eye, sharp in hard light
        for side in SIDES:
            inner = curve([(0.17, 0.03), (0.20, 0.13), (0.34, 0.20 + 0.06 * chance[5])]) * (side, 1)
            outer = curve([(0.52, -0.16), (0.66, -0.08), (0.74, 0.04)]) * (side, 1)
            for line in (inner, outer):
                canvas.stroke(head.face(line), 0.03 * head.unit, shade(look.shadow, 0.8), 0.3 + 0.5 * chance[13])
    wrinkled = (0.75 * look.old + 0.3 * chance[9]) * chance[10]
    if wrinkled > 0.12:
        for side in SIDES:
            for end in (-0.16, -0.05, 0.07):
                line = curve([(0.62, 0.02 + 0.2 * end), (0.76, 0.02 + 0.8 * end), (0.90, 0.02 + 1.3 * end)])
                canvas.stroke(head.face(line * (side, 1)), 0.022 * head.unit, look.shadow, min(0.7, wrinkled))


def draw_depth(canvas: Canvas, head: Head, look: Look, mask: Image.Image):
    """Draw the shadow that brows and nose throw onto deep-set eyes in light from above."""
    chance = look.chances("eye_area")
    deep = 0.95 * max(0.0, chance[11] - 0.25)
    if deep < 0.05:
        return
    wide, tall = 0.27 + 0.13 * chance[12], 0.08 + 0.07 * chance[13]
    shapes = [(head.face(ellipse((side * 0.42, -0.09), (wide, tall))), deep) for side in SIDES]
    if chance[14] < 0.4:  # also beside the bridge of the nose
        shapes += [(head.face(ellipse((side * 0.15, -0.10), (0.08, 0.16))), 0.8 * deep) for side in SIDES]
    canvas.soft(shade(look.shadow, 0.6), shapes, 0.006 + 0.016 * chance[15], mask)


def draw_hat(canvas: Canvas, head: Head, look: Look):
    """Draw a cap, a hat or a headband on a few, with the shadow that its brim throws on the forehead."""
    chance = look.chances("eye_area")
    if chance[20] > 0.10:
        return
    color = HATS[int(len(HATS) * chance[21])]
    height = -0.66 + 0.26 * chance[22]
    angle = np.linspace(-1.5, 1.5, 15)
    edge = head.around(angle, height + 0.05 * np.cos(angle), 0.10)
    around = head.silhouette(0.16, above=height)
    up = -head.rotation[:2, 1] * head.unit
    band = np.concatenate([edge, edge[::-1] + (0.32 if chance[23] < 0.3 else 1.6) * up])
    canvas.soft(shade(look.shadow, 0.7), [(np.concatenate([edge - 0.05 * up, edge[::-1] - 0.2 * up]), 0.6)], 0.012)
    if chance[23] >= 0.3:
        canvas.fill(around, color)
    canvas.fill(band, color)
    if chance[23] > 0.6:  # a brim
        brim = np.concatenate([edge[2:-2] + 0.1 * up, (edge[2:-2] - 0.10 * up)[::-1]])
        canvas.fill(brim, shade(color, 0.8))


def draw_stray_hair(canvas: Canvas, head: Head, look: Look):
    """Draw strands that fall over the eyes, and over the rim of glasses, of some people."""
    chance = look.chances("eye_area")
    if chance[16] > 0.16:
        return
    random = look.generator("eye_area", 1).random((2 + int(6 * chance[17]), 5))
    side = -1 if chance[18] < 0.5 else 1
    for start, reach, bend, wide, tone in random:
        top, low = np.array((0.25 + 0.6 * start, -0.85)), -0.1 + 0.9 * reach
        path = [top, top + (0.04 + 0.15 * bend, 0.35), (top[0] + 0.25 * bend - 0.25 * chance[19], low)]
        line = head.face(curve(np.array(path) * (side, 1)), 0.13)
        color = mix(look.hair, (255, 236, 206), 0.2) if tone < 0.3 else shade(look.hair, 0.6 + 0.4 * tone)
        canvas.stroke(line, (0.02 + 0.07 * wide**2) * head.unit, color, 0.85, "end")
