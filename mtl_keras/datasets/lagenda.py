"""LAGENDA: people in photos of everyday life with age and gender (Kuprashevich and Tolstykh, MiVOLO, 2023).

`lagenda_annotation.csv`, in the folder or its `annotations/`, has a line a person: img_name (`lag_benchmark/NAME.jpg`),
age in years, gender (M, F), then the corners of the face, face_x0, face_y0, face_x1, face_y1, and of the person. -1
stands for what is not known: the age and gender of a bystander, a face that is not seen. Images lie at any depth below
the folder (`lag_benchmark/`, `images/`) and are known by their base name.
A row is one face, in the photo's `box` (`mtl_keras.boxes`), and the faces of one photo are one group. The data and
their terms are at https://wildchlamydia.github.io/lagenda/.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.boxes import box_texts
from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import decode, header_notes, notes, numbers, present, read_columns, refuse, with_endings
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.files import folder_of, image_files
from mtl_keras.tasks import AGE

LIST = "lagenda_annotation.csv"
PLACES = ("", "annotations", "annotation")
CORNERS = ("face_x0", "face_y0", "face_x1", "face_y1")
BODY = ("person_x0", "person_y0", "person_x1", "person_y1")
GENDERS = {"M": "male", "F": "female", "-1": None}
OLDEST = max(AGE.values)


def lagenda(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read the faces of LAGENDA into a label table with age and gender, and the box of each.

    Photos without a line and lines without a photo are in `attrs["skipped"]`, ages beyond 116 (blank) and faces with
    two lines in `attrs["deviations"]`; with `strict` the first of either is an error. `attrs["skipped"]` also has an
    entry with the number of people whose face is not seen, which is no error.
    """
    folder = folder_of(folder, f"LAGENDA: {LIST} and the images")
    file = next((folder / place / LIST for place in PLACES if os.path.isfile(folder / place / LIST)), None)
    if file is None:
        raise LayoutError(f"{folder}: holds no {LIST}; expected it next to the folder of the images")
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
    corners = people[list(CORNERS)].apply(pd.to_numeric, errors="coerce").astype(np.float64)
    left, top, right, bottom = (corners[name] for name in CORNERS)
    box = pd.concat([left, top, right - left, bottom - top], axis=1)
    people["box"] = box_texts(box.where((left >= 0) & (top >= 0)).to_numpy())
    people["odd"] = (~np.isfinite(corners) & (people[list(CORNERS)] != "")).any(axis=1)
    faces, hidden = people[people["box"].notna()], people[people["box"].isna()]
    if faces.empty:
        raise UserError(f"{folder}: none of its {len(people)} people has a face with a box; get the data anew")
    nobody = images.isin(hidden["path"]) & ~images.isin(faces["path"])
    faces, skipped, deviations = present(faces, images[~nobody], file)
    old = faces["age"] > OLDEST
    deviations = header_notes(file, header) + endings + deviations
    deviations += notes(people["path"][people["odd"]], "a corner of a face is no number")
    deviations += notes(faces["path"][old], f"the age is beyond {OLDEST:g}")
    if strict:
        refuse([*skipped, *deviations])
    if len(hidden):
        skipped.append({"path": str(file), "reason": f"the faces of {len(hidden)} people are not seen"})
    labels = {"box": faces["box"], "age": faces["age"].where(~old), "gender": faces["gender"]}
    return label_table("lagenda", faces["path"], labels, None, faces["path"], skipped, deviations)
