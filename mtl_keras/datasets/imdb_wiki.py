"""IMDB-WIKI: photos of actors from IMDb and of people from Wikipedia, with age and gender (Rothe et al., IJCV 2016).

`imdb_crop/imdb.mat` (460,723 photos) and `wiki_crop/wiki.mat` (62,328) each hold one struct whose fields have a value
a photo: `dob` (date of birth, a MATLAB day number), `photo_taken` (year), `full_path` (below the folder of the .mat),
`gender` (0 female, 1 male, NaN unknown), `name`, `face_score` (not finite: no face was found) and `second_face_score`
(NaN: no second face). A program gathered the labels, and many have to be left out; see `imdb_wiki`.
Age is in whole years on 1 July of the year of the photo, a birthday on that day counted.
The data (academic research) are at https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.matlab import read_mat
from mtl_keras.errors import LayoutError, UserError, printable
from mtl_keras.files import folder_of, image_files
from mtl_keras.tasks import GENDER

NUMBERS = ("dob", "photo_taken", "gender", "face_score", "second_face_score")
OLDEST = 100
FIRST_OF_1970 = 719529  # as a MATLAB day number, which counts from the year 0
# Day numbers of the years 1 to 9999; damaged dates of birth are often small numbers, of the year 0.
EARLIEST, LATEST = 367, 3652425


def imdb_wiki(folder: str | Path, strict: bool = False, min_face_score: float = 1.0) -> pd.DataFrame:
    """Read a folder with imdb.mat, wiki.mat or both, at most two folders deep, into a label table of age and gender.

    As is usual, only photos are kept in which a face was found with at least `min_face_score` and no second one, and
    whose age is 0 to 100. `attrs["skipped"]` has an entry for each reason and .mat file, with the number of photos. An
    unknown gender is an empty cell. One person's photos are one group: by name, or else by date of birth.
    With `strict` a damaged entry or a missing image is an error; photos that the rules above leave out are not.
    """
    folder = folder_of(folder, "IMDB-WIKI, with imdb_crop/imdb.mat or wiki_crop/wiki.mat")
    if np.isnan(min_face_score):
        raise UserError(f"min_face_score {min_face_score!r}: expected a number")
    parts, skipped, deviations = [], [], []
    for path in mat_files(folder):
        photos = read_photos(path)
        rules, faults = _reasons(photos, min_face_score)
        found = _counted(path, photos, faults)
        odd = photos["gender"].notna() & ~photos["gender"].isin([0, 1]) & (rules == "") & (faults == "")
        unread = _counted(path, photos, odd.map({True: "gender is neither 0, 1 nor NaN", False: ""}))
        if strict and found + unread:
            entry = (found + unread)[0]
            raise UserError(f"{entry['path']}: {entry['reason']}; mend it, or read without strict")
        skipped += _counted(path, photos, rules) + found
        deviations += unread
        parts.append(photos[(rules == "") & (faults == "")])
    table = pd.concat(parts, ignore_index=True)
    if not len(table):
        raise UserError(f"{folder}: no photo can be used: {'; '.join(entry['reason'] for entry in skipped) or 'none'}")
    labels = {"age": table["age"], "gender": table["gender"].map({0: GENDER.classes[1], 1: GENDER.classes[0]})}
    person = table["name"].where(table["name"] != "", table["dob"].astype(str))
    return label_table("imdb_wiki", table["path"], labels, None, person, skipped, deviations)


def mat_files(folder: Path) -> list[Path]:
    """Return where imdb.mat and wiki.mat lie, each at most once; none or several of one name are errors."""
    found = []
    for name in ("imdb.mat", "wiki.mat"):
        paths = sorted(path for place in ("", "*/", "*/*/") for path in folder.glob(place + name))
        if len(paths) > 1:
            raise UserError(f"{folder}: {paths[0]} and {paths[1]} list the same photos; name the folder of one of them")
        found += paths
    if not found:
        raise LayoutError(f"{folder}: holds no imdb.mat or wiki.mat; expected imdb_crop/imdb.mat or wiki_crop/wiki.mat")
    return found


def read_photos(path: Path) -> pd.DataFrame:
    """Return a row a photo of a .mat file: file, path (empty if there is no such image), name, age and `NUMBERS`."""
    try:
        struct = read_mat(path, path.stem)
    except UserError as error:
        raise UserError(f"{path}: {error}; expected the file of IMDB-WIKI") from None
    fields = np.asarray(struct).dtype.names or ()
    missing = [field for field in (*NUMBERS, "full_path") if field not in fields]
    if missing or np.size(struct) != 1:
        what = f"has no field {missing[0]}" if missing else f"has {np.size(struct)} elements, not one"
        raise UserError(f"{path}: the struct {path.stem} {what}; expected the file of IMDB-WIKI")
    columns = {field: np.ravel(np.asarray(struct[field].item())) for field in NUMBERS}
    columns["file"] = _texts(struct["full_path"].item())
    columns["name"] = _texts(struct["name"].item()) if "name" in fields else np.full(len(columns["file"]), "", object)
    for field, cells in columns.items():
        if field in NUMBERS and cells.dtype.kind not in "fiub":
            raise UserError(f"{path}: the field {field} holds no numbers; expected the file of IMDB-WIKI")
        if len(cells) != len(columns["file"]):
            lengths = f"{len(cells)} values for {len(columns['file'])} photos"
            raise UserError(f"{path}: the field {field} has {lengths}; expected one for each")
    photos = pd.DataFrame({field: cells.astype(np.float64) for field, cells in columns.items() if field in NUMBERS})
    photos = photos.assign(file=columns["file"], name=columns["name"])
    photos["age"] = age_of(photos["dob"].to_numpy(), photos["photo_taken"].to_numpy())
    # All images are listed once, since to ask for each alone takes minutes.
    prefix = os.path.join(path.parent, "")
    there = {name[len(prefix) :].replace(os.sep, "/"): name for name in image_files(path.parent)}
    return photos.assign(path=[there.get(file, "") for file in photos["file"]])


def age_of(day_of_birth: np.ndarray, year_taken: np.ndarray) -> np.ndarray:
    """Return whole years from birth, a MATLAB day number, to 1 July of a year; NaN where one of them is damaged."""
    valid = (day_of_birth >= EARLIEST) & (day_of_birth <= LATEST) & (year_taken >= 1) & (year_taken <= 9999)
    days = np.floor(np.where(valid, day_of_birth, FIRST_OF_1970)) - FIRST_OF_1970
    born = days.astype(np.int64).astype("datetime64[D]")
    year = born.astype("datetime64[Y]")
    july = (year.astype("datetime64[M]") + 6).astype("datetime64[D]")
    age = np.floor(np.where(valid, year_taken, 0)) - (year.astype(np.int64) + 1970) - (born > july)
    return np.where(valid, age, np.nan)


def _reasons(photos: pd.DataFrame, min_face_score: float) -> tuple[pd.Series, pd.Series]:
    """Return for each photo the rule that leaves it out, and else what is wrong with its entry; "" where nothing."""
    score, age = photos["face_score"], photos["age"]
    rules = {
        "no face was found": ~np.isfinite(score),
        f"face_score is below {min_face_score:g}": score < min_face_score,
        "a second face was found": photos["second_face_score"].notna(),
        f"age is not 0 to {OLDEST}": (age < 0) | (age > OLDEST),
    }
    left_out = _first(rules, photos.index)
    candidate = left_out == ""
    faults = {
        "dob or photo_taken is damaged": age.isna(),
        "full_path is damaged": photos["file"] == "",
        "the image is missing": photos["path"] == "",
        "the image is listed before": photos["path"].where(candidate).duplicated(),
    }
    return left_out, _first(faults, photos.index).where(candidate, "")


def _first(conditions: dict[str, pd.Series], index: pd.Index) -> pd.Series:
    return pd.Series(np.select(list(conditions.values()), list(conditions), ""), index, dtype=object)


def _counted(path: Path, photos: pd.DataFrame, reasons: pd.Series) -> list[dict[str, str]]:
    """Return an entry for each reason, with its number of photos and the first of them."""
    entries = []
    for reason, files in photos["file"].groupby(reasons):
        if reason:
            text = f"{len(files)} photos: {reason} (first {files.iloc[0]!r})"
            entries.append({"path": str(path), "reason": text})
    return entries


def _texts(cells: Iterable) -> np.ndarray:
    """Return an object array of text; "" for a cell that holds something else, as MATLAB writes an empty text."""
    cells = np.ravel(np.asarray(cells, dtype=object)).tolist()
    # What is not valid Unicode can stand neither in a table nor on the screen, and is no name of these sets.
    texts = [printable(cell).strip() if isinstance(cell, str) else "" for cell in cells]
    return np.array(texts, dtype=object)
