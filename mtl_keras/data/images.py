"""Images from files: their size from the header alone, their pixels as RGB, for Python and for tf.data."""

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from mtl_keras.errors import UserError

MAX_PIXELS = 50_000_000
# Only these formats are opened, by their first bytes: the others that Pillow knows are doors that nobody needs.
FORMATS = {b"\xff\xd8\xff": JpegImageFile, b"\x89PNG\r\n\x1a\n": PngImageFile, b"BM": BmpImageFile}


def probe(path: str | Path) -> tuple[int, int]:
    """Return (width, height) of an image file from its header; a file that is no image or too large is an error."""
    try:
        with open(path, "rb") as file, open_image(file) as image:
            return image.size
    except (OSError, UserError) as error:
        raise UserError(f"{path}: {reason_of(error)}") from None


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file as (H, W, 3) uint8 RGB, turned upright as its EXIF orientation says."""
    try:
        with open(path, "rb") as file, open_image(file) as image:
            return to_rgb(image, upright=True)
    except (OSError, UserError) as error:
        raise UserError(f"{path}: {reason_of(error)}") from None


def open_image(file: BinaryIO) -> ImageFile:
    """Open an image from a binary file, reading its header only; what may not be decoded is a `UserError`."""
    start = file.read(8)
    file.seek(0)
    if not start:
        raise UserError("the file is empty (0 bytes)")
    opener = next((opener for signature, opener in FORMATS.items() if start.startswith(signature)), None)
    if opener is None:
        raise UserError("not a JPEG, PNG or BMP image")
    try:
        # Not Image.open: its own size limit is a setting of the whole process and only warns up to 179 million pixels.
        image = opener(file)
    except Exception as error:  # A damaged header makes Pillow raise nearly anything.
        raise UserError(f"the header is damaged ({_one_line(error)})") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UserError(f"{width} x {height} pixels are too many; at most {MAX_PIXELS // 1_000_000} million are read")
    return image


def to_rgb(image: Image.Image, upright: bool = False) -> np.ndarray:
    """Decode an opened image to (H, W, 3) uint8 RGB: grey is repeated, alpha dropped, 16 bits keep their upper 8."""
    try:
        if upright:
            image = _upright(image)
        if image.mode.startswith("I"):
            grey = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
            return np.repeat(grey[:, :, None], 3, axis=2)
        return np.array(image.convert("RGB"))
    except Exception as error:  # Damaged data makes Pillow's decoders raise nearly anything.
        raise UserError(f"truncated or damaged ({_one_line(error)})") from None


def reason_of(error: Exception) -> str:
    """Say in one line why a file could not be read."""
    return error.strerror or _one_line(error) if isinstance(error, OSError) else _one_line(error)


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # A damaged orientation tag is no reason to refuse the pixels.
        return image


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def decode(contents: tf.Tensor) -> tf.Tensor:
    """Decode the bytes of a JPEG, PNG or BMP file to (H, W, 3) uint8 RGB within tf.data.

    Made for files that `mtl_keras.data.audit.check_images` has passed; EXIF orientation is not applied.
    """

    def jpeg() -> tf.Tensor:
        return tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_FAST", fancy_upscaling=False)

    def png() -> tf.Tensor:
        return tf.io.decode_png(contents, channels=3)

    def other() -> tf.Tensor:
        # TensorFlow reads only some BMP files, and of those with a palette only the indices.
        return tf.numpy_function(_decode_with_pillow, [contents], tf.uint8)

    is_png = tf.strings.substr(contents, 0, 8) == b"\x89PNG\r\n\x1a\n"
    image = tf.cond(tf.io.is_jpeg(contents), jpeg, lambda: tf.cond(is_png, png, other))
    image.set_shape((None, None, 3))
    return image


def _decode_with_pillow(contents: bytes) -> np.ndarray:
    with open_image(io.BytesIO(contents)) as image:
        return to_rgb(image)


def resize(image: tf.Tensor, size: int, method: str = "bilinear") -> tf.Tensor:
    """Resize (H, W, 3) uint8 to (size, size, 3) uint8, up or down: "bilinear", antialiased, or "sharp", which is not.

    Without antialiasing thin lines stay as dark as they are. Beyond a third of the side it would skip pixels, so that
    larger images are first brought to three times the size, antialiased.
    """
    if method == "sharp":
        near = tf.minimum(tf.shape(image)[:2], 3 * size)
        image = tf.image.resize(image, near, method="bilinear", antialias=True)
    image = tf.image.resize(image, (size, size), method="bilinear", antialias=method != "sharp")
    image = tf.cast(tf.round(tf.clip_by_value(image, 0, 255)), tf.uint8)
    image.set_shape((size, size, 3))
    return image
