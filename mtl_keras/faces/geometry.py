"""Where the landmarks of a face lie in a photo and in a crop, and cutting it out so."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from mtl_keras.errors import UserError
from mtl_keras.tasks import Task

# The order in which MTCNN answers; left and right are the viewer's.
LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


@dataclass(frozen=True)
class Face:
    """A face found in an image.

    `box` is (x, y, width, height) in whole pixels and lies inside the image. `landmarks` holds the (x, y) of the five
    points of `LANDMARKS` in pixels, where (0, 0) is the upper left corner of the upper left pixel.
    """

    box: tuple[int, int, int, int]
    confidence: float
    landmarks: dict[str, tuple[float, float]]

    @property
    def points(self) -> np.ndarray:
        """The landmarks (5, 2) in the order of `LANDMARKS`."""
        return np.array([self.landmarks[name] for name in LANDMARKS])

    @property
    def area(self) -> int:
        """Area of the box in pixels."""
        return self.box[2] * self.box[3]

    def in_file(self, size: tuple[int, int], factor: int) -> "Face":
        """Return the face in pixels of a file of this (width, height), found in an image `factor` times smaller."""
        if factor == 1:
            return self
        x, y, width, height = (factor * number for number in self.box)
        # The smaller image may have half a pixel more.
        box = (x, y, min(width, size[0] - x), min(height, size[1] - y))
        points = {name: (factor * x, factor * y) for name, (x, y) in self.landmarks.items()}
        return Face(box, self.confidence, points)


@dataclass(frozen=True)
class CropGeometry:
    """Where the five landmarks lie in a square face crop, as fractions (x, y) of its side from the upper left corner.

    The square may show an oblong: `height` times as high as wide, and squeezed, as a network sees images that are not
    square. A head is turned upright; with `keep_roll` it stays as it is, for a network that was trained on such crops.
    It goes into a model's JSON as `dataclasses.asdict` gives it, and `CropGeometry(**fields)` reads that again.
    """

    kind: str
    landmarks: dict[str, tuple[float, float]]
    height: float = 1.0
    keep_roll: bool = False

    def __post_init__(self):
        # JSON knows no tuples; a geometry read again must equal the one that was written.
        try:
            points = {name: (float(x), float(y)) for name, (x, y) in self.landmarks.items()}
        except (AttributeError, TypeError, ValueError):
            points = {}
        if set(points) != set(LANDMARKS) or not np.isfinite(list(points.values())).all():
            raise UserError(f"crop geometry: got {self.landmarks}, expected (x, y) fractions of {', '.join(LANDMARKS)}")
        if not 0.1 <= self.height <= 10:
            raise UserError(f"crop geometry: got the height {self.height}, expected 0.1 to 10 times the width")
        object.__setattr__(self, "landmarks", points)

    def for_tasks(self, tasks: Iterable[Task]) -> "CropGeometry":
        """Return how faces are cut out for a network of these tasks.

        A head that is turned upright has no longer its roll, so where one of them is oriented it is not turned.
        """
        return replace(self, keep_roll=self.keep_roll or any(task.oriented for task in tasks))

    @property
    def points(self) -> np.ndarray:
        """The landmarks (5, 2) in the order of `LANDMARKS`."""
        return np.array([self.landmarks[name] for name in LANDMARKS])


# Measured: medians over the landmarks that FaceDetector finds in 396 of 400 random UTKFace chips (200 x 200 pixels).
# Their standard error is below 0.003. Fitting the five points to a chip's own landmarks gives that chip back up to
# 3.3 % in scale, 1.8 degrees and 2.1 pixels (standard deviations); the eyes alone give 6.5 %, 2.1 degrees, 4.8 pixels.
UTKFACE_CROP = CropGeometry(
    kind="utkface",
    landmarks={
        "left_eye": (0.300, 0.292),
        "right_eye": (0.688, 0.293),
        "nose": (0.490, 0.522),
        "mouth_left": (0.318, 0.689),
        "mouth_right": (0.667, 0.689),
    },
)

# Measured: medians over the landmarks that FaceDetector finds in 231 of 240 random CelebA faces that were cut out
# tightly, about 83 x 107 pixels; the published aligned images of 178 x 218 pixels show more around the face.
CELEBA_CROP = CropGeometry(
    kind="celeba",
    landmarks={
        "left_eye": (0.274, 0.377),
        "right_eye": (0.748, 0.379),
        "nose": (0.522, 0.604),
        "mouth_left": (0.296, 0.766),
        "mouth_right": (0.736, 0.768),
    },
    height=1.277,
)
CROPS = {geometry.kind: geometry for geometry in (UTKFACE_CROP, CELEBA_CROP)}


def align(image: np.ndarray, face: Face, geometry: CropGeometry = UTKFACE_CROP, size: int = 200) -> np.ndarray:
    """Cut a face out so that its landmarks lie where the geometry has them: uint8 image -> (size, size, 3) uint8.

    The photo is turned, scaled and shifted, never stretched: the similarity transform of least squared error between
    the five landmarks (Umeyama, 1991). Where the crop reaches beyond the photo, the photo's edge is repeated. Only if
    the geometry shows an oblong, that is squeezed into the square at last.
    """
    image = as_rgb(image, "image")
    if size < 1:
        raise UserError(f"align: size is {size}, expected at least 1 pixel")
    high = round(size * geometry.height)
    to_photo = _similarity(geometry.points * (size, high), face.points)  # (2, 3), from the crop to the photo
    pixels = np.hypot(*to_photo[:, 0])  # pixels of the photo in one of the crop
    if not 1e-6 < pixels < np.inf:
        raise UserError(f"align: the landmarks {face.landmarks} lie in one point, expected those of a face")
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, high, 1], [size, high, 1]]) @ to_photo.T  # (4, 2)
    # Two pixels more on each side, since the bicubic filter looks that far.
    left, top = np.floor(corners.min(axis=0)).astype(int) - 2
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 2
    rows = np.clip(np.arange(top, bottom), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, right), 0, image.shape[1] - 1)
    region = Image.fromarray(image[rows[:, None], columns])

    # Pillow's affine transform takes single pixels, so a larger face is first scaled down with a filter.
    to_photo[:, 2] -= left, top
    if pixels > 1:
        reduced = (max(1, round(region.width / pixels)), max(1, round(region.height / pixels)))
        to_photo *= np.array([[reduced[0] / region.width], [reduced[1] / region.height]])
        region = region.resize(reduced, Image.Resampling.LANCZOS)
    crop = region.transform((size, high), Image.Transform.AFFINE, to_photo.ravel(), Image.Resampling.BICUBIC)
    return np.asarray(crop if high == size else crop.resize((size, size), Image.Resampling.LANCZOS))


def share_outside(face: Face, geometry: CropGeometry, height: int, width: int) -> float:
    """Return how much of the crop of a face lies beyond its photo of this height and width: a part from 0 to 1."""
    steps = (np.arange(20) + 0.5) / 20
    grid = np.stack([*np.meshgrid(steps, steps * geometry.height), np.ones((20, 20))], axis=-1).reshape(-1, 3)
    places = grid @ _similarity(geometry.points * (1, geometry.height), face.points).T  # (400, 2)
    return float(((places < 0) | (places > (width, height))).any(axis=1).mean())


def as_rgb(image: np.ndarray, name: str) -> np.ndarray:
    """Return a uint8 image (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) as (H, W, 3); alpha is left out."""
    expected = "expected a uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); decode it with Pillow first"
    if not isinstance(image, np.ndarray):
        raise UserError(f"{name}: got a {type(image).__name__}, {expected}")
    gray = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
    if image.dtype != np.uint8 or not image.size or not (gray or (image.ndim == 3 and image.shape[2] in (3, 4))):
        raise UserError(f"{name}: got a {image.dtype} array {image.shape}, {expected}")
    if gray:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return image[:, :, :3]


def _similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the (2, 3) rotation, scale and shift that takes points (N, 2) to others with the least squared error."""
    x, y = source.T
    one, zero = np.ones_like(x), np.zeros_like(x)
    # Two rows a point: u = a x - b y + s and v = b x + a y + t are linear in the four unknowns.
    rows = np.concatenate([np.stack([x, -y, one, zero], axis=1), np.stack([y, x, zero, one], axis=1)])  # (2N, 4)
    a, b, shift_x, shift_y = np.linalg.lstsq(rows, target.T.ravel())[0]
    return np.array([[a, -b, shift_x], [b, a, shift_y]])
