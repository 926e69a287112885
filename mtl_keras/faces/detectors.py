"""What finds faces in images: a detector is one file and one line here."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image

from mtl_keras.choices import configured
from mtl_keras.errors import UserError
from mtl_keras.faces.geometry import LANDMARKS, Face, as_rgb
from mtl_keras.tables import Table

DETECTORS = Table(
    "detector",
    {
        "mtcnn": "mtl_keras.faces.mtcnn:FaceDetector",
        "yunet": "mtl_keras.faces.yunet:YuNet",
    },
)
# What finds faces where nothing else is said.
DETECTOR = "mtcnn"
# In pixels: what detectors were made for, and what the settings count from.
SMALLEST_FACE = 20


@dataclass(frozen=True, kw_only=True)
class Detector:
    """What finds faces; the networks behind it are read when the first image comes, once a process.

    Faces smaller than `minimum_size` pixels (20 at least) are not looked for, and the larger it is the faster.
    An image whose longer side exceeds `maximum_side` is looked at scaled down to it; all answers are in pixels of the
    given image. Faces of less than `minimum_confidence` (0..1) are left out.
    """

    minimum_size: int = SMALLEST_FACE
    maximum_side: int = 1600
    minimum_confidence: float = 0.9

    def __post_init__(self):
        sizes = SMALLEST_FACE <= self.minimum_size <= self.maximum_side
        if not sizes or not 0 <= self.minimum_confidence <= 1:
            raise UserError(
                f"{self}: expected {SMALLEST_FACE} <= minimum_size <= maximum_side and minimum_confidence between 0 "
                "and 1"
            )

    @property
    def settings(self) -> dict:
        """All that decides which faces are found and where, as JSON gives it back."""
        return asdict(self)

    @property
    def quick(self) -> "Detector":
        """This detector, or one that finds the same boxes in less time, but less exact landmarks."""
        return self

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Return the faces of each image, those with the largest boxes first.

        Images are uint8 arrays (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), of any mix of sizes; alpha is left out.
        Anything else is a `UserError` that names its place in the list.
        """
        seen = [self._resize(as_rgb(image, f"image {index}")) for index, image in enumerate(images)]
        found = []
        for image, small, rows in zip(images, seen, self.rows(seen), strict=True):
            kept = rows[rows[:, 4] >= self.minimum_confidence]
            faces = [_face(row, image.shape[:2], small.shape[:2]) for row in kept]
            found.append(sorted(faces, key=lambda face: -face.area))
        return found

    def rows(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """Return rows (N, 15) for each of these images (H, W, 3) uint8, in which faces have at least 20 pixels.

        A row is left, top, right and bottom of a box, the confidence, and x and y of each of `LANDMARKS`, in pixels of
        that image.
        """
        raise NotImplementedError

    def _resize(self, image: np.ndarray) -> np.ndarray:
        """Scale an image down so that faces of `minimum_size` get the size that detectors look for."""
        height, width = image.shape[:2]
        scale = min(SMALLEST_FACE / self.minimum_size, self.maximum_side / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if scale >= 1:
            return image
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))


def find_detector(choice: str | Detector) -> Detector:
    """Return the detector of a name of DETECTORS, with settings behind a colon ("yunet:minimum_confidence=0.8")."""
    return choice if isinstance(choice, Detector) else configured(DETECTORS, choice)()


def _face(row: np.ndarray, size: tuple[int, int], seen: tuple[int, int]) -> Face:
    """Turn a row, found in an image seen as (height, width), into a face of the image of this (height, width)."""
    scale = np.array([size[1] / seen[1], size[0] / seen[0]])
    corners = np.rint(row[:4].reshape(2, 2) * scale).astype(int).clip(0, size[::-1])  # (x, y) of two corners
    points = row[5:].reshape(5, 2) * scale
    return Face(
        box=(*corners[0].tolist(), *(corners[1] - corners[0]).tolist()),
        confidence=float(row[4]),
        landmarks={name: (float(x), float(y)) for name, (x, y) in zip(LANDMARKS, points, strict=True)},
    )
