"""A JPEG image that lacks much of what its header promises is damaged; one that is flat is not."""

import io

import numpy as np
import pytest
from PIL import Image

from mtl_keras.data.images import decode
from mtl_keras.data.jpeg import MISSING, _frame_and_data
from mtl_keras.errors import UserError

# How encoders write them.
KINDS = [{}, {"progressive": True}, {"optimize": True}, {"subsampling": 0, "quality": 98}, {"restart_marker_rows": 1}]
every_kind = pytest.mark.parametrize("how", KINDS, ids=str)


def encoded(pixels, mode="RGB", **how):
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", **how)
    return file.getvalue()


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (160, 160, 3), dtype=np.uint8)


@every_kind
def test_an_image_of_which_much_is_missing_is_damaged(noise, how):
    contents = encoded(noise, **how)
    start = _frame_and_data(contents)[1]
    # Of a progressive image the first scan holds a coarse whole.
    end = contents.index(b"\xff\xc4", start) if "progressive" in how else len(contents)
    for share in (0.0, 0.1, 0.4):
        cut = contents[: start + int(share * (end - start))] + b"\xff\xd9"
        with pytest.raises(UserError, match="much of the JPEG image is missing"):
            decode(cut)
        with pytest.raises(UserError, match="much of the JPEG image is missing"):
            decode(cut, smallest=32)
    assert decode(contents).size == (160, 160)


@every_kind
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_an_image_that_is_grey_is_whole(noise, how, mode):
    noise = noise.copy()
    for top in (160, 40, 0):
        noise[top:] = 128
        assert decode(encoded(noise, mode, **how)).size == (160, 160)
    assert decode(encoded(np.full((600, 600, 3), 128, np.uint8), mode, **how)).size == (600, 600)


def test_a_header_that_promises_far_more_is_refused_before_it_is_decoded(noise, monkeypatch):
    contents = encoded(noise)
    at = contents.index(b"\xff\xc0") + 5
    lying = contents[:at] + (7000).to_bytes(2, "big") * 2 + contents[at + 4 :]
    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.load", None)
    with pytest.raises(UserError, match="^" + MISSING.replace("(", r"\(").replace(")", r"\)")):
        decode(lying)
