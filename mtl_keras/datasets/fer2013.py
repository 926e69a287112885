"""FER2013: 48 x 48 grey faces with one of seven expressions (Goodfellow et al., 2013, https://arxiv.org/abs/1307.0414).

Either class folders (`train/happy/1.png`), or `fer2013.csv` with the columns emotion (0 angry, 1 disgust, 2 fear,
3 happy, 4 sad, 5 surprise, 6 neutral), pixels (2,304 numbers) and Usage (Training, PublicTest, PrivateTest, here train,
validation, test). Some images are there twice under different labels.
The data (research use) are at https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from mtl_keras.datasets.class_folders import SPLITS, read_class_folders
from mtl_keras.errors import UserError
from mtl_keras.files import folder_of, replacing_folder
from mtl_keras.tasks import EXPRESSION

CSV, IMAGES, SIDE = "fer2013.csv", "fer2013_images", 48
ROWS_AT_ONCE = 2000


def fer2013(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read FER2013, class folders or `fer2013.csv`, into a label table of expressions with its split.

    The images of a CSV file are first written as PNG files into the folder `fer2013_images` beside it, once. Rows
    that are no image are in `attrs["skipped"]`; with `strict` the first is an error.
    """
    folder = folder_of(folder, f"FER2013, with {CSV} or with class folders")
    source, images = folder / CSV, folder / IMAGES
    if not source.is_file():
        return read_class_folders(folder, "fer2013", strict)
    skipped = [] if images.is_dir() else write_images(source, images, strict)
    table = read_class_folders(images, "fer2013", strict)
    table.attrs["skipped"] = [*skipped, *table.attrs["skipped"]]
    return table


def write_images(source: Path, images: Path, strict: bool = False) -> list[dict]:
    """Write the images of `fer2013.csv` into split and class folders, and return the rows that are no image."""
    skipped = []
    with replacing_folder(images) as unfinished, tqdm(desc=f"writing {images.name}", unit="image") as bar:
        try:
            for part in pd.read_csv(source, dtype=str, chunksize=ROWS_AT_ONCE, keep_default_na=False):
                lacking = [name for name in ("emotion", "pixels", "Usage") if name not in part]
                if lacking:
                    raise UserError(f"{source}: has no column {lacking[0]!r}; expected emotion, pixels, Usage")
                for row, emotion, pixels, usage in part[["emotion", "pixels", "Usage"]].itertuples(name=None):
                    reason = _write(unfinished, row, emotion, pixels, usage)
                    if reason and strict:
                        raise UserError(f"{source}: row {row}: {reason}; mend it, or read without strict")
                    skipped += [{"path": f"{source}, row {row}", "reason": reason}] if reason else []
                bar.update(len(part))
        except UserError:
            raise
        except ValueError as error:
            raise UserError(f"{source}: cannot be read as CSV ({' '.join(str(error).split())}); get it anew") from None
        if not any(unfinished.iterdir()):
            raise UserError(f"{source}: none of its rows is an image; expected 2,304 numbers from 0 to 255 in `pixels`")
    return skipped


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
