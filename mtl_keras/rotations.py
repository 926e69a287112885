"""Poses of heads as rotations: yaw, pitch and roll in degrees, with the signs and the order of 300W-LP and AFLW2000-3D.

As the viewer sees the image, positive yaw turns the face towards the image's left (to the person's own right),
positive pitch lifts the chin, and positive roll tilts the head clockwise, the crown towards the image's right.
With x to the image's right, y up and z towards the viewer, a point of the upright frontal head goes to
X(pitch) Y(yaw) Z(roll) point, where each is a turn by the negative angle about its axis.
"""

from collections.abc import Mapping

import numpy as np

from mtl_keras.colors import BLUE, GREEN, VERMILION

ANGLES = ("yaw", "pitch", "roll")


def rotation_of(angles: np.ndarray) -> np.ndarray:
    """Return the rotations (..., 3, 3) of yaw, pitch and roll (..., 3) in degrees."""
    yaw, pitch, roll = np.moveaxis(np.radians(angles), -1, 0)
    (sin_y, sin_p, sin_r), (cos_y, cos_p, cos_r) = ((f(yaw), f(pitch), f(roll)) for f in (np.sin, np.cos))
    rows = (
        (cos_y * cos_r, cos_y * sin_r, -sin_y),
        (sin_p * sin_y * cos_r - cos_p * sin_r, sin_p * sin_y * sin_r + cos_p * cos_r, sin_p * cos_y),
        (cos_p * sin_y * cos_r + sin_p * sin_r, cos_p * sin_y * sin_r - sin_p * cos_r, cos_p * cos_y),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def angles_of(rotations: np.ndarray) -> np.ndarray:
    """Return yaw (-90 to 90), pitch and roll (..., 3) in degrees of rotations (..., 3, 3)."""
    yaw = np.arctan2(-rotations[..., 0, 2], np.hypot(rotations[..., 1, 2], rotations[..., 2, 2]))
    pitch = np.arctan2(rotations[..., 1, 2], rotations[..., 2, 2])
    roll = np.arctan2(rotations[..., 0, 1], rotations[..., 0, 0])
    return np.degrees(np.stack([yaw, pitch, roll], axis=-1))


def tilted_last(angles: np.ndarray) -> np.ndarray:
    """Return the yaw, pitch and roll (..., 3) of the same heads where they nod first, then turn, and tilt last.

    Roll is then the slope of the eyes in the image, and pitch how far a face is lifted from its own neck.
    """
    # Turns in the reverse order by the reverse angles are the inverse rotation.
    return -angles_of(np.swapaxes(rotation_of(angles), -1, -2))


def tilted_first(angles: np.ndarray) -> np.ndarray:
    """Return the yaw, pitch and roll (..., 3) of heads of which these are the angles that `tilted_last` gives."""
    return angles_of(np.swapaxes(rotation_of(-angles), -1, -2))


def geodesic(angles: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return by how many degrees (...,) one would turn the heads of `angles` (..., 3) to get those of `others`.

    It is the angle of the one rotation between them, 0 to 180, however it falls to the three angles.
    Source: Huynh, Metrics for 3D rotations, 2009.
    """
    trace = np.sum(rotation_of(angles) * rotation_of(others), axis=(-2, -1))
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def axes(answer: Mapping[str, float | None]) -> list[tuple[str, float, float]]:
    """Return how three axes of a head of this yaw, pitch and roll lie in the image, as (color, x, y), the nearest last.

    Each is 1 long in space; x is to the image's right and y down. They point from a frontal face to the image's right
    (orange), down (green) and out of it (blue). Without one of the angles there are none.
    """
    angles = [answer.get(name) for name in ANGLES]
    if None in angles:
        return []
    right, up, out = rotation_of(np.array(angles)).T
    ends = zip((VERMILION, GREEN, BLUE), (right, -up, out), strict=True)
    return [(color, float(x), -float(y)) for color, (x, y, _) in sorted(ends, key=lambda end: end[1][2])]
