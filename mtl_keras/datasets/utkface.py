"""UTKFace: aligned faces whose file names carry age, gender and ethnicity (Zhang, Song and Qi, CVPR 2017).

File names are `[age]_[gender]_[race]_[date&time].jpg`, for the aligned crops `.jpg.chip.jpg`: age 0 to 116, gender
0 male and 1 female, race 0 White, 1 Black, 2 Asian, 3 Indian, 4 Others, date and time as yyyymmddHHMMSSFFF.
The data and their terms (non-commercial research) are at https://susanqq.github.io/UTKFace/.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import notes, quoted
from mtl_keras.errors import LayoutError, UserError, printable
from mtl_keras.files import EXTENSIONS, NO_IMAGE, folder_of, image_files, other_files
from mtl_keras.tasks import AGE, ETHNICITY, GENDER

OLDEST = int(max(AGE.values))
_EXTENSION = f"(?:{'|'.join(map(re.escape, EXTENSIONS))})"
_VALID = re.compile(rf"([0-9]{{1,3}})_([01])_([0-4])_[0-9]{{17}}{_EXTENSION}(?:\.chip{_EXTENSION})?", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,3}")
_TIME = re.compile(r"[0-9]{8,}")


@dataclass(frozen=True)
class ParsedName:
    """The labels that a file name carries; None where one is missing, and in `deviation` how the name is unusual."""

    age: int
    gender: str | None
    ethnicity: str | None
    deviation: str = ""


def parse_name(name: str) -> ParsedName | str:
    """Read the labels from a file name as far as it goes, or return the reason why it cannot be read.

    A missing or unknown race leaves ethnicity empty, a missing gender leaves gender empty. A name with a gender other
    than 0 and 1 is refused, since then it is not clear which number means what.
    """
    valid = _VALID.fullmatch(name)
    if valid and int(valid[1]) <= OLDEST:
        return ParsedName(int(valid[1]), GENDER.classes[int(valid[2])], ETHNICITY.classes[int(valid[3])])
    fields = [field.strip() for field in name.split(".")[0].split("_")]
    if len(fields) < 3:
        return "the name is not [age]_[gender]_[race]_[date&time].jpg"
    age, gender, race = fields[:3]
    if not _NUMBER.fullmatch(age) or int(age) > OLDEST:
        return f"age {quoted(age)} is not a whole number from 0 to {OLDEST}"
    if gender not in ("", "0", "1"):
        return f"gender {quoted(gender)} is neither 0 (male) nor 1 (female)"
    deviations = [] if gender else ["gender is missing"]
    time = "_".join(fields[3:])
    if len(fields) == 3 and _TIME.match(race):
        race, time = "", race
    race_known = race in ("0", "1", "2", "3", "4")
    if not race_known and not _TIME.match(time):
        # Two numbers alone are no sign of UTKFace: many a collection counts its files 1_0.jpg, 1_1.jpg.
        return "neither a race nor a date and time follow age and gender"
    if not race_known:
        deviations.append(f"race {quoted(race)} is not 0 to 4" if race else "race is missing")
    if not re.fullmatch(r"[0-9]{17}", time):
        deviations.append(f"date and time {quoted(time)} are not 17 digits")
    return ParsedName(
        age=int(age),
        gender=GENDER.classes[int(gender)] if gender else None,
        ethnicity=ETHNICITY.classes[int(race)] if race_known else None,
        deviation="; ".join(deviations) or "the name has unusual spaces or endings",
    )


def utkface(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a UTKFace folder, aligned crops or whole photos in part folders, into a label table.

    Files that cannot be read at all are listed in `attrs["skipped"]`, names read with a blank or another oddity in
    `attrs["deviations"]`, both as {"path", "reason"}. With `strict` the first of either is an error, but for files that
    are no images.
    """
    folder = folder_of(folder, "UTKFace images")
    paths = np.array(sorted(image_files(folder)), object)
    parsed, kinds = _parse_paths(paths)
    refused = np.array([isinstance(found, str) for found in parsed], bool)
    reasons = [found if isinstance(found, str) else found.deviation for found in parsed]
    skipped, deviations = [], []
    for row in np.flatnonzero(np.array(reasons, bool)[kinds]):
        kind, readable = kinds[row], printable(paths[row])
        if strict:
            raise UserError(f"{readable}: {reasons[kind]}; rename or remove the file, or read without strict")
        (skipped if refused[kind] else deviations).append({"path": readable, "reason": reasons[kind]})
    kept = ~refused[kinds]
    if not kept.any():
        found = f"none of its {len(paths)} images has a name that can be read" if len(paths) else "holds no image files"
        raise LayoutError(f"{folder}: {found}; expected UTKFace names such as 25_1_2_20170116174525125.jpg.chip.jpg")
    labels = {
        name: np.array([getattr(found, name, None) for found in parsed], dtype)[kinds[kept]]
        for name, dtype in (("age", np.float64), ("gender", object), ("ethnicity", object))
    }
    skipped += notes(other_files(folder), NO_IMAGE)
    return label_table("utkface", paths[kept], labels, skipped=skipped, deviations=deviations)


def _parse_paths(paths: Iterable[str]) -> tuple[list[ParsedName | str], np.ndarray]:
    """Return what the paths' names say, each thing once, and for each path (N,) which of these its name says.

    Valid names that begin alike, such as 25_1_2, say the same: few of a million names need to be parsed.
    """
    places, parsed, kinds = {}, [], []
    for path in paths:
        start = path.rfind(os.sep) + 1
        valid = _VALID.fullmatch(path, start)
        readable = path.isascii() or path == printable(path)
        # A whole path is no beginning of a name.
        beginning = path[start : valid.end(3)] if valid and readable else path
        kind = places.setdefault(beginning, len(parsed))
        if kind == len(parsed):
            # A name that is not valid UTF-8 can stand neither in a table nor on the screen.
            parsed.append(parse_name(path[start:]) if readable else "the name is not valid UTF-8")
        kinds.append(kind)
    return parsed, np.array(kinds, np.int64)
