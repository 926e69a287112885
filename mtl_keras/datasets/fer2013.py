"""FER2013: 48 x 48 grey faces with one of seven expressions (Goodfellow et al., 2013, https://arxiv.org/abs/1307.0414).

Either class folders (`train/happy/1.png`), or `fer2013.csv` with the columns emotion (0 angry, 1 disgust, 2 fear,
3 happy, 4 sad, 5 surprise, 6 neutral), pixels (2,304 numbers) and Usage (Training, PublicTest, PrivateTest, here train,
validation, test). `icml_face_data.csv`, as the competition's page gives it out, has blanks before two of these names.
Some images are there twice under different labels.
The data (research use) are at https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from mtl_keras.columns import Header, match_header
from mtl_keras.datasets.class_folders import SPLITS, read_class_folders
from mtl_keras.datasets.lists import header_notes, refuse
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.files import folder_of, image_files, replacing_folder
from mtl_keras.state_files import count, read_json, read_or_none
from mtl_keras.tasks import EXPRESSION, TABLE_COLUMNS

LISTS, IMAGES, SIDE = ("fer2013.csv", "icml_face_data.csv"), "fer2013_images", 48
COLUMNS = ("emotion", "pixels", "Usage")
# A hidden file in the folder of images: which list they were written from, and what was odd in it.
WRITTEN_FROM = ".written_from.json"
NOTES = [{"path": str, "reason": str}]
NOTED = {"sha256": str, "images": count, "skipped": NOTES, "deviations": NOTES}
ROWS_AT_ONCE = 2000


def fer2013(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read FER2013, class folders or one of its CSV files, into a label table of expressions with its split.

    The images of a CSV file are first written as PNG files into the folder `fer2013_images` beside it, once, and anew
    when the file has changed. Rows that are no image are in `attrs["skipped"]`, odd columns in `attrs["deviations"]`;
    with `strict` the first of either is an error.
    """
    folder = folder_of(folder, f"FER2013, with {' or '.join(LISTS)}, or with class folders")
    source, images = next((folder / name for name in LISTS if (folder / name).is_file()), None), folder / IMAGES
    if source is None:
        table = read_class_folders(folder, "fer2013", strict)
        if others := [column for column in table if column not in (*TABLE_COLUMNS, EXPRESSION.name)]:
            raise LayoutError(
                f"{folder}: its folders name classes of {', '.join(others)}; expected {EXPRESSION.name} alone"
            )
        return table
    noted = _noted(source, images) or write_images(source, images, strict)
    if strict:
        refuse(_placed(noted["skipped"] + noted["deviations"], folder))
    table = read_class_folders(images, "fer2013", strict)
    for name in ("skipped", "deviations"):
        table.attrs[name] = _placed(noted[name], folder) + table.attrs[name]
    return table


def write_images(source: Path, images: Path, strict: bool = False) -> dict:
    """Write the images of a CSV file into split and class folders, and return what is noted of it beside them.

    That is its sha256, the number of images, the rows that are no image (`skipped`) and what is odd in its header.
    """
    noted = {"sha256": _sha256(source), "images": 0, "skipped": [], "deviations": []}
    with replacing_folder(images) as unfinished, tqdm(desc=f"writing {images.name}", unit="image") as bar:
        for part, header in _parts(source):
            noted["deviations"] = header_notes(source.name, header)
            for row, emotion, pixels, usage in part.itertuples(name=None):
                if reason := _write(unfinished, row, emotion, pixels, usage):
                    noted["skipped"].append({"path": f"{source.name}, row {row}", "reason": reason})
            if strict:
                refuse(_placed(noted["skipped"] + noted["deviations"], source.parent))
            bar.update(len(part))
        noted["images"] = sum(1 for _ in image_files(unfinished))
        if not noted["images"]:
            raise UserError(f"{source}: none of its rows is an image; expected 2,304 numbers from 0 to 255 in `pixels`")
        (unfinished / WRITTEN_FROM).write_text(json.dumps(noted, indent=1) + "\n", encoding="utf-8")
    return noted


def _noted(source: Path, images: Path) -> dict | None:
    """Return what was noted of the images if they are all there and were written from this file as it is now."""
    if not images.is_dir():
        return None
    # An older version noted nothing.
    noted = read_or_none(read_json, images / WRITTEN_FROM, NOTED)
    if noted and noted["sha256"] == _sha256(source) and noted["images"] == sum(1 for _ in image_files(images)):
        return noted
    print(f"{images}: not what {source.name} holds now; written anew", file=sys.stderr)
    return None


def _placed(notes: list[dict], folder: Path) -> list[dict]:
    """Return notes with whole paths: what is kept beside the images must not change when their folder is moved."""
    return [{**note, "path": str(folder / note["path"])} for note in notes]


def _sha256(source: Path) -> str:
    try:
        with open(source, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error.strerror})") from None


def _parts(source: Path) -> Iterator[tuple[pd.DataFrame, Header]]:
    """Yield emotion, pixels and Usage as text, some rows at a time, and the file's header."""
    try:
        for part in pd.read_csv(source, dtype=str, chunksize=ROWS_AT_ONCE, keep_default_na=False):
            # Blanks are no oddity here: the file is given out with them.
            header = match_header(part.columns.str.strip(), COLUMNS)
            lacking = [name for name in COLUMNS if name not in header.places]
            if lacking:
                raise UserError(f"has no column {lacking[0]!r}; expected {', '.join(COLUMNS)}")
            yield part.iloc[:, [header.places[name] for name in COLUMNS]].fillna(""), header
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: cannot be read as CSV ({' '.join(str(error).split())}); get it anew") from None


def _write(folder: Path, row: int, emotion: str, pixels: str, usage: str) -> str:
    """Write one row's image, or return why it is none."""
    if emotion.strip() not in map(str, range(len(EXPRESSION.classes))):
        return f"emotion {emotion[:20]!r} is not 0 to {len(EXPRESSION.classes) - 1}"
    if usage.strip().lower() not in SPLITS:
        return f"Usage {usage[:20]!r} is not Training, PublicTest or PrivateTest"
    words = pixels.split()
    if len(words) != SIDE**2 or not all(word.isdecimal() and int(word) < 256 for word in words):
        return f"pixels are not {SIDE**2} numbers from 0 to 255"
    place = folder / SPLITS[usage.strip().lower()] / EXPRESSION.classes[int(emotion)]
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(words, np.uint8).reshape(SIDE, SIDE)).save(place / f"{row:05d}.png")
    return ""
