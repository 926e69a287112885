"""From images to people: every face found, and what the model answers about it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
from tqdm import tqdm

from mtl_keras.data.images import Picture, check_range, check_side, decode, picture_of, read_picture, resize
from mtl_keras.errors import UserError
from mtl_keras.faces.cut import settings_for
from mtl_keras.faces.detectors import DETECTOR, Detector, find_detector
from mtl_keras.faces.geometry import Face, as_rgb
from mtl_keras.serving.person import Found, Person, answers_of
from mtl_keras.serving.reliability import cut_out
from mtl_keras.serving.runtime import Runtime, open_runtime
from mtl_keras.tasks import Task
from mtl_keras.training.model import MultiTaskModel

FACES = ("detect", "crop")
# In place of a detector's name: each image is a crop, or is taken whole.
NO_DETECTOR = "none"
Image = str | Path | bytes | PIL.Image.Image
# Images are held in memory together up to this number and this many pixels.
BATCH_IMAGES, BATCH_PIXELS = 64, 32_000_000
# And at most this number of crops goes through the network at once.
BATCH_CROPS = 64
# From this number of images on there is a progress bar.
MANY = 8


class _Seen(NamedTuple):
    """What a `Person` tells before anything is answered: the face, and its crop (S, S, 3) as the network sees it."""

    box: tuple[int, int, int, int]
    confidence: float | None
    landmarks: dict[str, tuple[float, float]] | None
    crop: np.ndarray
    reason: str = ""


class Predictor:
    """Answers about every person in an image, or about each image as a whole.

    `model` is a model, the folder of one, or what `open_runtime` gives; without one, that which comes with the package.
    `faces` says what the images are: "detect" for photos, in which faces are looked for and aligned as the model's
    crops are; "crop" for images that are to be taken whole, as crops of one face each, or pictures of anything else.
    `detector` finds the faces: one, or the name of one, of `mtl_keras.faces.detectors`; "none" is as `faces="crop"`.
    `tasks` are the names of what is answered, as `open_runtime` takes them.
    """

    def __init__(
        self,
        model: MultiTaskModel | Runtime | Path | str | None = None,
        faces: str = "detect",
        detector: str | Detector = DETECTOR,
        tasks: Sequence[str] | None = None,
    ):
        if faces not in FACES:
            raise UserError(f"faces {faces!r}: expected one of {', '.join(FACES)}")
        whole = faces == "crop" or detector == NO_DETECTOR
        self._detector = None if whole else find_detector(detector)
        self._runtime = open_runtime(model, tasks)
        self._crops = settings_for(self._runtime.crop)

    @property
    def tasks(self) -> list[Task]:
        """What is answered about each person."""
        return list(self._runtime.tasks)

    def __call__(self, images: Image | np.ndarray | Iterable[Image | np.ndarray]) -> list[Person] | list[list[Person]]:
        """Return the people in an image, the largest face first; of several images, a list for each.

        Images are as `predict` takes them; one that cannot be read is an error that names it.
        """
        people = []
        for number, found in enumerate(self.found(images)):
            if found.error:
                raise UserError(f"{found.path or f'image {number}'}: {found.error}")
            people.append(found.people)
        return people[0] if _is_one(images) else people

    def predict(self, images: Image | np.ndarray | Iterable[Image | np.ndarray]) -> list[dict]:
        """Return {"path", "error", "people"} for each image; the people of a photo in order of their size.

        An image is a path, the bytes of a file, a PIL image, or an array (H, W, 3) or (H, W) of 0..255, whole numbers
        or not; `images` is one, several, or an array (N, H, W, 3). The `path` of what came without one is null.
        A person has a `box` [x, y, width, height] in pixels of the upright image, `confidence`, `landmarks`
        {name: [x, y]} and `reliable` (all null for a face crop), the `reason` if it is not, and an answer a task:
        {"class", "probability"}, {"value", "std"} or a number for each of the task's outputs. What is wrong with an
        image that cannot be read stands in `error`.
        """
        images = _several(images)
        found = tqdm(self.found(images), "predicting", len(images), unit="image", disable=len(images) < MANY)
        return [
            {"path": path, "error": error, "people": [person.as_json() for person in people]}
            for path, people, error in found
        ]

    def found(self, images: Image | np.ndarray | Iterable[Image | np.ndarray]) -> Iterator[Found]:
        """Yield what is found in each image, as `predict` takes them; no more are in memory than one batch."""
        for batch in _batches(_several(images)):
            people = iter(self._people([picture for _, picture, _ in batch if picture is not None]))
            for path, picture, error in batch:
                yield Found(path, [] if picture is None else next(people), error)

    def about(self, pixels: np.ndarray, faces: list[Face]) -> list[Person]:
        """Return what is answered about each of these faces, which were found in an image (H, W, 3) uint8."""
        picture = Picture(pixels, (pixels.shape[1], pixels.shape[0]), 1)
        return self._answered([self._seen(picture, face) for face in faces])

    def _people(self, pictures: list[Picture]) -> list[list[Person]]:
        """Return the people of each picture; all crops go through the network together."""
        pixels = [picture.pixels for picture in pictures]
        found = self._detector.detect(pixels) if self._detector else [[None]] * len(pixels)
        pairs = zip(pictures, found, strict=True)
        everyone = iter(self._answered([self._seen(picture, face) for picture, faces in pairs for face in faces]))
        return [[next(everyone) for _ in faces] for faces in found]

    def _seen(self, picture: Picture, face: Face | None) -> _Seen:
        """Return a face, cut out as the network sees it; without a place of a face, the image is its crop."""
        size, method = self._runtime.image_size, self._runtime.resize_method
        if face is None:
            return _Seen((0, 0, *picture.size), None, None, resize(picture.pixels, size, method))
        crop, reason = cut_out(picture.pixels, face, self._crops)
        face = face.in_file(picture.size, picture.factor)
        return _Seen(face.box, face.confidence, face.landmarks, resize(crop, size, method), reason)

    def _answered(self, everyone: list[_Seen]) -> list[Person]:
        """Return the people whose faces these are, with what the network answers about their crops."""
        if not everyone:
            return []
        crops = np.stack([seen.crop for seen in everyone])  # (B, S, S, 3)
        parts = [self._runtime.run(crops[start : start + BATCH_CROPS]) for start in range(0, len(crops), BATCH_CROPS)]
        outputs = {task.name: np.concatenate([part[task.name] for part in parts]) for task in self.tasks}
        rows = zip(everyone, zip(*outputs.values(), strict=True), answers_of(self.tasks, outputs), strict=True)
        return [
            Person(box, confidence, landmarks, crop, dict(zip(outputs, given, strict=True)), answers, reason)
            for (box, confidence, landmarks, crop, reason), given, answers in rows
        ]


def _is_one(images: Image | np.ndarray | Iterable[Image | np.ndarray]) -> bool:
    return isinstance(images, Image) or (isinstance(images, np.ndarray) and images.ndim != 4)


def _several(images: Image | np.ndarray | Iterable[Image | np.ndarray]) -> Sequence[Image | np.ndarray]:
    """Return images one by one, of whatever `Predictor.predict` takes."""
    if _is_one(images):
        return [images]
    if not isinstance(images, Iterable) or hasattr(images, "read"):  # an open file would give its lines
        expected = "expected a path, the bytes of a file, a PIL image, an array of numbers, or several of these"
        raise UserError(f"images: got {images!r:.60}; {expected}")
    return images if isinstance(images, np.ndarray) else list(images)


def _batches(images: Iterable[Image | np.ndarray]) -> Iterator[list[tuple[str | None, Picture | None, str | None]]]:
    """Read images and yield lists of (path, picture, error), which together fit into memory."""
    batch, pixels = [], 0
    for number, given in enumerate(images):
        path, picture, error = None, None, None
        if isinstance(given, Image):
            path = str(given) if isinstance(given, str | Path) else None
            try:
                picture = _read(given)
            except UserError as wrong:
                error = str(wrong).removeprefix(f"{path}: ")
        else:
            image = as_pixels(given, f"image {number}")
            picture = Picture(image, (image.shape[1], image.shape[0]), 1)
        batch.append((path, picture, error))
        pixels += 0 if picture is None else picture.pixels.size // 3
        if len(batch) == BATCH_IMAGES or pixels >= BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _read(image: Image) -> Picture:
    if isinstance(image, bytes):
        return decode(image)
    return picture_of(image) if isinstance(image, PIL.Image.Image) else read_picture(image)


def as_pixels(image: np.ndarray, what: str) -> np.ndarray:
    """Return an array (H, W, 3) or (H, W) of 0..255 as (H, W, 3) uint8; anything else is an error that says `what`."""
    image = np.asarray(image)
    if image.dtype.kind not in "uif" or image.ndim not in (2, 3) or not image.size:
        raise UserError(
            f"{what}: got {image.dtype} of shape {image.shape}; expected a path, a PIL image, or numbers (H, W, 3)"
        )
    if image.dtype != np.uint8:
        check_range(image, what)
        image = np.round(image).astype(np.uint8)
    pixels = as_rgb(image, what)
    check_side(pixels.shape[1], pixels.shape[0], f"{what}: ")
    return pixels
