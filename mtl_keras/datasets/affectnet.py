"""AffectNet: faces from the web with one of eight expressions (Mollahosseini, Hasani and Mahoor, 2017).

Two forms are given out. The newer one has `train_set/` and `val_set/`, each with `images/N.jpg`, 224 x 224, and
`annotations/N_exp.npy`, an array of one number or numeric text (`N_val`, `N_aro` and `N_lnd` beside it are not read).
The older one has `training.csv` and `validation.csv` (published without a header) in `Manually_Annotated_file_lists/`,
with the columns subDirectory_filePath, face_x, face_y, face_width, face_height, facial_landmarks, expression, valence
and arousal, and whole pictures of any size in `Manually_Annotated_Images/`.
Expressions are 0 Neutral, 1 Happy, 2 Sad, 3 Surprise, 4 Fear, 5 Disgust, 6 Anger, 7 Contempt, 8 None, 9 Uncertain and
10 Non-Face. They fill `expression_8`, and all but contempt `expression`; None and Uncertain are blank in both, and what
is no face is skipped. Faces of the older form are cut out of their pictures by their `box` (`mtl_keras.boxes`). The
data and their terms (non-commercial research) are at http://mohammadmahoor.com/affectnet/.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.boxes import box_texts
from mtl_keras.columns import match_header
from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import decode, header_notes, notes, present, read_columns, refuse
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.files import TEXT, as_numbers, folder_of, image_files
from mtl_keras.tasks import EXPRESSION

SETS = {"train_set": "train", "val_set": "validation"}
LISTS = {"training.csv": "train", "validation.csv": "validation"}
LIST_PLACES = ("", "Manually_Annotated_file_lists", os.path.join("Manually_Annotated", "Manually_Annotated_file_lists"))
IMAGE_PLACES = ("Manually_Annotated_Images", os.path.join("Manually_Annotated", "Manually_Annotated_Images"), "")
BOX = ("face_x", "face_y", "face_width", "face_height")
PATH = "subDirectory_filePath"
COLUMNS = (PATH, *BOX, "facial_landmarks", "expression", "valence", "arousal")
NON_FACE = "10"
NAMES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
CODES = {**{str(code): name for code, name in enumerate(NAMES)}, "8": None, "9": None, NON_FACE: None}


def affectnet(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read an AffectNet folder of either form into a label table with expression and expression_8.

    Images without a label and labels without an image are in `attrs["skipped"]`, images named twice and annotations
    that cannot be read in `attrs["deviations"]`; with `strict` the first of either is an error. `attrs["skipped"]`
    also lists what is annotated as no face, which is no error.
    """
    folder = folder_of(folder, "AffectNet: train_set/ and val_set/, or training.csv and validation.csv")
    if any(os.path.isdir(folder / name) for name in SETS):
        rows, skipped, deviations = _read_sets(folder)
    else:
        rows, skipped, deviations = _read_lists(folder)
    face = rows["code"] != NON_FACE
    if not face.any():
        raise UserError(f"{folder}: none of its {len(rows)} images shows a face; get the data anew")
    if strict:
        refuse([*skipped, *deviations])
    skipped += notes(rows["path"][~face], "annotated as no face")
    rows = rows[face].reset_index(drop=True)
    names = rows["code"].map(CODES).astype(TEXT)
    labels = {"expression": names.where(names.isin(EXPRESSION.classes)), "expression_8": names}
    labels |= {"box": rows["face"]} if "face" in rows else {}
    return label_table("affectnet", rows["path"], labels, rows["split"], skipped=skipped, deviations=deviations)


def _read_sets(folder: Path) -> tuple[pd.DataFrame, list[dict], list[dict]]:
    """Return path, split and code of the images of the newer form, what is skipped and what deviates."""
    read, skipped, deviations = [], [], []
    for name, split in SETS.items():
        images = pd.Series(sorted(image_files(folder / name / "images")), dtype=object)
        place = folder / name / "annotations"
        listed = os.listdir(place) if os.path.isdir(place) else []
        annotations = {file for file in listed if file.endswith("_exp.npy")}
        if images.empty != (not annotations):
            raise UserError(f"{folder / name}: has images or annotations only; unpack both images/ and annotations/")
        if images.empty:
            continue
        files = images.map(lambda path: os.path.splitext(os.path.basename(path))[0] + "_exp.npy")
        labelled = files.isin(annotations)
        skipped += notes(images[~labelled], "has no file in annotations/")
        skipped += notes(sorted(str(place / file) for file in annotations - set(files)), "its image is missing")
        rows = pd.DataFrame({"path": images[labelled], "split": split})
        # One small file an image: there is nothing to vectorise.
        rows["code"] = [_code(place / file) for file in files[labelled]]
        deviations += notes(rows["path"][rows["code"] == ""], "its annotation is not a number from 0 to 10")
        read.append(rows)
    rows = pd.concat(read, ignore_index=True) if read else pd.DataFrame({"path": []})
    if rows.empty:
        raise UserError(f"{folder}: none of its images has a label; expected train_set/annotations/N_exp.npy for N.jpg")
    return rows, skipped, deviations


def _code(path: Path) -> str:
    """Return the number in an annotation file as text, "" where there is none from 0 to 10."""
    try:
        number = float(np.load(path, allow_pickle=False).item())
    except Exception:  # Damaged files make NumPy raise nearly anything.
        return ""
    code = str(int(number)) if number.is_integer() else ""
    return code if code in CODES else ""


def _read_lists(folder: Path) -> tuple[pd.DataFrame, list[dict], list[dict]]:
    """Return path, split, code and box of the images of the older form, what is skipped and what deviates."""
    place = next((folder / name for name in LIST_PLACES if any(map(os.path.isfile, _lists(folder / name)))), None)
    if place is None:
        expected = f"expected {' and '.join(SETS)}, or {' and '.join(LISTS)}"
        raise LayoutError(f"{folder}: holds no labels of AffectNet; {expected}")
    images = next(folder / name for name in IMAGE_PLACES if os.path.isdir(folder / name))
    read, names, unread = [], [], []
    for name, split in LISTS.items():
        file = place / name
        if not os.path.isfile(file):
            continue
        columns = None if _has_header(file) else COLUMNS
        cells, header = read_columns(file, (PATH, *BOX, "expression"), names=columns, unused=COLUMNS)
        unread += header_notes(file, header)
        decode(cells["expression"], CODES, file)  # of no other use than to refuse what is no code
        files = cells[PATH].str.replace("/", os.sep)
        rows = pd.DataFrame({"path": os.path.join(images, "") + files, "split": split, "code": cells["expression"]})
        # Where no face was found the numbers are negative or text.
        box = cells[list(BOX)].apply(as_numbers)
        read.append(rows.assign(face=box_texts(box.to_numpy())))
        names.append(name)
    rows, skipped, deviations = present(
        pd.concat(read, ignore_index=True), image_files(images), place / " and ".join(names)
    )
    return rows, skipped, [*unread, *deviations]


def _lists(place: Path) -> list[Path]:
    return [place / name for name in LISTS]


def _has_header(path: Path) -> bool:
    """Tell whether a list starts with the names of its columns."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            first = file.readline(1000).split(",")
            return len(match_header(map(str.strip, first), COLUMNS).places) > 1
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
