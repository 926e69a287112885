"""Whether a JPEG image holds the pixels that its header promises: decoders fill in what is missing, and say nothing.

The layout is in ITU-T T.81: markers FF xx, most of which begin a segment that tells its length; a scan's header is
followed by its data, in which FF is followed by 00 or by the number of a restart.
"""

import io

from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile

from mtl_keras.errors import UserError

# Markers: frames coded by Huffman's method whose blocks lie together, frames of all kinds, and scans.
SEQUENTIAL, FRAMES, SCAN = {0xC0, 0xC1}, {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}, 0xDA
ARITHMETIC = {*range(0xC9, 0xD0)}
# What follows FF in the data of a scan: nothing of its own, or a restart.
WITHIN = {0x00, *range(0xD0, 0xD8)}
MISSING = "truncated or damaged (much of the JPEG image is missing)"
# Data that decode to anything but one flat area, also where they begin with a restart.
NOISE = b"".join(bytes(range(7, 240, 13)) * 8 + b"\xff" + bytes([restart]) for restart in range(0xD0, 0xD8))


def check_length(contents: bytes, width: int, height: int) -> None:
    """Refuse a file that is too short for an image of this size, before anything of it is decoded."""
    # A block of 8 x 8 pixels takes a bit at least, two where all of it lies together.
    frame, _ = _frame_and_data(contents)
    bits = 0 if frame in ARITHMETIC else 1 + (frame in SEQUENTIAL)
    if 8 * len(contents) < bits * (-(-width // 8) * -(-height // 8)):
        raise UserError(MISSING)


def check_filled(image: Image, contents: bytes) -> None:
    """Refuse a decoded image whose lower third was filled in; one that is flat there indeed is let be."""
    lower = image.crop((0, 2 * image.height // 3, image.width, image.height))
    if any(low != high for low, high in (lower.getchannel(band).getextrema() for band in lower.getbands())):
        return
    frame, end = _frame_and_data(contents)
    while (end := contents.find(b"\xff", end)) >= 0 and contents[end + 1 : end + 2] and contents[end + 1] in WITHIN:
        end += 2
    # Where the data are whole, what follows them up to the next marker is not read.
    if frame not in ARITHMETIC and _small(contents) != _small(contents[:end] + NOISE + contents[end:]):
        raise UserError(MISSING)


def _small(contents: bytes) -> bytes:
    """Return the pixels of an image, decoded to an eighth of its sides."""
    with JpegImageFile(io.BytesIO(contents)) as image:
        image.draft(None, (image.width // 8, image.height // 8))
        return image.tobytes()


def _frame_and_data(contents: bytes) -> tuple[int, int]:
    """Return the marker of the frame, 0 without one, and where the data of the first scan begin."""
    frame, at = 0, 2
    while at + 4 <= len(contents):
        if contents[at] != 0xFF or contents[at + 1] in (0xFF, *WITHIN):
            at += 1
            continue
        marker, at = contents[at + 1], at + 2 + int.from_bytes(contents[at + 2 : at + 4])
        frame = marker if marker in FRAMES else frame
        if marker == SCAN:
            return frame, at
    return frame, len(contents)
