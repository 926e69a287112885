"""LAGENDA: people in photos of everyday life with age and gender (Kuprashevich and Tolstykh, MiVOLO, 2023).

`lagenda_annotation.csv`, in the folder or its `annotations/`, has a line a person: img_name (`lag_benchmark/NAME.jpg`),
age in years, gender (M, F), then the corners of the face, face_x0, face_y0, face_x1, face_y1, and of the person. -1
stands for what is not known: the age and gender of a bystander, a face that is not seen. Images lie at any depth below
the folder (`lag_benchmark/`, `images/`) and are known by their base name.
A label table holds an image once, and the photos are not cropped: only photos that show one person, with a face, are
read; of a photo with several people it would not be clear whose age it is. The face is in box.x, box.y (left and top),
box.width and box.height, in pixels. The data and their terms are at https://wildchlamydia.github.io/lagenda/.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import decode, header_notes, notes, numbers, present, read_columns, refuse, with_endings
from mtl_keras.errors import UserError
from mtl_keras.files import folder_of, image_files
from mtl_keras.tasks import AGE

LIST = "lagenda_annotation.csv"
PLACES = ("", "annotations", "annotation")
CORNERS = ("face_x0", "face_y0", "face_x1", "face_y1")
BODY = ("person_x0", "person_y0", "person_x1", "person_y1")
GENDERS = {"M": "male", "F": "female", "-1": None}
OLDEST = max(AGE.values)


def lagenda(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read the photos of LAGENDA that show one person into a label table with age and gender, and the face's box.

    Photos without a line and lines without a photo are in `attrs["skipped"]`, ages beyond 116 (blank) in
    `attrs["deviations"]`; with `strict` the first of either is an error. `attrs["skipped"]` also has an entry each
    with the number of photos of several people and of those without a face, which are no error.
    """
    folder = folder_of(folder, f"LAGENDA: {LIST} and the images")
    file = next((folder / place / LIST for place in PLACES if os.path.isfile(folder / place / LIST)), None)
    if file is None:
        raise UserError(f"{folder}: holds no {LIST}; expected it next to the folder of the images")
    people, header = read_columns(file, ("img_name", "age", "gender", *CORNERS), unused=BODY)
    images = pd.Series(sorted(image_files(folder)), dtype=object)
    images.index = images.map(os.path.basename)
    images = images[~images.index.duplicated()]
    people["path"] = people["img_name"].str.rsplit("/", n=1).str[-1]
    people, endings = with_endings(people, images.index.to_series(), file)
    # The name stands for an image that is not there, which is then skipped.
    people["path"] = people["path"].map(images).astype(object).fillna(os.path.join(folder, "") + people["img_name"])
    people["gender"] = decode(people["gender"], GENDERS, file)
    ages = numbers(people["age"], file, "years or -1")
    people["age"] = ages.where(ages >= 0)
    photos, skipped, _ = present(people, images, file)
    count = photos["path"].map(people["path"].value_counts())
    photos = photos[count == 1]
    corners = photos[list(CORNERS)].apply(pd.to_numeric, errors="coerce").astype(np.float64)
    finite = np.isfinite(corners)
    odd = (~finite & (photos[list(CORNERS)] != "")).any(axis=1)
    left, top, right, bottom = (corners[name].where(finite.all(axis=1)) for name in CORNERS)
    seen = (left >= 0) & (top >= 0) & (right > left) & (bottom > top)
    if not seen.any():
        raise UserError(f"{folder}: none of its {len(count)} images shows one person with a face; get the data anew")
    old = photos["age"] > OLDEST
    deviations = header_notes(file, header) + endings
    deviations += notes(photos["path"][odd], "a corner of its face is no number")
    deviations += notes(photos["path"][seen & old], f"the age is beyond {OLDEST:g}")
    if strict:
        refuse([*skipped, *deviations])
    if (count > 1).any():
        skipped.append({"path": str(file), "reason": f"{(count > 1).sum()} photos show several people"})
    if not seen.all():
        skipped.append({"path": str(file), "reason": f"{(~seen).sum()} photos of one person show no face"})
    columns = {
        "age": photos["age"].where(~old),
        "gender": photos["gender"],
        "box.x": left,
        "box.y": top,
        "box.width": right - left,
        "box.height": bottom - top,
    }
    labels = {name: column[seen] for name, column in columns.items()}
    return label_table("lagenda", photos["path"][seen], labels, skipped=skipped, deviations=deviations)
