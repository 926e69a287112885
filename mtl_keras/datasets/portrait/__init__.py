"""A deterministic parametric drawer of portraits: labels and a seed go in, a picture comes out.

The people are made up. What stands for a label (a palette for ethnicity, odds of a beard for gender) is a convention
of the drawing and says nothing about people.
"""

import numpy as np

from mtl_keras.datasets.portrait import features, scene, skin
from mtl_keras.datasets.portrait.canvas import Canvas
from mtl_keras.datasets.portrait.glasses import draw_glasses
from mtl_keras.datasets.portrait.hair import Hair
from mtl_keras.datasets.portrait.head import Head
from mtl_keras.datasets.portrait.look import LIMITS, Look, Portrait
from mtl_keras.errors import UserError

__all__ = ["LIMITS", "Portrait", "render"]

SUPERSAMPLING = 3  # drawn this many times larger and shrunk: smooth edges


def render(portrait: Portrait, size: int = 200) -> np.ndarray:
    """Draw a portrait: (size, size, 3) uint8 RGB, framed like the aligned chips of UTKFace.

    The same portrait and size always give the same pixels. Raises `UserError` for a size below 16 or above 1024.
    """
    if not 16 <= size <= 1024:
        raise UserError(f"render: size {size!r} is out of range; expected 16 to 1024 pixels")
    side = SUPERSAMPLING * size
    look = Look(portrait)
    head = Head(look, side)
    hair = Hair(head, look)
    canvas = Canvas(scene.background(look, side))
    hair.draw_behind(canvas)
    scene.draw_body(canvas, head, look)
    ears = (-1, 1) if hair.style.kind not in ("medium", "long") else ()
    for ear in ears:
        skin.draw_ear(canvas, head, look, ear)
    face = skin.draw_head(canvas, head, look)
    skin.draw_age(canvas, head, look, face)
    skin.draw_beard(canvas, head, look, face)
    features.draw_mouth(canvas, head, look, face)
    features.draw_nose(canvas, head, look, face)
    features.draw_eyes(canvas, head, look)
    features.draw_brows(canvas, head, look)
    hair.draw_cap(canvas)
    if head.turned and ears:
        skin.draw_ear(canvas, head, look, -head.far)
    if look.glasses:
        draw_glasses(canvas, head, look)
    hair.draw_locks(canvas)
    return scene.photograph(canvas.image, look, size)
