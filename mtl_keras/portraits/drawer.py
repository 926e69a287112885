"""A deterministic parametric drawer of portraits: labels and a seed go in, a picture comes out.

The people are made up. What stands for a label (a palette for ethnicity, odds of a beard for gender) is a convention
of the drawing and says nothing about people.
"""

import numpy as np
from PIL import Image

from mtl_keras.portraits import age, beard, eye_area, features, scene, skin
from mtl_keras.portraits.camera import photograph
from mtl_keras.portraits.canvas import Canvas
from mtl_keras.portraits.glasses import draw_glasses
from mtl_keras.portraits.hair import Hair
from mtl_keras.portraits.head import Head
from mtl_keras.portraits.look import Look, Portrait
from mtl_keras.portraits.scene import Frame

SUPERSAMPLING = 3  # drawn this many times larger and shrunk: smooth edges


def render(portrait: Portrait, frame: int | Frame = 200) -> np.ndarray:
    """Draw a portrait: (height, width, 3) uint8 RGB; a number is the side of a chip, framed like UTKFace's.

    The same portrait and frame always give the same pixels. Raises `UserError` for a face below 16 pixels or a picture
    above 1024.
    """
    frame = Frame(frame, frame, frame) if isinstance(frame, int) else frame
    look = Look(portrait)
    size = (SUPERSAMPLING * frame.width, SUPERSAMPLING * frame.rows)
    return photograph(_drawn(look, frame, scene.background(look, size)), look, frame)


def cut_out(portrait: Portrait, frame: Frame) -> np.ndarray:
    """Draw a person without a background or a camera's faults: (height, width, 4) uint8, RGB and how opaque."""
    look, size = Look(portrait), (SUPERSAMPLING * frame.width, SUPERSAMPLING * frame.rows)
    # What shows through before black and before white is transparent.
    black, white = (
        np.asarray(_drawn(look, frame, Image.new("RGB", size, ground)).reduce(SUPERSAMPLING), np.float32)
        for ground in ("black", "white")
    )
    opaque = 1 - (white - black).mean(axis=2, keepdims=True).clip(0, 255) / 255  # (H, W, 1)
    return np.concatenate([black / opaque.clip(1e-3), 255 * opaque], axis=2).clip(0, 255).astype(np.uint8)


def _drawn(look: Look, frame: Frame, ground: Image.Image) -> Image.Image:
    """Return a person drawn before a background, `SUPERSAMPLING` times as large as the frame."""
    head = Head(look, SUPERSAMPLING * frame.side, (SUPERSAMPLING * frame.left, SUPERSAMPLING * frame.top))
    hair = Hair(head, look)
    canvas = Canvas(ground, head.side)
    hair.draw_behind(canvas)
    scene.draw_body(canvas, head, look)
    ears = (-1, 1) if hair.style.kind not in ("medium", "long") else ()
    for ear in ears:
        skin.draw_ear(canvas, head, look, ear)
    face = skin.draw_head(canvas, head, look)
    age.draw_age(canvas, head, look, face)
    beard.draw_beard(canvas, head, look, face)
    features.draw_mouth(canvas, head, look, face)
    features.draw_nose(canvas, head, look, face)
    eye_area.draw_shadows(canvas, head, look, face)
    features.draw_eyes(canvas, head, look)
    eye_area.draw_depth(canvas, head, look, face)
    features.draw_brows(canvas, head, look)
    hair.draw_cap(canvas)
    if head.turned and ears:
        skin.draw_ear(canvas, head, look, -head.far)
    if look.glasses:
        draw_glasses(canvas, head, look)
    hair.draw_locks(canvas)
    eye_area.draw_hat(canvas, head, look)
    eye_area.draw_stray_hair(canvas, head, look)
    return canvas.image
