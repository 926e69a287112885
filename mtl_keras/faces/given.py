"""Faces whose boxes are given: each is the found face that lies there, or else one that the box alone gives."""

import numpy as np

from mtl_keras.data.images import SMALLEST_SIDE
from mtl_keras.faces.geometry import LANDMARKS, Face

# Measured: medians, made symmetric, over the boxes and landmarks that YuNet finds in 199 of 200 random photos of
# GENKI-4K and MTCNN in 198, as fractions of the box; the two differ by at most 0.03. A crop by the box alone is as
# large as that by the landmarks up to 3.5 %, and lies 13 pixels of 200 aside and 5 higher or lower (standard
# deviations): a head that is turned looks aside in its box.
IN_BOX = np.array([(0.265, 0.382), (0.735, 0.382), (0.5, 0.584), (0.292, 0.741), (0.708, 0.741)])
# A found face counts as the given one if their boxes have this share of what both cover together in common. Of one face
# the boxes of MTCNN and YuNet have 0.79 and more; a box of one and a half times the side, with the hair, still 0.3.
SAME_FACE = 0.3
# Of a box of which a smaller share lies in the photo nobody can be seen. It is a mistake, such as one in pixels of a
# larger copy, and its crop would be far larger than the photo.
LEAST_INSIDE = 0.1


def faces_in(boxes: np.ndarray, found: list[Face], height: int, width: int) -> list[Face | None]:
    """Return the face of each given box (N, 4) in a photo of this height and width, None where it lies outside,
    wholly or but for a tenth.

    Of the found faces each counts for the box that it shares most with, so that no box gets another person's. A face
    that was not found has the confidence 0, and stands upright in its box as faces mostly do.
    """
    shares = np.array([[_share(box, np.array(face.box)) for face in found] for box in boxes]).reshape(len(boxes), -1)
    faces: list[Face | None] = []
    for number, box in enumerate(boxes):
        own = shares[number] * (shares[number] >= SAME_FACE) * (shares.max(axis=0) == shares[number])  # (F,)
        left, top = box[:2].clip(0)
        right, bottom = np.minimum(box[:2] + box[2:], (width, height))
        inside = max(right - left, 0) * max(bottom - top, 0) / box[2:].prod()
        if min(right - left, bottom - top) < SMALLEST_SIDE or inside < LEAST_INSIDE:
            faces.append(None)
        elif own.any():
            faces.append(found[int(own.argmax())])
        else:
            points = box[:2] + IN_BOX * box[2:]
            seen = (round(left), round(top), round(right - left), round(bottom - top))
            faces.append(Face(seen, 0.0, dict(zip(LANDMARKS, map(tuple, points.tolist()), strict=True))))
    return faces


def _share(first: np.ndarray, second: np.ndarray) -> float:
    """Return the intersection of two boxes (4,) over their union."""
    corner = np.maximum(first[:2], second[:2])
    sides = (np.minimum(first[:2] + first[2:], second[:2] + second[2:]) - corner).clip(0)
    common = sides.prod()
    return float(common / (first[2:].prod() + second[2:].prod() - common))
