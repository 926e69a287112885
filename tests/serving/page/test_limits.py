import io

import pytest
from PIL import Image

from mtl_keras.serving.page.limits import Limits, RefusedError


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "PNG")
    return file.getvalue()


def bomb() -> bytes:
    """A PNG of few bytes whose header says that it has 40,000 x 40,000 pixels."""
    contents = bytearray(png(8, 8))
    contents[16:24] = (40_000).to_bytes(4, "big") * 2
    import zlib

    contents[29:33] = zlib.crc32(bytes(contents[12:29])).to_bytes(4, "big")
    return bytes(contents)


@pytest.mark.parametrize(
    ("contents", "status", "says"),
    [
        (b"", 415, "empty"),
        (b"hello", 415, "not a JPEG"),
        (b"\xff\xd8\xff" + bytes(30), 422, "header is damaged"),
        (png(4, 4), 422, "too few"),
        (png(200, 200), 413, "at most 0.02 million"),
        (bomb(), 413, "too many"),
        (png(10, 10) + bytes(100_000), 413, "more than 0.05 MB"),
    ],
)
def test_bad_photos_are_refused_before_they_are_decoded(contents, status, says):
    with pytest.raises(RefusedError, match=says) as caught:
        Limits(megabytes=0.05, megapixels=0.02).check_photo(contents)
    assert caught.value.status == status


def test_photos_within_the_limits_pass():
    Limits(megabytes=0.05, megapixels=0.02).check_photo(png(100, 200))
