"""Reading images: what is refused from the header, and that every kind of pixel becomes RGB in Python and tf.data."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from mtl_keras.data.images import MAX_PIXELS, decode, probe, read_image, resize
from mtl_keras.errors import UserError

HEIGHT, WIDTH = 40, 60


def scene() -> np.ndarray:
    """A smooth color picture (HEIGHT, WIDTH, 3), so that JPEG hardly changes it."""
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([row * 5 + 20, column * 4, 220 - row * 2 - column], axis=-1).astype(np.uint8)


def grey() -> np.ndarray:
    return np.array(Image.fromarray(scene()).convert("L"))


def encoded(image: Image.Image, kind: str, **settings) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def make_kinds() -> dict[str, tuple[bytes, np.ndarray, float]]:
    """Return for every kind of file its bytes, the RGB it should give, and how much the mean may differ."""
    color = Image.fromarray(scene())
    alpha = Image.fromarray(np.dstack([scene(), np.full((HEIGHT, WIDTH), 100, np.uint8)]))
    grey_rgb = np.repeat(grey()[:, :, None], 3, axis=2)
    palette = color.quantize(32)
    black_white = np.repeat((grey() > 127)[:, :, None], 3, axis=2).astype(np.uint8) * 255
    bilevel = Image.fromarray(black_white[:, :, 0]).convert("1")
    deep = Image.fromarray(grey().astype(np.uint16) * 257)
    palette_rgb = np.array(palette.convert("RGB"))
    return {
        "jpeg": (encoded(color, "JPEG", quality=95), scene(), 3),
        "progressive jpeg": (encoded(color, "JPEG", quality=95, progressive=True), scene(), 3),
        "grey jpeg": (encoded(color.convert("L"), "JPEG", quality=95), grey_rgb, 3),
        "cmyk jpeg": (encoded(color.convert("CMYK"), "JPEG", quality=95), scene(), 4),
        "png": (encoded(color, "PNG"), scene(), 0),
        "grey png": (encoded(color.convert("L"), "PNG"), grey_rgb, 0),
        "rgba png": (encoded(alpha, "PNG"), scene(), 0),
        "grey and alpha png": (encoded(alpha.convert("LA"), "PNG"), grey_rgb, 1),
        "palette png": (encoded(palette, "PNG"), palette_rgb, 0),
        "black and white png": (encoded(bilevel, "PNG"), black_white, 0),
        "16-bit png": (encoded(deep, "PNG"), grey_rgb, 0),
        "16-bit rgb png": (sixteen_bit_rgb_png(scene()), scene(), 0),
        "bmp": (encoded(color, "BMP"), scene(), 0),
        "palette bmp": (encoded(palette, "BMP"), palette_rgb, 0),
        "black and white bmp": (encoded(bilevel, "BMP"), black_white, 0),
    }


def sixteen_bit_rgb_png(pixels: np.ndarray) -> bytes:
    """Write a 16-bit RGB PNG, which Pillow cannot."""
    lines = b"".join(b"\0" + (row.astype(">u2") * 257).astype(">u2").tobytes() for row in pixels)
    return png(pixels.shape[1], pixels.shape[0], zlib.compress(lines), depth=16)


def png(width: int, height: int, data: bytes, depth: int = 8) -> bytes:
    """Write an RGB PNG with this header and these compressed lines, whether they fit or not."""
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


KINDS = make_kinds()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_as_rgb(tmp_path, kind):
    contents, expected, tolerance = KINDS[kind]
    (tmp_path / "image").write_bytes(contents)
    pixels = read_image(tmp_path / "image")
    assert pixels.shape == (HEIGHT, WIDTH, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - expected).mean() <= tolerance
    assert probe(tmp_path / "image") == (WIDTH, HEIGHT)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_decoded_as_rgb_in_tf_data(kind):
    contents, expected, tolerance = KINDS[kind]
    dataset = tf.data.Dataset.from_tensors(contents).map(decode)
    assert dataset.element_spec == tf.TensorSpec((None, None, 3), tf.uint8)
    pixels = next(iter(dataset)).numpy()
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(pixels.astype(int) - expected).mean() <= tolerance


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"", "the file is empty"),
        (b"no picture", "not a JPEG, PNG or BMP image"),
        (b"GIF89a" + bytes(20), "not a JPEG, PNG or BMP image"),
        (b"\xff\xd8\xff", "header is damaged"),
        (b"\x89PNG\r\n\x1a\n", "header is damaged"),
        (KINDS["jpeg"][0][:-200], "truncated or damaged"),
        (KINDS["png"][0][:-60], "truncated or damaged"),
        (KINDS["bmp"][0][:-60], "truncated or damaged"),
        (png(24_000, 24_000, zlib.compress(b"")), "24000 x 24000 pixels are too many; at most 50 million"),
    ],
)
def test_bad_files_are_one_line_errors(tmp_path, contents, reason):
    path = tmp_path / "image.jpg"
    path.write_bytes(contents)
    with pytest.raises(UserError, match=reason) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_size_limit_is_judged_from_the_header(tmp_path):
    (tmp_path / "large.png").write_bytes(png(MAX_PIXELS // 1000, 1001, b"no pixels at all"))
    with pytest.raises(UserError, match="50000 x 1001 pixels"):
        probe(tmp_path / "large.png")
    (tmp_path / "allowed.png").write_bytes(png(MAX_PIXELS // 1000, 1000, b"no pixels at all"))
    assert probe(tmp_path / "allowed.png") == (50_000, 1000)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.jpg: No such file"):
        probe(tmp_path / "none.jpg")
    with pytest.raises(UserError, match="directory"):
        read_image(tmp_path)


def test_exif_orientation_turns_the_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    Image.fromarray(scene()).save(tmp_path / "turned.jpg", quality=95, exif=exif)
    pixels = read_image(tmp_path / "turned.jpg")
    assert pixels.shape == (WIDTH, HEIGHT, 3)
    assert np.abs(pixels.astype(int) - np.rot90(scene(), -1)).mean() <= 3


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_leaves_the_pixels(tmp_path):
    contents = encoded(Image.fromarray(scene()), "JPEG", quality=95, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    (tmp_path / "odd.jpg").write_bytes(contents)
    assert read_image(tmp_path / "odd.jpg").shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("size", [16, 48, 160])
def test_resize_gives_the_size_and_keeps_the_picture(size):
    small = resize(scene(), size)
    assert small.shape == (size, size, 3) and small.dtype == np.uint8
    expected = np.array(Image.fromarray(scene()).resize((size, size), Image.Resampling.BILINEAR))
    assert np.abs(small.astype(int) - expected).max() <= 2


def test_resize_averages_instead_of_skipping_pixels():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    middle = resize(stripes, 16)[:, 2:-2]
    assert np.abs(middle.astype(int) - 127).max() <= 4


def test_sharp_resizing_keeps_thin_lines_and_skips_no_pixel():
    line = np.zeros((40, 40, 3), np.uint8)
    line[20] = 255
    assert resize(line, 20, "sharp").max() > 1.2 * resize(line, 20).max()
    # Plain bilinear sampling of a large image would take two of every eight columns.
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    middle = resize(stripes, 16, "sharp")[:, 2:-2]
    assert np.abs(middle.astype(int) - 127).max() <= 12


@pytest.mark.parametrize("method", ["bilinear", "sharp"])
def test_resize_to_the_same_size_changes_nothing(method):
    square = scene()[:40, :40]
    assert (resize(square, 40, method) == square).all()
