"""What surrounds the face: background, neck and clothes; and the frame of the picture."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from mtl_keras.errors import UserError
from mtl_keras.portraits.canvas import Canvas, curve, enlarge
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.look import Look, mix, shade

WALLS = (
    (206, 214, 222), (232, 222, 206), (120, 140, 160), (88, 110, 92), (176, 144, 120), (64, 70, 86), (150, 178, 200),
    (236, 236, 238), (108, 84, 76), (196, 168, 176), (42, 44, 50), (122, 160, 130),
)  # fmt: skip
CLOTHES = (
    (44, 56, 88), (160, 40, 52), (240, 240, 242), (60, 60, 64), (72, 110, 88), (214, 170, 80), (120, 160, 200),
    (226, 150, 160), (98, 76, 120), (206, 110, 66), (28, 30, 36), (188, 196, 186),
)  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """What a picture shows: its `width` and `height` in pixels, and where in it the face lies.

    The face fills a square of `side` pixels as it fills the aligned chips of UTKFace; the square's upper left corner is
    at (`left`, `top`), and body and background go on around it. `rows` is the height before the picture is stretched or
    squeezed to `height`, by default the same; `side`, `left` and `top` are pixels of before.
    """

    width: int
    height: int
    side: int
    left: int = 0
    top: int = 0
    rows: int = 0

    def __post_init__(self):
        if not self.rows:
            object.__setattr__(self, "rows", self.height)  # as frozen dataclasses fill a default in
        if min(self.side, self.width, self.height) < 16 or max(self.width, self.height, self.rows) > 1024:
            raise UserError(
                f"render: a face of {self.side} in a picture of {self.width} x {self.height} pixels is out of range; "
                "expected 16 to 1024 pixels for both"
            )


def background(look: Look, shape: tuple[int, int]) -> Image.Image:
    """Return a wall in soft light, a studio backdrop, or out-of-focus lights and greenery.

    `shape` is its width and height in pixels.
    """
    chance = look.chances("background")
    wall = np.array(WALLS[int(chance[0] * len(WALLS))], float)
    second = np.array(WALLS[int(chance[1] * len(WALLS))], float)
    y, x = np.mgrid[0:24, 0:24] / 23.0 - 0.5
    kind = int(chance[2] * 3)
    if kind == 0:  # an even wall, brighter towards the light
        share = np.clip(0.5 + (chance[3] - 0.5) * 1.4 * x + (chance[4] - 0.5) * 1.4 * y, 0, 1)
    elif kind == 1:  # a backdrop with a halo
        share = np.clip(1.9 * np.hypot(x, y + 0.1) - 0.1, 0, 1)
    else:  # blurred things
        generator = look.generator("background", 1)
        spots = generator.random((10, 4))
        share = np.zeros_like(x)
        for a, b, size, weight in spots:
            share += (1.6 * weight - 0.5) * np.exp(-((x - a + 0.5) ** 2 + (y - b + 0.5) ** 2) / (0.004 + 0.03 * size))
        share = np.clip(share, -0.3, 1)
    colors = wall + (second * 0.6 + wall * 0.1 - wall * 0.3) * share[..., None] * 0.6
    small = Image.fromarray(np.clip(colors, 0, 255).astype(np.uint8))
    return enlarge(small.resize((shape[0] // 6, shape[1] // 6), Image.Resampling.BICUBIC), shape)


def draw_body(canvas: Canvas, head: Head, look: Look):
    """Draw neck, shoulders and collar; they stay upright while the head turns."""
    chance, unit = look.chances("background"), head.unit
    neck_width = 0.52 + 0.09 * look.masculine - 0.12 * look.child
    throat = head.pixels(np.array([(0, 0.75 * head.lower, -0.25)]))[0]
    base = np.array([0.35 * throat[0] + 0.65 * (head.corner[0] + head.side / 2), throat[1] + 0.75 * unit])
    dip = (0.16 + 0.25 * chance[6]) * unit
    spine = curve([throat, 0.5 * (throat + base), base, base + (0, 0.12 * unit)])
    half = curve(np.array([(1.0, 0), (0.98, 0), (1.25, 0), (2.2, 0)])) * neck_width * unit
    neck = np.concatenate([spine - half, [base + (0, dip + 0.2 * unit)], (spine + half)[::-1]])
    canvas.fill(neck, mix(look.skin, look.shadow, 0.22))
    cloth = CLOTHES[int(chance[5] * len(CLOTHES))]
    wide = (1.75 - 0.25 * look.child + 0.2 * look.masculine) * unit
    shoulder = np.array([(0.52 * unit, 0.02 * unit), (0.75 * unit, 0), (wide, 0.30 * unit), (2 * wide, 1.4 * unit)])
    body = np.concatenate([shoulder[::-1] * (-1, 1), [(0, dip + 0.1 * unit)], shoulder]) + base + (0, 0.02 * unit)
    body = curve(body)
    # Only pictures larger than a chip show what lies this far outside of it: there the arms hang down.
    near = np.clip(body[:, 0], head.corner[0] - 0.12 * head.side, head.corner[0] + 1.12 * head.side)
    body[:, 0] = near + 0.7 * unit * np.tanh((body[:, 0] - near) / (0.7 * unit))
    low = (0, canvas.image.height)
    canvas.fill(np.concatenate([body[:1] + low, body, body[-1:] + low]), cloth)
    canvas.stroke(body[14:36], 0.07 * unit, shade(cloth, 0.78), 0.9)
    if chance[7] < 0.35:  # a shirt's collar
        white = mix(cloth, (250, 250, 250), 0.8)
        for side in (-1, 1):
            collar = np.array([(side * 0.50, -0.06), (side * 0.62, 0.08), (side * 0.30, 0.42), (0, 0.24)]) * unit + base
            canvas.fill(collar, white)
            canvas.line(np.concatenate([collar[1:]]), 0.015 * unit, shade(white, 0.75), 0.8)
    drop = head.edge + (0, 0.16 * unit)
    canvas.soft(shade(look.shadow, 0.75), [(drop, 0.62)], 0.020, canvas.mask([neck]))
