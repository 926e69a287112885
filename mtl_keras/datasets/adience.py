"""Adience: faces from Flickr albums, 19,370 of them in five folds (Eidinger, Enbar and Hassner, IEEE TIFS 2014).

`fold_0_data.txt` to `fold_4_data.txt` have, separated by tabs, the columns user_id, original_image, face_id, age,
gender, x, y, dx, dy, tilt_ang, fiducial_yaw_angle and fiducial_score, a line a face. Images are
`aligned/<user_id>/landmark_aligned_face.<face_id>.<original_image>` or else
`faces/<user_id>/coarse_tilt_aligned_face.<face_id>.<original_image>`.
Ages are eight bins with gaps, such as (25, 32), the task `age_range`. A few lines have other bins or single years: they
are read where they lie within one of the eight, as (27, 32) does, and are blank and named otherwise. None is a blank,
as is gender u. All faces of a user are one group. The column fold is 0 to 4; the folds share no user, and results are
averages over them. The data and their terms are at https://talhassner.github.io/home/projects/Adience/.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import decode, header_notes, notes, present, quoted, read_columns, refuse
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.files import TEXT, folder_of, image_files
from mtl_keras.tasks import AGE_RANGE

LISTS = [f"fold_{fold}_data.txt" for fold in range(5)]
COLUMNS = ("user_id", "original_image", "face_id", "age", "gender")
UNUSED = ("x", "y", "dx", "dy", "tilt_ang", "fiducial_yaw_angle", "fiducial_score")
IMAGES = {"aligned": "landmark_aligned_face", "faces": "coarse_tilt_aligned_face"}
GENDERS = {"m": "male", "f": "female", "u": None}
AGE_FORM = r"^\(?\s*(?P<low>[0-9]{1,3})\s*(?:,\s*(?P<high>[0-9]{1,3})\s*)?\)?$"


def adience(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read an Adience folder into a label table with age_range and gender, a group a user, and the fold.

    Images without a line and lines without an image are in `attrs["skipped"]`, images named twice and ages that lie
    in no bin in `attrs["deviations"]`; with `strict` the first of either is an error.
    """
    folder = folder_of(folder, "Adience: five fold files, and aligned/ or faces/ with the images")
    missing = [name for name in LISTS if not os.path.isfile(folder / name)]
    if missing:
        raise LayoutError(f"{folder}: holds no {missing[0]}; expected {LISTS[0]} to {LISTS[-1]}")
    images = next((name for name in IMAGES if os.path.isdir(folder / name)), None)
    if images is None:
        raise UserError(f"{folder}: holds no images; unpack aligned.tar.gz to aligned/ or faces.tar.gz to faces/")
    place = folder / images
    read, unread = [], []
    for fold, name in enumerate(LISTS):
        file = folder / name
        rows, header = read_columns(file, COLUMNS, separator="\t", unused=UNUSED)
        unread += header_notes(file, header)
        image = IMAGES[images] + "." + rows["face_id"] + "." + rows["original_image"]
        rows["path"] = os.path.join(place, "") + rows["user_id"] + os.sep + image
        rows["listed_age"] = rows["age"]
        rows["age_range"] = age_ranges(rows["age"], file)
        # The same as an interval of years, for a network that learns the ages of other sets.
        rows["age"] = rows["age_range"]
        rows["gender"] = decode(rows["gender"], GENDERS, file)
        rows["fold"] = float(fold)
        read.append(rows)
    rows = pd.concat(read, ignore_index=True)
    rows, skipped, deviations = present(rows, image_files(place), folder / "fold_*_data.txt")
    deviations = [*unread, *deviations]
    outside = rows[rows["age_range"].isna() & ~rows["listed_age"].isin(["", "None"])]
    for age, paths in outside["path"].groupby(outside["listed_age"]):
        deviations += notes(paths, f"age {age} lies in none of the eight bins")
    if strict:
        refuse([*skipped, *deviations])
    labels = {column: rows[column] for column in ("age", "age_range", "gender", "fold")}
    return label_table("adience", rows["path"], labels, None, rows["user_id"], skipped, deviations)


def age_ranges(cells: pd.Series, path: str | Path) -> pd.Series:
    """Turn ages such as "(25, 32)", "(27, 32)", "29" and "None" into the bin they lie in, else a blank.

    Text of another form is an error that names `path`.
    """
    ends = cells.str.extract(AGE_FORM)
    wrong = cells[ends["low"].isna() & ~cells.isin(["", "None"])]
    if len(wrong):
        raise UserError(f"{path}: age {quoted(wrong.iloc[0])} is unknown; expected two ages such as (25, 32), or None")
    low = pd.to_numeric(ends["low"])
    high = pd.to_numeric(ends["high"]).fillna(low)
    bins = np.full(len(cells), np.nan, dtype=object)
    for name in AGE_RANGE.classes:
        first, last = map(int, name.split("-"))
        bins[((low >= first) & (high <= last) & (low <= high)).to_numpy()] = name
    return pd.Series(bins, cells.index).astype(TEXT)
