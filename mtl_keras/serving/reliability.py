"""Whether a face shows enough for its answers to be relied on."""

import numpy as np
from PIL import Image

from mtl_keras.data.images import resize
from mtl_keras.errors import UserError
from mtl_keras.faces.cut import CropSettings
from mtl_keras.faces.geometry import Face

REASONS = ("too small", "turned away", "cut off", "blurred")
# Chosen by the answers of one network of 50 x 50 pixels, trained on 9,000 faces of UTKFace and two thirds of GENKI-4K.
# It answered about 1,890 faces of FairFace (gender: 73 % right) and 1,056 others of GENKI-4K (smile: 93 %) that MTCNN
# found.
# Between the eyes, in pixels as the detector saw the image. Scaled down to 16 pixels smiles were as right as before, to
# 10 by 0.1 points less, to 8 by 2, to 6 by 8.
SMALLEST_EYE_DISTANCE = 10
# How far the nose may lie beside the middle of the eyes, in distances of the eyes: 0.1 for about ten degrees that the
# head is turned by. And how far apart the eyes must be, in distances from there to the mouth. Beyond the first 66 %
# were right of gender, beyond the second 61 %.
FARTHEST_NOSE, NARROWEST_EYES = 0.5, 0.7
# How much of the crop may lie beyond the photo: above, 62 % were right.
MOST_OUTSIDE = 0.2
# The standard deviation of a pixel's difference to its neighbours (the Laplacian) over that of the pixels, around the
# eyes and the mouth of a crop that is no larger than the face in the photo: below, 47 % were right.
LEAST_SHARPNESS = 0.07
# How far around the landmarks that is, in sides of the crop.
MARGIN = 0.1


def cut_out(pixels: np.ndarray, face: Face, settings: CropSettings) -> tuple[np.ndarray, str]:
    """Return the crop (S, S, 3) uint8 of a face in an image (H, W, 3) uint8, and what speaks against answers about it.

    A face whose landmarks lie in one point is cut out as its box has it: that says little of anybody.
    """
    try:
        crop = settings.cut(pixels, face)
    except UserError:
        (x, y, width, height), (high, wide) = face.box, pixels.shape[:2]
        left, top = min(x, wide - 1), min(y, high - 1)
        crop = resize(pixels[top : top + max(height, 1), left : left + max(width, 1)], settings.size)
    return crop, reason_of(face, crop, settings, pixels.shape[:2])


def reason_of(face: Face, crop: np.ndarray, settings: CropSettings, size: tuple[int, int]) -> str:
    """Return what speaks against the answers about a face, or "" where nothing does.

    The face was found in an image of this (height, width) and cut out as the settings say: a crop (S, S, 3) uint8.
    Several of REASONS have a comma between them.
    """
    eyes, (aside, width) = _eye_distance(face), _turning(face)
    found = (
        eyes < SMALLEST_EYE_DISTANCE,
        abs(aside) > FARTHEST_NOSE or width < NARROWEST_EYES,
        settings.share_outside(face, *size) > MOST_OUTSIDE,
        _sharpness(crop, settings.widened.points, eyes) < LEAST_SHARPNESS,
    )
    return ", ".join(reason for reason, true in zip(REASONS, found, strict=True) if true)


def _eye_distance(face: Face) -> float:
    left, right = face.points[:2]
    return float(np.hypot(*(right - left)))


def _turning(face: Face) -> tuple[float, float]:
    """Return how far the nose lies beside the middle of the eyes, and the eyes' distance to that of eyes and mouth.

    The first is in distances of the eyes, to the viewer's right.
    """
    left, right, nose, mouth_left, mouth_right = face.points @ (1, 1j)  # points as complex numbers
    across, middle = right - left, (left + right) / 2
    down = abs((mouth_left + mouth_right) / 2 - middle)
    aside = ((nose - middle) / across).real if across else np.inf
    return float(aside), float(abs(across) / max(down, 1e-9))


def _sharpness(crop: np.ndarray, points: np.ndarray, eyes: float) -> float:
    """Return the sharpness of the part of a crop (S, S, 3) that lies around its landmarks (5, 2), fractions of S.

    `eyes` is how many pixels apart they were in the photo: a crop that is larger shows no more, and is scaled back.
    """
    side = min(len(crop), round(eyes / np.hypot(*(points[1] - points[0]))))
    if side < 8:
        return 0.0
    if side < len(crop):
        crop = np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.BILINEAR))
    corners = np.stack([points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN])
    (left, top), (right, bottom) = np.rint(corners.clip(0, 1) * side).astype(int)
    grey = crop[top:bottom, left:right].mean(axis=-1, dtype=np.float32)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * grey[1:-1, 1:-1]).std() / max(grey.std(), 1e-6))
