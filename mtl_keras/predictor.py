"""From images to people: every face found, and what the model answers about it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageColor, ImageDraw, ImageFont
from tqdm import tqdm

from mtl_keras import export
from mtl_keras.data.images import read_image, resize
from mtl_keras.datasets.files import image_files
from mtl_keras.errors import UserError
from mtl_keras.evaluate import answered
from mtl_keras.faces import UTKFACE_CROP, Face, FaceDetector, align
from mtl_keras.plots import COLORS
from mtl_keras.tasks import Task
from mtl_keras.trainer import MultiTaskModel

FACES = ("detect", "crop")
# Faces are cut out at the size of UTKFace's crops before they are scaled to the network's, as in training.
CROP_SIZE = 200
# Images are held in memory together up to this number and this many pixels.
BATCH_IMAGES, BATCH_PIXELS = 32, 32_000_000
# From this number of images on there is a progress bar.
MANY = 8
# A picture whose longer side is shorter than this is enlarged before labels are drawn on it.
SMALLEST_DRAWING = 480


class Predictor:
    """Answers about every person in an image, with a model or the folder of one.

    `faces` says what the images are: "detect" for photos, in which faces are looked for and aligned as the model's
    crops are; "crop" for images that each are the crop of one face already.
    """

    def __init__(self, model: MultiTaskModel | Path | str, faces: str = "detect"):
        if faces not in FACES:
            raise UserError(f"faces {faces!r}: expected one of {', '.join(FACES)}")
        built = isinstance(model, MultiTaskModel)
        self.model = model if built else export.load(model)
        self._geometry = UTKFACE_CROP if built else export.read_sidecar(model)["crop"]
        self._detector = FaceDetector() if faces == "detect" else None

    def predict(self, paths: Iterable[Path | str]) -> list[dict]:
        """Return {"path", "error", "people"} for each image; the people of a photo in order of their size.

        A person has a `box` [x, y, width, height] in pixels of the upright image, `confidence` and `landmarks`
        {name: [x, y]} (null for a face crop), and an answer a task: {"class", "probability"}, {"value", "std"} or a
        number for each of the task's outputs. What is wrong with an image that cannot be read stands in `error`.
        """
        paths = [str(path) for path in paths]
        results = []
        with tqdm(total=len(paths), desc="predicting", unit="image", disable=len(paths) < MANY) as bar:
            for batch in _batches(paths):
                results += self._predict_batch(batch)
                bar.update(len(batch))
        return results

    def _predict_batch(self, batch: list[tuple[str, np.ndarray | None, str | None]]) -> list[dict]:
        """Return the results for some (path, image, error)."""
        images = [image for _, image, _ in batch if image is not None]
        found = iter(self._detector.detect(images) if self._detector else [[None] for _ in images])
        results, crops = [], []
        for path, image, error in batch:
            people = []
            if image is not None:
                faces = next(found)
                try:
                    crops += [self._crop(image, face) for face in faces]
                    people = [_place(face, image) for face in faces]
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
        crop = image if face is None else align(image, face, self._geometry, CROP_SIZE)
        return resize(crop, self.model.image_size).numpy()

    def _answers(self, crops: np.ndarray) -> Iterator[dict]:
        """Yield {task: answer} for each of some face crops (B, S, S, 3) uint8."""
        outputs = self.model.predict(crops, batch_size=64, verbose=0)
        table = answered(pd.DataFrame(index=range(len(crops))), self.model.tasks, outputs)
        for _, row in table.iterrows():
            yield {task.name: _answer(task, row) for task in self.model.tasks}


def _batches(paths: Sequence[str]) -> Iterator[list[tuple[str, np.ndarray | None, str | None]]]:
    """Read images and yield lists of (path, image, error), which together fit into memory."""
    batch, pixels = [], 0
    for path in paths:
        image, error = None, None
        try:
            image = read_image(path)
        except UserError as wrong:
            error = str(wrong).removeprefix(f"{path}: ")
        batch.append((path, image, error))
        pixels += 0 if image is None else image.shape[0] * image.shape[1]
        if len(batch) == BATCH_IMAGES or pixels >= BATCH_PIXELS:
            yield batch
            batch, pixels = [], 0
    if batch:
        yield batch


def _place(face: Face | None, image: np.ndarray) -> dict:
    """Return where a face is: as it was found, or the whole image (H, W, 3) if that is a crop."""
    if face is None:
        return {"box": [0, 0, image.shape[1], image.shape[0]], "confidence": None, "landmarks": None}
    landmarks = {name: [round(x, 2), round(y, 2)] for name, (x, y) in face.landmarks.items()}
    return {"box": list(face.box), "confidence": round(face.confidence, 4), "landmarks": landmarks}


def _answer(task: Task, row: pd.Series) -> dict:
    """Return one task's answer from a row of `mtl_keras.evaluate.answered`."""
    if task.kind == "categorical":
        return {"class": str(row[f"{task.name}.class"]), "probability": _rounded(row[f"{task.name}.probability"])}
    if task.outputs:
        pairs = zip(task.outputs, task.columns, strict=True)
        return {output: _rounded(row[f"{column}.value"]) for output, column in pairs}
    # A regression tells no deviation; the key is there all the same, so that all ages read alike.
    return {"value": _rounded(row[f"{task.name}.value"]), "std": _rounded(row.get(f"{task.name}.std"))}


def _rounded(number: float | None) -> float | None:
    return None if number is None or not np.isfinite(number) else round(float(number), 4)


def find_images(paths: Iterable[Path | str]) -> list[str]:
    """Return the image files that these files and folders stand for, folders searched at any depth, each file once."""
    found = []
    for path in map(Path, paths):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; expected an image or a folder of images")
        inside = sorted(image_files(path)) if path.is_dir() else [str(path)]
        if not inside:
            raise UserError(f"{path}: holds no images; expected files that end in jpg, jpeg, png or bmp")
        found += inside
    return list(dict.fromkeys(found))


# === Words and pictures ===


def describe(person: dict) -> list[str]:
    """Return a line for each answer about a person: "age 31 ± 6", "female 98 %", "yaw 3, pitch -2, roll 0"."""
    lines = []
    for name, answer in person.items():
        if name in ("box", "confidence", "landmarks"):
            continue
        if "class" in answer:
            lines.append(f"{answer['class']} {_shown(answer['probability'], 100)} %".replace("_", " "))
        elif "value" in answer:
            spread = "" if answer["std"] is None else f" ± {_shown(answer['std'])}"
            lines.append(f"{name} {_shown(answer['value'])}{spread}".replace("_", " "))
        else:
            lines.append(", ".join(f"{output} {_shown(number)}" for output, number in answer.items()))
    return lines


def _shown(number: float | None, factor: float = 1) -> str:
    # Adding zero turns the "-0" of a small negative number into "0".
    return "?" if number is None else f"{round(factor * number) + 0}"


def draw(path: Path | str, people: list[dict]) -> Image.Image:
    """Return the image with a box around each person and the answers beside it.

    Lines and letters grow with the image, and a small image is enlarged so that they can be read.
    """
    image = Image.fromarray(read_image(path))
    scale = max(1.0, SMALLEST_DRAWING / max(image.size))
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
    line, letter = max(2, round(max(image.size) / 400)), max(14, round(max(image.size) / 50))
    canvas, font = ImageDraw.Draw(image), ImageFont.load_default(letter)
    boxes = [[round(number * scale) for number in person["box"]] for person in people]
    taken = [(x, y, x + max(width, 4), y + max(height, 4)) for x, y, width, height in boxes]
    for box, color in zip(list(taken), cycle(COLORS), strict=False):
        left, top, right, bottom = box
        # Boxes first, and with a light edge, so that no box crosses a label and all stand out on any ground.
        canvas.rectangle((left, top, right - 1, bottom - 1), outline="white", width=line + 2)
        canvas.rectangle((left + 1, top + 1, right - 2, bottom - 2), outline=color, width=line)
    for box, person, color in zip(list(taken), people, cycle(COLORS), strict=False):
        text = "\n".join(describe(person))
        if not text:
            continue
        size = canvas.multiline_textbbox((0, 0), text, font=font, spacing=line)[2:]
        size = tuple(int(side) + 2 * line for side in size)
        label = _label_place(box, size, image.size, taken)
        taken.append(label)
        red, green, blue = ImageColor.getrgb(color)
        ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else "black"
        canvas.rectangle((label[0], label[1], label[2] - 1, label[3] - 1), fill=color)
        canvas.multiline_text((label[0] + line, label[1] + line), text, fill=ink, font=font, spacing=line)
    return image


def _label_place(box: tuple, size: tuple, image: tuple, taken: list[tuple]) -> tuple[int, int, int, int]:
    """Return where a label (left, top, right, bottom) of this size hides least of what is taken, inside the image.

    The first of several equal places is above the box, then below it, then on either side.
    """
    left, top, right, bottom = box
    corners = ((left, top - size[1]), (left, bottom), (right, top), (left - size[0], top), (left, bottom - size[1]))
    places = []
    for x, y in corners:
        x, y = max(0, min(x, image[0] - size[0])), max(0, min(y, image[1] - size[1]))
        places.append((x, y, x + size[0], y + size[1]))
    return min(places, key=lambda place: sum(_overlap(place, other) for other in taken))


def _overlap(one: tuple, other: tuple) -> int:
    """Return the area that two rectangles (left, top, right, bottom) share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, width) * max(0, height)
