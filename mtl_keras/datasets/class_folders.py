"""Any folder of class folders: folder names are labels, as in `train/happy/1.jpg` or `male/eyeglasses/2.jpg`.

Each level of folders stands for one task, the one whose classes its names are, or for the split. Names count without
regard to case, and a blank or hyphen as an underscore; men, women, happiness, train_set and the like are known. A level
of several names that are neither classes nor parts, such as people's, is not read and named in `attrs["deviations"]`.
"""

import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import notes, quoted, refuse
from mtl_keras.errors import LayoutError, printable
from mtl_keras.files import NO_IMAGE, folder_of, image_files, other_files
from mtl_keras.tasks import TASKS, Task

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validate": "validation",
    "validation": "validation",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "publictest": "validation",
    "test": "test",
    "testing": "test",
    "privatetest": "test",
}
# What data sets add to the name of a part: train_set, test_images.
_OF_A_PART = r"_?(?:sets?|split|data|images|faces)$"
# Other names of the same classes, as data sets write them.
SAME = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "neutrality": "neutral",
    **dict.fromkeys(("man", "men", "males"), "male"),
    **dict.fromkeys(("woman", "women", "females"), "female"),
    "glasses": "eyeglasses",
    "no_glasses": "no_eyeglasses",
    "smile": "smiling",
    "no_smile": "not_smiling",
}


def class_folders(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a folder of class folders, nested to any depth, into a label table.

    Images below a folder whose name is no class of its level's task are in `attrs["skipped"]`, as are files that are no
    images; levels of names that are no classes at all are in `attrs["deviations"]`. With `strict` the first is an
    error, but not of the files. A level that names the split fills that column.
    """
    return read_class_folders(folder_of(folder, "class folders"), "class_folders", strict)


def read_class_folders(folder: Path, source: str, strict: bool = False) -> pd.DataFrame:
    """Read a folder of class folders, with `source` as the set's name."""
    paths = sorted(image_files(folder))
    below = pd.Series([os.path.relpath(os.path.dirname(path), folder) for path in paths], dtype=object)
    # One row an image, one column a level.
    names = below.str.lower().str.replace(r"[\s-]+", "_", regex=True).str.split(os.sep, expand=True)
    names = names.replace(SAME).where(lambda level: level != ".")
    split, labels, wrong = np.full(len(paths), None, object), {}, np.zeros(len(paths), bool)
    deviations = []
    for level in names:
        found = names[level]
        parts = found.str.replace(_OF_A_PART, "", regex=True)
        if parts.isin(SPLITS).any():
            found = parts
        if found.isin(SPLITS).any():
            split, wrong = found.map(SPLITS).to_numpy(object), wrong | (found.notna() & ~found.isin(SPLITS)).to_numpy()
        elif task := _task_of(found):
            known = found.isin(task.classes)
            labels[task.name], wrong = found.where(known), wrong | ~known.to_numpy()
        elif found.nunique() > 1:
            shown = [quoted(name) for name in sorted(set(found.dropna()))]
            shown = ", ".join(shown[:5]) + (", ..." if len(shown) > 5 else "")
            reason = f"{found.nunique()} folders ({shown}) name no class of a task and are not read"
            deviations += notes([str(folder)], reason)
    if not labels:
        seen = ", ".join(sorted(set(names.stack().dropna()))[:5]) or "no folders with images"
        raise LayoutError(
            f"{folder}: found {seen}; expected folders named as the classes of a task, such as male, female"
        )
    # A name that is not valid UTF-8 can stand neither in a table nor on the screen.
    odd = np.array([printable(path) != path for path in paths], bool)
    skipped = notes(itertools.compress(paths, odd), "the name is not valid UTF-8")
    for path in itertools.compress(paths, wrong & ~odd):
        skipped += notes([path], f"its folder {os.path.relpath(os.path.dirname(path), folder)!r} names no class")
    if strict:
        refuse([*skipped, *deviations])
    skipped += notes(other_files(folder), NO_IMAGE)
    kept = ~(wrong | odd)
    labels = {name: cells[kept].reset_index(drop=True) for name, cells in labels.items()}
    return label_table(source, np.array(paths, object)[kept], labels, split[kept], None, skipped, deviations)


def _task_of(names: pd.Series) -> Task | None:
    """Return the task that most of a level's folders name classes of, the first of equals; None without any."""
    folders = set(names.dropna())
    matches = {task.name: len(folders.intersection(task.classes)) for task in TASKS.values()}
    best = max(matches, key=matches.get)
    return TASKS[best] if matches[best] else None
