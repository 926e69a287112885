"""Which faces of a photo are cut out and how, and the work of one process: photos in, crops on disk out."""

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf
from PIL import Image

from mtl_keras.boxes import box_numbers
from mtl_keras.data.images import SMALLEST_SIDE, Picture, read_picture
from mtl_keras.errors import UserError
from mtl_keras.faces.detectors import Detector
from mtl_keras.faces.geometry import LANDMARKS, UTKFACE_CROP, CropGeometry, Face, align, share_outside
from mtl_keras.faces.given import faces_in
from mtl_keras.files import no_link

FACES = ("largest", "central", "all")
QUALITY = 95


@dataclass(frozen=True)
class CropSettings:
    """Which faces are cut out, and how.

    `faces` is "largest"; "central", the one with most area x (1 - d)^2, where d is its distance from the middle of the
    photo, 1 in a corner; or "all". Crops have `size` pixels a side. The landmarks come to where `geometry` has them,
    in a crop that is wider by the share `margin` of its side on each side. A crop is turned until the head is upright,
    after which a label of roll is no longer true; with `keep_roll` it is not turned.
    """

    faces: str = "largest"
    size: int = 200
    margin: float = 0.0
    keep_roll: bool = False
    geometry: CropGeometry = UTKFACE_CROP

    def __post_init__(self):
        if self.faces not in FACES:
            raise UserError(f"faces {self.faces!r}: expected one of {', '.join(FACES)}")
        # At -0.3 the eyes of UTKFace's crops come to lie on the border.
        if not SMALLEST_SIDE <= self.size <= 4096 or not -0.3 <= self.margin <= 5:
            expected = f"expected size {SMALLEST_SIDE} to 4096, margin -0.3 to 5"
            raise UserError(f"size {self.size}, margin {self.margin}: {expected}")

    @property
    def widened(self) -> CropGeometry:
        """The geometry of the crops: that of the settings with the margin around it."""
        if not self.margin:
            return self.geometry
        points = (self.geometry.points + self.margin) / (1 + 2 * self.margin)
        kind = f"{self.geometry.kind}, margin {self.margin:g}"
        return CropGeometry(kind, dict(zip(LANDMARKS, points.tolist(), strict=True)), self.geometry.height)

    def choose(self, faces: list[Face], height: int, width: int) -> list[Face]:
        """Return the faces that are cut out of a photo of this height and width."""
        middle = np.array([width, height]) / 2

        def weight(face: Face) -> float:
            if self.faces != "central":
                return face.area
            x, y, face_width, face_height = face.box
            distance = np.hypot(*((x + face_width / 2, y + face_height / 2) - middle)) / np.hypot(*middle)
            return face.area * (1 - distance) ** 2

        faces = sorted(faces, key=weight, reverse=True)
        return faces if self.faces == "all" else faces[:1]

    def cut(self, image: np.ndarray, face: Face) -> np.ndarray:
        """Return the crop (size, size, 3) of a face in an image."""
        return align(image, self._placed(face), self.widened, self.size)

    def share_outside(self, face: Face, height: int, width: int) -> float:
        """Return how much of the crop of a face lies beyond its photo of this height and width: a part from 0 to 1."""
        return share_outside(self._placed(face), self.widened, height, width)

    def _placed(self, face: Face) -> Face:
        return _unturned(face, self.geometry) if self.keep_roll else face


def settings_for(geometry: CropGeometry) -> CropSettings:
    """Return how the faces are cut out that a model of this geometry answers about."""
    return CropSettings(keep_roll=geometry.keep_roll, geometry=replace(geometry, keep_roll=False))


class Photo(NamedTuple):
    """A photo to crop.

    `name` is that of its crops without an ending, `stamp` (bytes, time) tells whether the photo has changed, and
    `reason` says why it cannot be read if that is known already. Where faces are given by `boxes`, those are cut out;
    without one the settings choose, and in a table without boxes, where it is None, crops are numbered only with "all".
    """

    path: str
    name: str
    stamp: list[int]
    boxes: list[str] | None = None
    reason: str = ""


def crop_batch(photos: list[Photo], folder: Path, settings: CropSettings, detector: Detector) -> list[dict]:
    """Cut the faces out of some photos, write the crops, and return a line of the journal for each photo.

    A line holds photo, name, stamp, the number of `faces` found, `crops` ({file, box, confidence, landmarks}, in
    pixels of the upright photo), and the `reason` why the photo could not be read or cropped, else empty. Of a table
    with boxes it also holds the photo's `boxes`, and a crop by one of them that as `given`.
    """
    read, reasons = [], []
    for photo in photos:
        reason = photo.reason
        if not reason:
            try:
                read.append(read_picture(photo.path))
            except UserError as error:
                reason = str(error).removeprefix(f"{photo.path}: ")
        reasons.append(reason)
    found = iter(zip(read, detector.detect([picture.pixels for picture in read]), strict=True))
    lines = []
    for photo, reason in zip(photos, reasons, strict=True):
        faces, crops = [], []
        if not reason:
            picture, faces = next(found)
            chosen = _chosen(photo, picture, faces, settings)
            try:
                cuts = [settings.cut(picture.pixels, face) for face, _ in chosen]
            except UserError as error:  # landmarks from which no crop can be made
                chosen, cuts, reason = [], [], str(error)
            for number, ((face, given), cut) in enumerate(zip(chosen, cuts, strict=True), 1):
                numbered = settings.faces == "all" or photo.boxes is not None
                file = f"{photo.name}-{number}.jpg" if numbered else f"{photo.name}.jpg"
                _write(cut, folder / file)
                crops.append(_crop(file, face.in_file(picture.size, picture.factor)) | given)
        line = {"photo": photo.path, "name": photo.name, "stamp": photo.stamp}
        line |= {} if photo.boxes is None else {"boxes": photo.boxes}
        lines.append({**line, "faces": len(faces), "crops": crops, "reason": reason})
    return lines


def _chosen(photo: Photo, picture: Picture, faces: list[Face], settings: CropSettings) -> list[tuple[Face, dict]]:
    """Return the faces of a photo that are cut out, each with what its crop says of the box that was given."""
    height, width = picture.pixels.shape[:2]
    if not photo.boxes:
        return [(face, {}) for face in settings.choose(faces, height, width)]
    boxes = box_numbers(pd.Series(photo.boxes)) / picture.factor
    given = faces_in(boxes, faces, height, width)
    return [(face, {"given": box}) for face, box in zip(given, photo.boxes, strict=True) if face]


def crop_batch_elsewhere(
    photos: list[Photo], folder: Path, settings: CropSettings, detector: Detector, home: tuple[int, int]
) -> list[dict]:
    """Do `crop_batch` in a process that may be another than that of `home` (process number, threads for others)."""
    if os.getpid() != home[0]:
        _share_computer(home[1])
    return crop_batch(photos, folder, settings, detector)


@lru_cache(maxsize=1)
def _share_computer(threads: int) -> None:
    """Let TensorFlow take these threads and no GPU, of which it would claim all memory in every process."""
    try:
        tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError:
        pass  # TensorFlow works in this process already: the cluster's own workers may have done other things.


def _unturned(face: Face, geometry: CropGeometry) -> Face:
    """Return a face with the landmarks of the geometry, as large and in the same place, but not turned."""
    places = geometry.points @ (1, 1j)  # (5,), points as complex numbers: a factor scales and turns them
    found = face.points @ (1, 1j)
    places, middle = places - places.mean(), found.mean()
    scale = abs(np.vdot(places, found - middle)) / np.vdot(places, places).real
    points = {name: (point.real, point.imag) for name, point in zip(LANDMARKS, scale * places + middle, strict=True)}
    return replace(face, landmarks=points)


def _write(picture: np.ndarray, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb", opener=no_link) as file:
            Image.fromarray(picture).save(file, "JPEG", quality=QUALITY)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); make room, then call again") from None


def _crop(file: str, face: Face) -> dict:
    """Return what the journal says of a crop, in plain numbers: JSON knows none of numpy's."""
    return {
        "file": file,
        "box": [int(number) for number in face.box],
        "confidence": round(float(face.confidence), 4),
        "landmarks": {name: [round(float(x), 2), round(float(y), 2)] for name, (x, y) in face.landmarks.items()},
    }
