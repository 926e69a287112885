"""Whether a face shows enough for its answers to be relied on."""

import numpy as np

from mtl_keras.faces.cut import CropSettings
from mtl_keras.faces.geometry import Face

# In pixels, as the detector saw the image.
SMALLEST_EYE_DISTANCE = 16
# How far the nose may lie beside the middle of the eyes, and how much closer together than eyes and mouth the eyes may
# be: a head that is turned to the side shows both.
FARTHEST_NOSE, NARROWEST_EYES = 0.4, 0.6
# How much of the crop may lie beyond the photo.
MOST_OUTSIDE = 0.15
# The standard deviation of a pixel's difference to its neighbours (the Laplacian) over that of the pixels, between the
# eyes and the mouth of a crop.
LEAST_SHARPNESS = 0.08


def reason_of(face: Face, crop: np.ndarray, settings: CropSettings, size: tuple[int, int]) -> str:
    """Return what speaks against the answers about a face, or "" where nothing does.

    The face was found in an image of this (height, width) and cut out as the settings say: a crop (S, S, 3) uint8.
    Reasons are "too small", "turned away", "cut off" and "blurred", several with a comma between them.
    """
    eyes, (aside, width) = _eye_distance(face), _turning(face)
    reasons = {
        "too small": eyes < SMALLEST_EYE_DISTANCE,
        "turned away": abs(aside) > FARTHEST_NOSE or width < NARROWEST_EYES,
        "cut off": settings.share_outside(face, *size) > MOST_OUTSIDE,
        "blurred": _sharpness(crop, settings.widened.points) < LEAST_SHARPNESS,
    }
    return ", ".join(reason for reason, found in reasons.items() if found)


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


def _sharpness(crop: np.ndarray, points: np.ndarray) -> float:
    """Return the sharpness of the part of a crop (S, S, 3) that lies around its landmarks (5, 2), fractions of S."""
    margin = 0.1
    corners = np.stack([points.min(axis=0) - margin, points.max(axis=0) + margin])
    (left, top), (right, bottom) = np.rint(corners.clip(0, 1) * len(crop)).astype(int)
    grey = crop[top:bottom, left:right].mean(axis=-1, dtype=np.float32)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * grey[1:-1, 1:-1]).std() / max(grey.std(), 1e-6))
