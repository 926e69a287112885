"""FairFace: 108,501 faces balanced over seven groups of race (Kärkkäinen and Joo, WACV 2021).

`fairface_label_train.csv` and `fairface_label_val.csv` (or `train_labels.csv` and `val_labels.csv`) have the columns
file (`train/1.jpg`), age, gender, race and service_test; the images lie in `train/` and `val/`, of the folder itself
or of `fairface-img-margin025-trainval/` or `fairface-img-margin125-trainval/`, the narrow crops coming first.
Ages are nine bins, the task `age_decade`. Spreadsheet programs take two of them for dates; those are read back.
The seven races become the coarser classes of the task `ethnicity`: East and Southeast Asian are asian, Latino_Hispanic
and Middle Eastern are others. The data are at https://github.com/joojs/fairface, under CC BY 4.0.
"""

import os
from pathlib import Path

import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import decode, present, read_columns, refuse
from mtl_keras.errors import UserError
from mtl_keras.files import folder_of, image_files
from mtl_keras.tasks import AGE_DECADE

LISTS = {
    "train": ("fairface_label_train.csv", "train_labels.csv"),
    "validation": ("fairface_label_val.csv", "val_labels.csv"),
}
PLACES = ("", "fairface-img-margin025-trainval", "fairface-img-margin125-trainval")
AGES = {**dict(zip(AGE_DECADE.classes, AGE_DECADE.classes, strict=True)), "more than 70": "70+"}
GENDERS = {"Male": "male", "Female": "female"}
RACES = {
    "White": "white",
    "Black": "black",
    "East Asian": "asian",
    "Southeast Asian": "asian",
    "Indian": "indian",
    "Latino_Hispanic": "others",
    "Middle Eastern": "others",
}
# 3-9 is a day whichever of day and month comes first; 10-19 is the 19th of October, or October 2019.
DATES = {
    **dict.fromkeys(("3-sep", "03-sep", "sep-3", "sep-03", "9-mar", "09-mar", "mar-9", "mar-09"), "3-9"),
    **dict.fromkeys(("oct-19", "19-oct"), "10-19"),
}


def fairface(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a FairFace folder into a label table with age_decade, gender and ethnicity.

    One of the two label files is enough. Images without a line and lines without an image are in `attrs["skipped"]`,
    images named twice in `attrs["deviations"]`; with `strict` the first of either is an error.
    """
    folder = folder_of(folder, "FairFace: its two label files, and train/ and val/ with the images")
    places = [os.path.join(folder, place) for place in PLACES]
    place = next((place for place in places if any(map(os.path.isdir, _parts(place)))), places[0])
    read, names = [], []
    for split, choices in LISTS.items():
        file = next((folder / name for name in choices if os.path.isfile(folder / name)), None)
        if file is None:
            continue
        cells = read_columns(file, ("file", "age", "gender", "race"))
        cells["age"] = cells["age"].str.lower().map(DATES).fillna(cells["age"])
        rows = pd.DataFrame({"path": os.path.join(place, "") + cells["file"].str.replace("/", os.sep)})
        rows["split"] = split
        rows["age_decade"] = decode(cells["age"], AGES, file)
        rows["gender"] = decode(cells["gender"], GENDERS, file)
        rows["ethnicity"] = decode(cells["race"], RACES, file)
        read.append(rows)
        names.append(file.name)
    if not read:
        raise UserError(f"{folder}: holds no label file; expected {' and '.join(LISTS[split][0] for split in LISTS)}")
    images = [path for part in _parts(place) for path in image_files(part)]
    rows, skipped, deviations = present(pd.concat(read, ignore_index=True), images, folder / " and ".join(names))
    if strict:
        refuse([*skipped, *deviations])
    labels = {column: rows[column] for column in ("age_decade", "gender", "ethnicity")}
    return label_table("fairface", rows["path"], labels, rows["split"], skipped=skipped, deviations=deviations)


def _parts(place: str) -> list[str]:
    return [os.path.join(place, part) for part in ("train", "val")]
