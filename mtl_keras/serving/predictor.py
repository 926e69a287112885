"""From images to people: every face found, and what the model answers about it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
from tqdm import tqdm

from mtl_keras.data.images import Picture, check_range, check_side, picture_of, read_picture, resize
from mtl_keras.errors import UserError
from mtl_keras.evaluation.predictions import with_predictions
from mtl_keras.faces.cut import settings_for
from mtl_keras.faces.geometry import UTKFACE_CROP, Face, as_rgb
from mtl_keras.faces.mtcnn import FaceDetector
from mtl_keras.files import EXTENSIONS, image_files
from mtl_keras.kinds import kind_of
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel

FACES = ("detect", "crop")
Image = str | Path | PIL.Image.Image
# Images are held in memory together up to this number and this many pixels.
BATCH_IMAGES, BATCH_PIXELS = 32, 32_000_000
# From this number of images on there is a progress bar.
MANY = 8


class Predictor:
    """Answers about every person in an image, or about each image as a whole.

    `model` is a model, or the folder of one. `faces` says what the images are: "detect" for photos, in which faces are
    looked for and aligned as the model's crops are; "crop" for images that are to be taken whole, as crops of one face
    each, or pictures of anything else.
    """

    def __init__(self, model: MultiTaskModel | Path | str, faces: str = "detect"):
        if faces not in FACES:
            raise UserError(f"faces {faces!r}: expected one of {', '.join(FACES)}")
        built = isinstance(model, MultiTaskModel)
        self.model = model if built else model_folder.load(model)
        geometry = UTKFACE_CROP if built else model_folder.read_sidecar(model)["crop"]
        self._crops = settings_for(self.model.tasks, geometry)
        self._detector = FaceDetector() if faces == "detect" else None

    def predict(self, images: Image | np.ndarray | Iterable[Image | np.ndarray]) -> list[dict]:
        """Return {"path", "error", "people"} for each image; the people of a photo in order of their size.

        An image is a path, a PIL image, or an array (H, W, 3) or (H, W) of 0..255, whole numbers or not; `images` is
        one, several, or an array (N, H, W, 3). The `path` of what came without one is null.
        A person has a `box` [x, y, width, height] in pixels of the upright image, `confidence` and `landmarks`
        {name: [x, y]} (null for a face crop), and an answer a task: {"class", "probability"}, {"value", "std"} or a
        number for each of the task's outputs. What is wrong with an image that cannot be read stands in `error`.
        """
        images = _several(images)
        results = []
        with tqdm(total=len(images), desc="predicting", unit="image", disable=len(images) < MANY) as bar:
            for batch in _batches(images):
                results += self._predict_batch(batch)
                bar.update(len(batch))
        return results

    def _predict_batch(self, batch: list[tuple[str | None, Picture | None, str | None]]) -> list[dict]:
        """Return the results for some (path, picture, error)."""
        images = [picture.pixels for _, picture, _ in batch if picture is not None]
        found = iter(self._detector.detect(images) if self._detector else [[None] for _ in images])
        results, crops = [], []
        for path, picture, error in batch:
            people = []
            if picture is not None:
                faces = next(found)
                try:
                    crops += [self._crop(picture.pixels, face) for face in faces]
                    people = [_place(face, picture) for face in faces]
                except UserError as wrong:  # landmarks from which no crop can be made
                    error = str(wrong)
            results.append({"path": path, "error": error, "people": people})
        people = [person for result in results for person in result["people"]]
        if people:
            for person, answers in zip(people, self._answers(np.stack(crops)), strict=True):
                person.update(answers)
        return results

    def _crop(self, image: np.ndarray, face: Face | None) -> np.ndarray:
        """Return a face (S, S, 3) as the network sees it; without a place of a face, the image is its crop."""
        crop = image if face is None else self._crops.cut(image, face)
        return resize(crop, self.model.image_size, self.model.resize_method)

    def _answers(self, crops: np.ndarray) -> Iterator[dict]:
        """Yield {task: answer} for each of some face crops (B, S, S, 3) uint8."""
        outputs = self.model.predict(crops, batch_size=64, verbose=0)
        table = with_predictions(pd.DataFrame(index=range(len(crops))), self.model.tasks, outputs)
        for _, row in table.iterrows():
            yield {task.name: kind_of(task).as_json(row) for task in self.model.tasks}


def _several(images: Image | np.ndarray | Iterable[Image | np.ndarray]) -> Sequence[Image | np.ndarray]:
    """Return images one by one, of whatever `Predictor.predict` takes."""
    if isinstance(images, str | Path | PIL.Image.Image):
        return [images]
    if not isinstance(images, np.ndarray):
        return list(images)
    return images if images.ndim == 4 else [images]


def _batches(images: Iterable[Image | np.ndarray]) -> Iterator[list[tuple[str | None, Picture | None, str | None]]]:
    """Read images and yield lists of (path, picture, error), which together fit into memory."""
    batch, pixels = [], 0
    for number, given in enumerate(images):
        path, picture, error = None, None, None
        if isinstance(given, str | Path):
            path = str(given)
            try:
                picture = read_picture(path)
            except UserError as wrong:
                error = str(wrong).removeprefix(f"{path}: ")
        elif isinstance(given, PIL.Image.Image):
            picture = picture_of(given)
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


def as_pixels(image: np.ndarray, what: str) -> np.ndarray:
    """Return an array (H, W, 3) or (H, W) of 0..255 as (H, W, 3) uint8; anything else is an error that says `what`."""
    image = np.asarray(image)
    if image.dtype.kind not in "uif" or image.ndim not in (2, 3) or not image.size:
        raise UserError(
            f"{what}: got {image.dtype} of shape {image.shape}; expected a path, a PIL image, or numbers (H, W, 3)"
        )
    check_range(image, what)
    pixels = as_rgb(np.round(image).astype(np.uint8), what)
    check_side(pixels.shape[1], pixels.shape[0], f"{what}: ")
    return pixels


def _place(face: Face | None, picture: Picture) -> dict:
    """Return where a face is in its file: as it was found, or the whole image if that is a crop."""
    if face is None:
        return {"box": [0, 0, *picture.size], "confidence": None, "landmarks": None}
    face = face.in_file(picture.size, picture.factor)
    landmarks = {name: [round(x, 2), round(y, 2)] for name, (x, y) in face.landmarks.items()}
    return {"box": list(face.box), "confidence": round(face.confidence, 4), "landmarks": landmarks}


def find_images(paths: Iterable[Path | str]) -> dict[str, str]:
    """Return {image: its name} for the images that these files and folders stand for, each file once.

    Folders are searched at any depth; the name of an image in one of them begins below it.
    """
    found = {}
    for path in map(Path, paths):
        if not os.path.exists(path):
            raise UserError(f"{path}: no such file or folder; expected an image or a folder of images")
        inside = {image: os.path.relpath(image, path) for image in sorted(image_files(path))}
        if path.is_dir() and not inside:
            raise UserError(f"{path}: holds no images; expected files that end in {', '.join(EXTENSIONS)}")
        inside = inside or {str(path): path.name}
        found |= {image: name for image, name in inside.items() if image not in found}
    return found
