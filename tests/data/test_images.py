"""Reading images: what is refused and why, and that one file has the same upright pixels on every way."""

import io
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image, features

from mtl_keras.data import images
from mtl_keras.data.audit import check_images
from mtl_keras.data.image_formats import FORMATS
from mtl_keras.data.images import MOST_DECODED, decode, probe, read_image, read_picture, resize
from mtl_keras.data.inspection import inspect_images
from mtl_keras.data.packing import pack_shards
from mtl_keras.data.pipeline import InputSpec, batches
from mtl_keras.data.shards import read_shards, shard_batches
from mtl_keras.errors import UserError
from mtl_keras.tasks import SMILE

HEIGHT, WIDTH = 40, 60


def scene() -> np.ndarray:
    """A smooth color picture (HEIGHT, WIDTH, 3), so that JPEG hardly changes it."""
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([row * 5 + 20, column * 4, 220 - row * 2 - column], axis=-1).astype(np.uint8)


def grey() -> np.ndarray:
    return np.array(Image.fromarray(scene()).convert("L"))


def encoded(image: Image.Image, kind: str, **settings) -> bytes:
    buffer = io.BytesIO()
    image.copy().save(buffer, kind, **settings)  # Pillow keeps settings of one format for the next
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
        "gif": (encoded(palette, "GIF"), palette_rgb, 0),
        "gif of two images": (encoded(palette, "GIF", save_all=True, append_images=[alpha]), palette_rgb, 0),
        "tiff": (encoded(color, "TIFF"), scene(), 0),
        "compressed tiff": (encoded(color, "TIFF", compression="tiff_lzw"), scene(), 0),
        "16-bit tiff": (encoded(deep, "TIFF"), grey_rgb, 0),
        "tiff of two pages": (encoded(color, "TIFF", save_all=True, append_images=[alpha]), scene(), 0),
        "cmyk tiff": (encoded(color.convert("CMYK"), "TIFF"), scene(), 1),
        "webp": (encoded(color, "WEBP", quality=95), scene(), 4),
        "lossless webp": (encoded(color, "WEBP", lossless=True), scene(), 0),
        "webp of two images": (encoded(color, "WEBP", lossless=True, save_all=True, append_images=[alpha]), scene(), 0),
        "avif": (encoded(color, "AVIF", quality=95), scene(), 4),
    } | {f"jpeg turned {n}": (turned(color, n), np.array(color.transpose(way)), 3) for n, way in UPRIGHT.items()}


# What makes the image upright that a camera, held so, has stored: EXIF's orientations.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turned(image: Image.Image, orientation: int, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(
        image, kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {})
    )


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
    assert pixels.shape == expected.shape and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - expected).mean() <= tolerance
    assert read_picture(tmp_path / "image")[1:] == ((pixels.shape[1], pixels.shape[0]), 1)
    assert probe(tmp_path / "image") == (pixels.shape[1], pixels.shape[0])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> pd.DataFrame:
    """A label table of a file of every kind."""
    folder = tmp_path_factory.mktemp("corpus")
    for kind, (contents, _, _) in KINDS.items():
        (folder / kind).write_bytes(contents)
    return pd.DataFrame({"path": [str(folder / kind) for kind in KINDS], "source": "a", "smile": SMILE.classes[0]})


@pytest.mark.parametrize("method", ["bilinear", "sharp"])
def test_every_way_to_a_network_gives_the_same_pixels(corpus, method, tmp_path, monkeypatch):
    expected = np.stack([resize(read_image(path), 32, method) for path in corpus["path"]])
    spec = InputSpec([SMILE], 32, method)

    def seen(dataset) -> np.ndarray:
        return np.concatenate([images for images, _, _ in dataset])

    np.testing.assert_array_equal(seen(batches(corpus, spec, 8)), expected)
    table = check_images(corpus)
    assert table["path"].tolist() == corpus["path"].tolist() and table.attrs["skipped"] == []
    pack_shards(table, tmp_path / "shards", rows_per_shard=10)
    shards = read_shards(tmp_path / "shards")
    assert sorted(image.tobytes() for image in seen(shard_batches(shards, spec, 8))) == sorted(
        map(np.ndarray.tobytes, expected)
    )
    kept = seen(batches(table, spec, 8, shuffle=True))
    monkeypatch.setattr("mtl_keras.data.pipeline.IN_MEMORY", 0)
    np.testing.assert_array_equal(kept, seen(batches(table, spec, 8, shuffle=True)))
    assert sorted(image.tobytes() for image in kept) == sorted(image.tobytes() for image in expected)


@pytest.mark.filterwarnings("ignore:Truncated File Read", "ignore:Corrupt EXIF data")
def test_what_the_check_says_of_a_file_is_what_reading_it_gives(tmp_path):
    """Files of every kind, cut short anywhere: named by the check, or read as if they were whole."""
    wrong = []
    for kind, (contents, _, _) in KINDS.items():
        whole, length = decode(contents).pixels, len(contents)
        for cut in sorted({*range(1, 21), *range(21, length, length // 8)}):
            path = tmp_path / f"{kind}, {cut} bytes less"
            path.write_bytes(contents[: length - cut])
            try:
                # An end that is there to be skipped, or a second image, may be missing.
                if not np.array_equal(read_image(path), whole):
                    wrong.append(path.name)
                expected = ""
            except UserError as error:
                expected = str(error).removeprefix(f"{path}: ")
            if inspect_images([str(path)])["reason"].item() != expected or "png" in kind and not expected:
                wrong.append(path.name)
    assert wrong == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_file_is_a_copy_of_the_upright_one(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 256, (10, 20, 3), np.uint8)
    upright = Image.fromarray(noise).resize((200, 100), Image.Resampling.BICUBIC)
    upright.save(tmp_path / "upright.png")
    (tmp_path / "turned").write_bytes(turned(upright.transpose(Image.Transpose.ROTATE_90), 6, kind))
    paths = [str(tmp_path / name) for name in ("upright.png", "turned")]
    found = inspect_images(paths)
    assert found[["width", "height"]].to_numpy().tolist() == [[200, 100]] * 2
    assert probe(paths[1]) == read_picture(paths[1]).size == (200, 100)
    assert check_images(pd.DataFrame({"path": paths}))["image"].nunique() == 1


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"", "the file is empty"),
        (b"no picture", "not a JPEG, PNG, BMP, GIF, TIFF, WebP, AVIF or HEIC image"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "not a JPEG, PNG"),
        (b"GIF89a", "header is damaged"),
        (b"RIFF\0\0\0\0WEBP", "header is damaged"),
        (b"RIFF\0\0\0\0AVI LIST", "not a JPEG, PNG"),
        (encoded(Image.new("RGB", (1, 1)), "PNG"), "1 x 1 pixels are too few; expected at least 8 a side"),
        (encoded(Image.new("F", (9, 9)), "TIFF"), "pixels are numbers of 32 bits; expected 8 or 16"),
        (b"\xff\xd8\xff", "header is damaged"),
        (b"\x89PNG\r\n\x1a\n", "header is damaged"),
        (KINDS["jpeg"][0][:-200], "truncated or damaged"),
        (KINDS["png"][0][:-60], "truncated or damaged"),
        (KINDS["bmp"][0][:-60], "truncated or damaged"),
        (
            png(24_000, 24_000, zlib.compress(b"")),
            "24000 x 24000 pixels are too many; at most 268 million of a JPEG image, 67 million of others",
        ),
    ],
)
def test_bad_files_are_one_line_errors(tmp_path, contents, reason):
    path = tmp_path / "image.jpg"
    path.write_bytes(contents)
    with pytest.raises(UserError, match=reason) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_size_limit_is_judged_from_the_header(tmp_path):
    (tmp_path / "large.png").write_bytes(png(MOST_DECODED // 1024, 1025, b"no pixels at all"))
    with pytest.raises(UserError, match="65536 x 1025 pixels"):
        probe(tmp_path / "large.png")
    (tmp_path / "allowed.png").write_bytes(png(MOST_DECODED // 1024, 1024, b"no pixels at all"))
    assert probe(tmp_path / "allowed.png") == (65_536, 1024)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_very_large_images_are_read_smaller(monkeypatch, kind):
    """Here those of more than 500 pixels, in place of 50 million."""
    monkeypatch.setattr(images, "MOST_KEPT", 500)
    contents = turned(Image.fromarray(scene()), 6, kind)
    pixels, size, factor = decode(contents)
    assert size == (HEIGHT, WIDTH) and factor == 4 and pixels.shape == (WIDTH // 4, HEIGHT // 4, 3)
    expected = np.rot90(scene(), -1).reshape(WIDTH // 4, 4, HEIGHT // 4, 4, 3).mean(axis=(1, 3))
    assert np.abs(pixels - expected).mean() <= 3


def test_a_progressive_jpeg_counts_as_decoded_whole(monkeypatch):
    monkeypatch.setattr(images, "MOST_DECODED", HEIGHT * WIDTH - 1)
    assert decode(KINDS["jpeg"][0]).factor == 1
    for kind in ("progressive jpeg", "png", "webp"):
        with pytest.raises(UserError, match="60 x 40 pixels are too many"):
            decode(KINDS[kind][0])


def test_what_cannot_be_opened_here_says_why(monkeypatch):
    monkeypatch.setattr(features, "check", lambda feature: False)
    with pytest.raises(UserError, match="a WebP image, which this Pillow was built without"):
        decode(KINDS["webp"][0])
    heic = next(each for each in FORMATS if each.name == "HEIC")
    if heic.opener is None:
        with pytest.raises(UserError, match=r"a HEIC image; pip install 'mtl-keras\[heic\]'"):
            decode(b"\0\0\0\x1cftypheic")


def test_heic_images_are_read(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.fromarray(scene())).save(tmp_path / "image.heic", quality=95)
    assert np.abs(read_image(tmp_path / "image.heic").astype(int) - scene()).mean() <= 4


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.jpg: No such file"):
        probe(tmp_path / "none.jpg")
    with pytest.raises(UserError, match="not a regular file"):
        read_image(tmp_path)


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


def test_both_methods_enlarge_alike():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 37, 3), np.uint8)
    difference = resize(pixels, 48, "sharp").astype(int) - resize(pixels, 48)
    assert np.abs(difference).max() <= 1 and abs(difference.mean()) < 0.1
