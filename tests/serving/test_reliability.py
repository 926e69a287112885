"""What speaks against an answer: too few pixels, a turned head, a face cut off, a blur; and nothing else."""

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from mtl_keras.faces.cut import CropSettings
from mtl_keras.faces.detectors import find_detector
from mtl_keras.faces.geometry import CELEBA_CROP, LANDMARKS, UTKFACE_CROP, Face
from mtl_keras.serving.reliability import reason_of

SETTINGS = CropSettings()


def reason(photo: np.ndarray, points: np.ndarray, settings: CropSettings = SETTINGS) -> str:
    face = Face((0, 0, 1, 1), 1.0, dict(zip(LANDMARKS, map(tuple, points.tolist()), strict=True)))
    return reason_of(face, settings.cut(photo, face), settings, photo.shape[:2])


@pytest.fixture(scope="module")
def woman() -> tuple[np.ndarray, np.ndarray]:
    """A photo (NASA, public domain) and the landmarks of its face."""
    photo = data.astronaut()
    ((face,),) = find_detector("mtcnn").detect([photo])
    return photo, face.points


@pytest.mark.parametrize(
    "settings", [SETTINGS, CropSettings(keep_roll=True), CropSettings(geometry=CELEBA_CROP)], ids=str
)
def test_a_good_photo_is_reliable_whatever_its_size_and_angle(woman, settings):
    photo, points = woman
    assert reason(photo, points, settings) == ""
    large = np.asarray(Image.fromarray(photo).resize((2048, 2048), Image.Resampling.BICUBIC))
    assert reason(large, 4 * points, settings) == ""
    turned = np.ascontiguousarray(np.rot90(photo))  # to the left
    assert reason(turned, np.stack([points[:, 1], 512 - points[:, 0]], axis=1), settings) == ""


def test_each_reason_is_found_alone(woman):
    photo, points = woman
    small = np.asarray(Image.fromarray(photo).resize((100, 100)))
    assert reason(small, points * 100 / 512) == "too small"
    blurred = np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(5)))
    assert reason(blurred, points) == "blurred"
    left = int(points[:, 0].min()) - 2  # at the eye
    assert reason(photo[:, left:], points - (left, 0)) == "cut off"
    # The nose beside the eyes, to either side; and eyes that are close together, as from the side.
    for shift in (-0.6, 0.6):
        aside = points + np.outer(np.arange(5) == 2, (shift * (points[1, 0] - points[0, 0]), 0))
        assert reason(photo, aside) == "turned away"
    narrow = (points - points.mean(axis=0)) * (0.6, 1) + points.mean(axis=0)
    assert "turned away" in reason(photo, narrow)


def test_several_reasons_are_told_in_order(woman):
    photo, points = woman
    left = int(points[:, 0].min()) - 2
    part = Image.fromarray(photo[:, left:])
    tiny = np.asarray(part.resize((part.width // 6, part.height // 6)))
    assert reason(tiny, (points - (left, 0)) / 6) == "too small, cut off"


def test_landmarks_and_pixels_that_say_nothing_are_no_crash():
    plain = np.full((60, 60, 3), 90, np.uint8)
    points = UTKFACE_CROP.points * 60
    assert "blurred" in reason(plain, points)
    points[1] = points[0]
    assert "too small, turned away" in reason(plain, points)
