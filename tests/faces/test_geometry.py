"""Faces are cut out as the models know them."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image
from skimage import data

from mtl_keras.errors import UserError
from mtl_keras.faces.geometry import (
    CELEBA_CROP,
    CROPS,
    LANDMARKS,
    UTKFACE_CROP,
    CropGeometry,
    Face,
    align,
    share_outside,
)
from mtl_keras.faces.mtcnn import FaceDetector


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return data.astronaut()  # (512, 512, 3)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def face_at(points: np.ndarray) -> Face:
    """A face whose landmarks are these (5, 2) points."""
    return Face((0, 0, 1, 1), 1.0, dict(zip(LANDMARKS, map(tuple, points), strict=True)))


# === Cutting out ===


def test_aligned_crop_has_its_landmarks_in_place(detector, photo):
    turned = np.asarray(Image.fromarray(photo).rotate(20, expand=True))
    for image in (photo, turned):
        ((face,),) = detector.detect([image])
        crop = align(image, face)
        assert crop.shape == (200, 200, 3) and crop.dtype == np.uint8
        ((again,),) = detector.detect([crop])
        # The mouth may be off by more than the eyes: she smiles more broadly than the median face.
        np.testing.assert_allclose(list(again.landmarks.values()), UTKFACE_CROP.points * 200, atol=10)
        eyes = np.array([again.landmarks["left_eye"], again.landmarks["right_eye"]])
        np.testing.assert_allclose(eyes, UTKFACE_CROP.points[:2] * 200, atol=5)


def test_crop_of_a_crop_is_the_crop():
    image = np.asarray(Image.fromarray(noise(20, 20, 3)).resize((200, 200)))
    crop = align(image, face_at(UTKFACE_CROP.points * 200))
    # Pillow's bicubic filter rounds down.
    np.testing.assert_allclose(crop.astype(int), image, atol=1)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5, 8.0])
@pytest.mark.parametrize("degrees", [0, 30, -100])
def test_every_landmark_comes_to_its_place(scale, degrees):
    turn = np.radians(degrees)
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = (UTKFACE_CROP.points * 200 - 100) @ rotation.T + 1000  # (5, 2), in a photo of 2000 x 2000
    x, y = np.meshgrid(np.arange(2000) + 0.5, np.arange(2000) + 0.5)
    blobs = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * (4 * scale) ** 2)) for px, py in points]
    crop = align(np.rint(255 * np.max(blobs, axis=0)).astype(np.uint8), face_at(points))[:, :, 0].astype(float)
    for px, py in UTKFACE_CROP.points * 200:
        left, top = int(px) - 10, int(py) - 10
        window = crop[top : top + 21, left : left + 21]
        rows, columns = np.mgrid[top : top + 21, left : left + 21] + 0.5
        center = (columns * window).sum() / window.sum(), (rows * window).sum() / window.sum()
        np.testing.assert_allclose(center, (px, py), atol=0.3)


def test_shrinking_does_not_alias():
    stripes = np.zeros((1200, 1200), np.uint8)
    stripes[:, ::2] = 255
    crop = align(stripes, face_at(UTKFACE_CROP.points * 1200))
    assert np.ptp(crop[5:-5, 5:-5].astype(int)) < 10
    assert abs(crop.mean() - 127.5) < 3


def test_no_black_wedges_beyond_the_photo():
    image = np.full((60, 80, 3), (200, 150, 100), np.uint8)
    for points in (UTKFACE_CROP.points * 100 - (60, 20), UTKFACE_CROP.points[:, ::-1] * 300, UTKFACE_CROP.points + 500):
        crop = align(image, face_at(points), size=64)
        np.testing.assert_array_equal(crop, np.full((64, 64, 3), (200, 150, 100)))


def test_landmarks_in_one_point_are_an_error(photo):
    with pytest.raises(UserError, match="landmarks"):
        align(photo, face_at(np.full((5, 2), 100.0)))


@pytest.mark.parametrize("size", [0, -5])
def test_crop_of_no_size_is_an_error(photo, size):
    with pytest.raises(UserError, match="size"):
        align(photo, face_at(UTKFACE_CROP.points * 200), size=size)


def test_geometry_survives_json():
    assert CropGeometry(**json.loads(json.dumps(asdict(UTKFACE_CROP)))) == UTKFACE_CROP


@pytest.mark.parametrize("change", [{"nose": [0.5]}, {"nose": "ab"}, {"nose": [0.5, float("nan")]}, {"chin": [0.5, 1]}])
def test_broken_geometry_is_an_error(change):
    with pytest.raises(UserError, match="crop geometry"):
        CropGeometry("utkface", UTKFACE_CROP.landmarks | change)


def test_crops_are_in_color_whatever_the_photo():
    face, color = face_at(UTKFACE_CROP.points * 60), noise(60, 60, 3)
    transparent = np.dstack([color, noise(60, 60)])
    np.testing.assert_array_equal(align(transparent, face, size=50), align(color, face, size=50))
    gray = color[:, :, 0]
    np.testing.assert_array_equal(align(gray, face, size=50), align(np.dstack([gray] * 3), face, size=50))
    with pytest.raises(UserError, match="uint8"):
        align(color / 255, face)


@pytest.mark.realdata
def test_geometry_is_that_of_real_chips(detector, real_data):
    files = sorted((real_data / "UTKFace").iterdir())
    files = files[:: len(files) // 100]
    chips = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    found = detector.detect(chips)
    assert sum(len(faces) > 0 for faces in found) > 0.95 * len(files)
    points = [list(faces[0].landmarks.values()) for faces in found if faces]  # (N, 5, 2)
    np.testing.assert_allclose(np.median(points, axis=0) / 200, UTKFACE_CROP.points, atol=0.012)


def test_what_of_a_crop_lies_beyond_the_photo():
    # A crop that is the photo, and ones of which a half and three quarters lie beyond it.
    for shift, expected in (((0, 0), 0.0), ((50, 0), 0.5), ((-50, 50), 0.75)):
        face = face_at(UTKFACE_CROP.points * 100 + shift)
        assert share_outside(face, UTKFACE_CROP, 100, 100) == pytest.approx(expected, abs=0.03)
    oblong = face_at(CELEBA_CROP.points * (100, 127.7) + (0, 64))
    assert share_outside(oblong, CELEBA_CROP, 128, 100) == pytest.approx(0.5, abs=0.03)


def test_an_oblong_crop_is_cut_as_it_is_and_then_squeezed():
    # A photo that is such a crop already: 100 pixels wide and 128 high, white above the eyes.
    photo = np.full((128, 100, 3), 20, np.uint8)
    photo[:40] = 220
    face = face_at(CELEBA_CROP.points * (100, 128))
    crop = align(photo, face, CELEBA_CROP, 100)
    assert crop.shape == (100, 100, 3)
    edge = int(np.argmax(crop[:, 50, 0] < 120))
    assert abs(edge - 40 * 100 / 128) <= 1.5
    # What comes out is the photo itself, resized.
    assert (crop[: edge - 3] > 200).all() and (crop[edge + 3 :] < 40).all()


def test_crops_have_names_and_a_height_that_can_be():
    assert CROPS == {"utkface": UTKFACE_CROP, "celeba": CELEBA_CROP}
    assert CropGeometry(**json.loads(json.dumps(asdict(CELEBA_CROP)))) == CELEBA_CROP
    with pytest.raises(UserError, match="height 0.0, expected 0.1 to 10"):
        CropGeometry("flat", UTKFACE_CROP.landmarks, 0.0)
