"""The one reading of images: which files can be read, why others cannot, and what their upright pixels are.

Checking, training, evaluation, packing, cropping and prediction all come here, so that what passes the check can be
trained on, and a file's answers are the same on every way.
"""

import io
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps
from PIL.ImageFile import ImageFile

from mtl_keras.data.image_formats import START, format_of
from mtl_keras.data.jpeg import check_filled, check_length
from mtl_keras.errors import UserError
from mtl_keras.files import open_regular

# Raised when the pixels that are read of a file change: features and trained networks of before are others then.
READING = 2
# An image of more pixels is halved until it has no more.
MOST_KEPT = 50_000_000
# Of a JPEG image the decoder itself leaves out pixels; where all must be decoded first, fewer fit into memory.
MOST_IN_JPEG, MOST_DECODED = 2**28, 2**26
# No face can be told on fewer pixels a side.
SMALLEST_SIDE = 8
STRIP = 1024  # rows
PNG_END = b"IEND\xaeB\x60\x82"


def check_range(pixels: np.ndarray, what: str) -> None:
    """Refuse pixels that are not of 0..255, or can only be of 0..1; the error says `what` they are."""
    low, high = pixels.min(), pixels.max()
    if not (low >= 0 and high <= 255):  # neither holds of NaN
        raise UserError(f"{what}: holds numbers from {low:g} to {high:g}; expected 0 to 255")
    if pixels.dtype.kind == "f" and 0 < high <= 1:
        raise UserError(f"{what}: holds numbers of 0 to 1; expected 0 to 255: multiply them by 255")


class TooManyPixelsError(UserError):
    """An image that is too large to be decoded."""


class Picture(NamedTuple):
    """An image file as it was read.

    `pixels` are (H, W, 3) uint8 RGB, turned upright as the EXIF orientation says. `size` is the (width, height) of the
    upright file itself: its sides are `factor` times those of the pixels, more than once only for very large images.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    factor: int


def probe(path: str | Path) -> tuple[int, int]:
    """Return the upright (width, height) of an image file from its header; what may not be decoded is an error."""
    try:
        with open_regular(path) as file, _opened(file) as image:
            return _upright_size(image)
    except (OSError, UserError) as error:
        raise UserError(f"{path}: {reason_of(error)}") from None


def size_of(contents: bytes) -> tuple[int, int]:
    """Return the upright (width, height) of the bytes of an image file, as `probe` does of a file."""
    with _opened(io.BytesIO(contents)) as image:
        return _upright_size(image)


def read_picture(path: str | Path) -> Picture:
    """Read an image file; one that cannot be read is an error that names it."""
    try:
        return decode(contents_of(path))
    except (OSError, UserError) as error:
        raise UserError(f"{path}: {reason_of(error)}") from None


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file as (H, W, 3) uint8 RGB, upright; one that cannot be read is an error that names it."""
    return read_picture(path).pixels


def contents_of(path: str | Path) -> bytes:
    """Return the bytes of a file that starts as an image does; what is no image is not read further."""
    with open_regular(path) as file:
        start = file.read(START)
        format_of(start)
        return start + file.read()


def decode(contents: bytes, smallest: int | None = None) -> Picture:
    """Decode the bytes of an image file, all of them; what is damaged or cut short is a `UserError`.

    Grey is repeated, alpha dropped, 16 bits keep their upper 8. With `smallest` the decoder may leave out pixels where
    that is less work, as long as both sides keep at least this number.
    """
    with _opened(io.BytesIO(contents)) as image:
        if image.format == "PNG" and PNG_END not in contents:
            raise UserError("truncated or damaged (the end of the PNG image is missing)")
        if image.format == "JPEG":
            check_length(contents, *image.size)
        size, factor = _upright_size(image), _factor(image, smallest)
        try:
            if image.format == "JPEG":
                image.draft(None, (image.width // factor, image.height // factor))
            image.load()
            if image.format == "JPEG":
                check_filled(image, contents)
            upright = _upright(image, in_place=True)
            reduced = upright if image.format == "JPEG" or factor == 1 else upright.reduce(factor)
            return Picture(_as_rgb(reduced), size if image.format == "JPEG" else upright.size, factor)
        except UserError:
            raise
        except Exception as error:  # Damaged data makes Pillow's decoders raise nearly anything.
            raise UserError(f"truncated or damaged ({_one_line(error)})") from None


def picture_of(image: Image.Image) -> Picture:
    """Return an image that Pillow has opened as it is read from a file, and leave it as it is."""
    try:
        image.load()
        image = _upright(image)
        check_side(*image.size)
        return Picture(_as_rgb(image), image.size, 1)
    except UserError:
        raise
    except Exception as error:  # as above
        raise UserError(f"a PIL image is truncated or damaged ({_one_line(error)})") from None


def check_side(width: int, height: int, before: str = "") -> None:
    """Refuse an image of so few pixels that no face can be told on it; the error begins with `before`."""
    if min(width, height) < SMALLEST_SIDE:
        raise UserError(f"{before}{width} x {height} pixels are too few; expected at least {SMALLEST_SIDE} a side")


def resize(pixels: np.ndarray, size: int, method: str = "bilinear") -> np.ndarray:
    """Resize (H, W, 3) uint8 to (size, size, 3) uint8, up or down: "bilinear", antialiased, or "sharp", which is not.

    Without antialiasing thin lines stay as dark as they are. Beyond a third of the side it would skip pixels, so that
    larger images are first brought to three times the size, antialiased.
    """
    if pixels.shape[:2] == (size, size):
        return pixels.copy()
    image = Image.fromarray(pixels)
    if method != "sharp":
        return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    near = tuple(min(side, 3 * size) for side in image.size)
    pixels = np.asarray(image.resize(near, Image.Resampling.BILINEAR))
    # Pillow has no such resizing that rounds.
    for axis in (0, 1):
        length = pixels.shape[axis]
        place = ((np.arange(size) + 0.5) * length / size - 0.5).clip(0, length - 1)
        below = place.astype(int)
        share = (place - below).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (-1, 1))
        above = np.minimum(below + 1, length - 1)
        pixels = pixels.take(below, axis) * (1 - share) + pixels.take(above, axis) * share
    return np.rint(pixels).astype(np.uint8)


def reason_of(error: Exception) -> str:
    """Say in one line why a file could not be read."""
    return error.strerror or _one_line(error) if isinstance(error, OSError) else _one_line(error)


def _opened(file: BinaryIO) -> ImageFile:
    """Open an image from a binary file, reading its header only; what may not be decoded is a `UserError`."""
    opener = format_of(file.read(START)).opener
    file.seek(0)
    try:
        # Not Image.open: its own size limit is a setting of the whole process and only warns up to 179 million pixels.
        image = opener(file)
    except Exception as error:  # A damaged header makes Pillow raise nearly anything.
        raise UserError(f"the header is damaged ({_one_line(error)})") from None
    width, height = image.size
    # All parts of a progressive image are in memory together.
    most = MOST_IN_JPEG if image.format == "JPEG" and "progressive" not in image.info else MOST_DECODED
    if width * height > most:
        limits = f"at most {MOST_IN_JPEG // 10**6} million of a JPEG image, {MOST_DECODED // 10**6} million of others"
        raise TooManyPixelsError(f"{width} x {height} pixels are too many; {limits} are read")
    check_side(width, height)
    return image


def _factor(image: ImageFile, smallest: int | None) -> int:
    """Return how many times smaller an image is read: not at all, unless it is very large or may be."""
    factor = 1
    while image.width * image.height > MOST_KEPT * factor**2:
        factor *= 2
    # Only the decoder of JPEG images saves work by it.
    while smallest and image.format == "JPEG" and factor < 8 and min(image.size) >= 2 * factor * smallest:
        factor *= 2
    return factor


def _upright_size(image: ImageFile) -> tuple[int, int]:
    width, height = image.size
    try:
        # That of a TIFF image is upright already.
        turned = image.format != "TIFF" and image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    except Exception:  # as below
        turned = False
    return (height, width) if turned else (width, height)


def _upright(image: Image.Image, in_place: bool = False) -> Image.Image:
    """Return a decoded image turned as its EXIF orientation says: this one, or another."""
    try:
        return ImageOps.exif_transpose(image, in_place=in_place) or image
    except Exception:  # A damaged orientation tag is no reason to refuse the pixels.
        return image


def _as_rgb(image: Image.Image) -> np.ndarray:
    """Return the pixels of a decoded image as (H, W, 3) uint8 RGB."""
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise UserError("its pixels are numbers of 32 bits; expected 8 or 16 bits")
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    # A strip at a time: Pillow's own way from an image to an array holds three copies of it.
    for top in range(0, image.height, STRIP):
        strip = image.crop((0, top, image.width, min(top + STRIP, image.height)))
        pixels[top : top + STRIP] = strip if strip.mode == "RGB" else strip.convert("RGB")
    return pixels


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
