"""APPA-REAL: 7,591 photos with the real age and what 38 people on average guessed (Agustsson et al., FG 2017).

`gt_avg_train.csv`, `gt_avg_valid.csv` and `gt_avg_test.csv` have the columns file_name, num_ratings, apparent_age_avg,
apparent_age_std and real_age; the images are in `train/`, `valid/` and `test/`. Beside `000000.jpg`, a whole photo, is
`000000.jpg_face.jpg`, the face turned upright with a margin of 40 %, which is read where it is there. All this lies in
the folder or in its `appa-real-release/`. The columns apparent_age (the mean guess) and apparent_age_std, in years, are
kept beside the label. The data and their terms are at http://chalearnlap.cvc.uab.es/dataset/26/description/.
"""

import os
from pathlib import Path

import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import header_notes, numbers, present, read_columns, refuse
from mtl_keras.errors import LayoutError
from mtl_keras.files import folder_of, image_files

PARTS = {"train": "train", "valid": "validation", "test": "test"}
PLACES = ("", "appa-real-release")
NUMBERS = {"real_age": "age", "apparent_age_avg": "apparent_age", "apparent_age_std": "apparent_age_std"}
FACE = "_face.jpg"


def appa_real(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read an APPA-REAL folder into a label table with age, and with the mean and deviation of the guesses.

    One of the three label files is enough. Images without a line and lines without an image are in `attrs["skipped"]`,
    images named twice in `attrs["deviations"]`; with `strict` the first of either is an error.
    """
    folder = folder_of(folder, "APPA-REAL: gt_avg_train.csv and so on, and train/, valid/ and test/ with the images")
    places = [folder / place for place in PLACES]
    place = next((each for each in places if any(os.path.isfile(each / _list(part)) for part in PARTS)), None)
    if place is None:
        raise LayoutError(f"{folder}: holds no {_list('train')}; expected it next to train/")
    read, images, unread = [], [], []
    for part, split in PARTS.items():
        if not os.path.isfile(place / _list(part)):
            continue
        rows, header = read_columns(place / _list(part), ("file_name", *NUMBERS), unused=("num_ratings",))
        for name in NUMBERS:
            rows[name] = numbers(rows[name], place / _list(part))
        rows = rows.rename(columns=NUMBERS)
        unread += header_notes(place / _list(part), header)
        there = set(image_files(place / part))
        whole = os.path.join(place / part, "") + rows["file_name"]
        rows["path"] = whole.where(~(whole + FACE).isin(there), whole + FACE)
        rows["split"] = split
        read.append(rows)
        # A photo and its face are one image.
        images += sorted(path for path in there if path + FACE not in there)
    rows, skipped, deviations = present(pd.concat(read, ignore_index=True), images, place / "gt_avg_*.csv")
    deviations = [*unread, *deviations]
    if strict:
        refuse([*skipped, *deviations])
    labels = {name: rows[name] for name in NUMBERS.values()}
    return label_table("appa_real", rows["path"], labels, rows["split"], skipped=skipped, deviations=deviations)


def _list(part: str) -> str:
    return f"gt_avg_{part}.csv"
