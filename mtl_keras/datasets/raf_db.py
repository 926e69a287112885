"""RAF-DB, its basic part: 15,339 faces with one of seven expressions (Li, Deng and Du, CVPR 2017).

`EmoLabel/list_patition_label.txt` (so spelled; `list_partition_label.txt` is taken too) has lines `train_00001.jpg 5`:
1 Surprise, 2 Fear, 3 Disgust, 4 Happiness, 5 Sadness, 6 Anger, 7 Neutral; names start with their part, train or test.
Images are `Image/aligned/train_00001_aligned.jpg`, 100 x 100, or else `Image/original/train_00001.jpg`, whole photos.
`Annotation/manual/train_00001_manu_attri.txt`, where that folder is there, has five lines with a landmark each, then
gender (0 male, 1 female, 2 unsure), race (0 Caucasian, 1 African-American, 2 Asian) and age in five bins, each on a
line. These ages (0-3, 4-19, 20-39, 40-69, 70+) fit no task's bins and are not read. All this lies in the folder or in
its `basic/`. The data and their terms (non-commercial research) are at http://www.whdeng.cn/RAF/model1.html.
"""

import os
from pathlib import Path

import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import decode, notes, present, quoted, refuse
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.files import TEXT, folder_of, image_files

BASES = ("", "basic")
LISTS = [
    os.path.join(base, place, name)
    for base in BASES
    for place in ("EmoLabel", "")
    for name in ("list_patition_label.txt", "list_partition_label.txt")
]
IMAGES = [(os.path.join(base, "Image", kind), kind) for kind in ("aligned", "original") for base in BASES]
ANNOTATIONS = [os.path.join(base, "Annotation", "manual") for base in BASES]
EXPRESSIONS = dict(zip("1234567", ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"), strict=True))
GENDERS = {"0": "male", "1": "female", "2": None}
RACES = {"0": "white", "1": "black", "2": "asian"}


def raf_db(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read the basic part of RAF-DB into a label table with expression, and with gender and ethnicity where given.

    Images without a line and lines without an image are in `attrs["skipped"]`, images named twice and annotation
    files that cannot be read in `attrs["deviations"]`; with `strict` the first of either is an error.
    """
    folder = folder_of(folder, "RAF-DB: EmoLabel/ and Image/")
    labels = next((folder / name for name in LISTS if os.path.isfile(folder / name)), None)
    if labels is None:
        raise LayoutError(f"{folder}: holds no list_patition_label.txt; expected it in EmoLabel/, next to Image/")
    images, kind = next(((folder / name, kind) for name, kind in IMAGES if os.path.isdir(folder / name)), (None, None))
    if images is None:
        raise UserError(f"{folder}: holds no images; unpack aligned.zip to Image/aligned/ or original.zip next to it")
    rows = _read_list(labels)
    ending = "_aligned.jpg" if kind == "aligned" else ".jpg"
    rows["path"] = os.path.join(images, "") + rows["name"] + ending
    rows, skipped, deviations = present(rows, image_files(images), labels)
    columns = {"expression": rows["expression"]}
    annotations = next((folder / name for name in ANNOTATIONS if os.path.isdir(folder / name)), None)
    if annotations is not None:
        columns["gender"], columns["ethnicity"], unread = _read_annotations(annotations, rows["name"])
        deviations += unread
    if strict:
        refuse([*skipped, *deviations])
    return label_table("raf_db", rows["path"], columns, rows["split"], skipped=skipped, deviations=deviations)


def _read_list(path: Path) -> pd.DataFrame:
    """Return name (`train_00001`), split and expression of every line of the label list."""
    try:
        lines = pd.Series(path.read_text(encoding="utf-8-sig").splitlines(), dtype=str).str.strip()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as text ({' '.join(str(error).split())})") from None
    lines = lines[lines != ""].reset_index(drop=True)
    rows = lines.str.extract(r"^(?P<name>(?P<split>train|test)_[0-9]+)\.[A-Za-z]+\s+(?P<expression>\S+)$")
    wrong = lines[rows["name"].isna()]
    if lines.empty or len(wrong):
        got = f"got the line {quoted(wrong.iloc[0])}" if len(wrong) else "the file is empty"
        raise UserError(f"{path}: {got}; expected lines such as: train_00001.jpg 5")
    rows["expression"] = decode(rows["expression"], EXPRESSIONS, path)
    return rows


def _read_annotations(folder: Path, names: pd.Series) -> tuple[pd.Series, pd.Series, list[dict]]:
    """Return gender and ethnicity of every name, blank where it has no file, and what files cannot be read."""
    files = set(os.listdir(folder))
    genders, ethnicities, unread = [], [], []
    for name in names:
        file = f"{name}_manu_attri.txt"
        path = os.path.join(folder, file)
        gender, race = _attributes(path) if file in files else ("2", "")
        if gender not in GENDERS or (race not in RACES and race != ""):
            unread += notes([path], "not five landmarks, then gender 0 to 2, race 0 to 2 and age, each on a line")
        genders.append(GENDERS.get(gender))
        ethnicities.append(RACES.get(race))
    return pd.Series(genders, dtype=TEXT), pd.Series(ethnicities, dtype=TEXT), unread


def _attributes(path: str) -> tuple[str, str]:
    """Return gender and race of an annotation file as they are written, "?" where the file is of another form."""
    try:
        with open(path, encoding="utf-8") as file:
            fields = file.read(10_000).split()
    except (OSError, ValueError):
        return "?", "?"
    return (fields[10], fields[11]) if len(fields) == 13 else ("?", "?")
