"""The camera that takes the picture: light, focus, colors, noise, and the faults of compressed pictures."""

import io

import numpy as np
from PIL import Image, ImageFilter

from mtl_keras.portraits.look import Look
from mtl_keras.portraits.scene import Frame

GRAY = np.array([0.299, 0.587, 0.114], np.float32)


def photograph(image: Image.Image, look: Look, frame: Frame) -> np.ndarray:
    """Shrink the drawing to (height, width, 3) uint8 with the light, focus, colors and noise of a camera.

    Nothing here depends on a label: every face is photographed well by some chance, and badly by some.
    """
    chance, fault = look.chances("camera"), look.chances("faults")
    image = image.reduce(image.width // frame.width)
    if image.height != frame.height:
        image = image.resize((frame.width, frame.height), Image.Resampling.BILINEAR)
    if chance[0] < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(float(frame.side / 200 * (0.2 + 1.3 * chance[1] ** 3))))
    elif chance[0] > 0.78:  # sharpened, with halos along dark lines
        image = image.filter(ImageFilter.UnsharpMask(frame.side / 200 * 2.5, int(60 + 160 * fault[17]), 0))
    warmth = np.array([1 + 0.14 * (chance[4] - 0.5), 1 + 0.05 * (chance[5] - 0.5), 1 - 0.16 * (chance[4] - 0.5)])
    pixels = np.asarray(image, np.float32) * (illumination(look, frame)[..., None] * warmth.astype(np.float32))
    pixels = tones(pixels, look)
    if chance[8] < 0.05:  # a few black-and-white pictures
        pixels = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2)
    noise = look.generator("camera", 1).standard_normal((frame.height, frame.width, 1), np.float32)
    noise *= np.float32(0.8 + 4.0 * chance[9] ** 4 + 5.0 * (fault[0] < 0.2) * fault[1])
    pixels += noise
    pixels = np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)
    return compressed(pixels, 18 + int(70 * fault[3])) if fault[2] < 0.6 else pixels


def illumination(look: Look, frame: Frame) -> np.ndarray:
    """Return how bright each pixel is lit (height, width): from a side, from above, in patches, past a shadow's edge.

    Places are those of the face and not of the picture, so that surroundings leave the light on the face as it is.
    """
    chance, fault = look.chances("camera"), look.chances("faults")
    tall = round(frame.side * frame.height / frame.rows)
    x = ((np.arange(frame.width, dtype=np.float32) - frame.left) / frame.side - 0.5).clip(-0.7, 0.7)[None, :]
    top = frame.top * frame.height / frame.rows
    y = ((np.arange(frame.height, dtype=np.float32) - top) / tall - 0.5).clip(-0.7, 0.7)[:, None]
    hard = 1.3 if fault[4] < 0.3 else 0.45  # a lamp at one side, or the light of a room
    exposure = (0.62 / look.brightness) ** 0.25  # longer for dark skin
    light = exposure + 0.10 * (chance[2] - 0.5) + hard * (look.face[9] - 0.5) * x - 0.22 * chance[3] * y
    if fault[5] < 0.2:  # the edge of a shadow across the face
        angle = 2 * np.pi * fault[6]
        across = x * np.cos(angle) + y * np.sin(angle) + 0.25 * fault[7]
        light = light * (
            1 - (0.10 + 0.40 * fault[8]) / (1 + np.exp(np.clip(across / (0.02 + 0.08 * fault[9]), -30, 30)))
        )
    spots = look.generator("faults", 1).standard_normal((2, 24, 24)).astype(np.float32)
    size = (frame.width, frame.height)
    for spot, count, strength in zip(spots, (6, 24), (0.07 * fault[10], 0.04 * fault[11]), strict=True):
        small = Image.fromarray(spot[:count, :count])
        light = light + strength * np.asarray(small.resize(size, Image.Resampling.BICUBIC))
    return np.maximum(light, 0.1).astype(np.float32)


def tones(pixels: np.ndarray, look: Look) -> np.ndarray:
    """Return the pixels with the camera's brightness, contrast and curve of tones; some pictures are pale or harsh."""
    chance, fault = look.chances("camera"), look.chances("faults")
    contrast = 1 + 0.24 * (chance[6] - 0.5) + (0.7 * (fault[13] - 0.2) if fault[12] < 0.7 else 0.1)
    bend = 2.0 ** (0.9 * (fault[15] - 0.5)) if fault[14] < 0.5 else 1.0
    curve = 255 * (np.arange(512, dtype=np.float32).clip(0, 400) / 255) ** np.float32(bend)
    pixels = curve[pixels.clip(0, 511).astype(np.int32)] if bend != 1.0 else pixels
    shift = 16 * (chance[7] - 0.5) + (36 * (fault[16] - 0.5) if fault[14] < 0.5 else 0)
    return pixels * np.float32(contrast) + np.float32(128.5 - 128 * contrast + shift)


def compressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Return the pixels as a JPEG file of a quality gives them back."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))
