"""Drawn faces to try the page with: made when it starts, of nobody."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from mtl_keras.portraits.drawer import render
from mtl_keras.portraits.look import Portrait
from mtl_keras.portraits.scene import Frame

# A face with shoulders and some of the wall behind it.
FRAME = Frame(300, 360, 190, left=55, top=60)


class Example(NamedTuple):
    """A photo to try, as a JPEG file, and what it shows in words."""

    title: str
    contents: bytes


def examples() -> list[Example]:
    """Return four drawn faces and a picture of three together."""
    girl = Portrait(7, "female", "asian", "smiling", "happy", seed=20, yaw=5)
    man = Portrait(34, "male", "black", "smiling", "happy", seed=25, yaw=-5)
    woman = Portrait(28, "female", "indian", "smiling", "happy", "eyeglasses", seed=29, yaw=-5)
    elder = Portrait(71, "male", "white", "smiling", "happy", "eyeglasses", seed=23, yaw=-5)
    drawn = [render(portrait, FRAME) for portrait in (girl, man, woman, elder)]
    titles = ("a girl of 7", "a man of 34", "a woman of 28 with eyeglasses", "a man of 71 with eyeglasses")
    return [
        *(Example(f"Drawn face: {title}", _jpeg(face)) for title, face in zip(titles, drawn, strict=True)),
        Example("Three drawn faces in one picture", _jpeg(np.concatenate([drawn[1], drawn[0], drawn[3]], axis=1))),
    ]


def _jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()
