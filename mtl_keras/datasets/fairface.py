"""FairFace: 108,501 faces balanced over seven groups of race (Kärkkäinen and Joo, WACV 2021).

`fairface_label_train.csv` and `fairface_label_val.csv` (or `train_labels.csv` and `val_labels.csv`) have the columns
file (`train/1.jpg`), age, gender, race and service_test; the images lie in `train/` and `val/`, of the folder itself
or of `fairface-img-margin025-trainval/` or `fairface-img-margin125-trainval/`, the narrow crops coming first.
Ages are nine bins, the task `age_decade`. Spreadsheet programs take two of them for dates, 3-9 for one in March or
September and 10-19 for one in October; those are read back, however they are written, and are no error.
The seven races become the coarser classes of the task `ethnicity`: East and Southeast Asian are asian, Latino_Hispanic
and Middle Eastern are others. The data are at https://github.com/joojs/fairface, under CC BY 4.0.
"""

import os
import re
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import decode, header_notes, notes, present, quoted, read_columns, refuse
from mtl_keras.errors import LayoutError
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
# What a bin becomes as a date: 3-9 is a day whichever of day and month comes first; 10-19 is the 19th of October, or
# October 2019. No other bin is a date, so that the month tells which it was.
BINS_OF_MONTHS = {3: "3-9", 9: "3-9", 10: "10-19"}
BINS_OF_NUMBERS = {(3, 9): "3-9", (10, 19): "10-19"}
# How the months' names start, in English and in other languages of spreadsheet programs.
MONTHS = {
    **dict.fromkeys(("mar", "mär", "mrz", "mrt", "maa"), 3),
    **dict.fromkeys(("sep", "set"), 9),
    **dict.fromkeys(("oct", "okt", "ott", "out"), 10),
}
FIRST_DAY = date(1899, 12, 30)  # day 0 of spreadsheet programs
_TIME = re.compile(r"[\sT]+[0-9]{1,2}:[0-9]{2}.*", re.IGNORECASE)
_SERIAL = re.compile(r"[0-9]{5}(?:\.0*)?")
LONGEST = 40  # characters of a date
_BETWEEN = re.compile(r"[\s,./\u2010-\u2015\u2212-]+")


def fairface(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a FairFace folder into a label table with age, as intervals of years, age_decade, gender and ethnicity.

    One of the two label files is enough. Images without a line and lines without an image are in `attrs["skipped"]`,
    images named twice in `attrs["deviations"]`, as are the ages that were dates; with `strict` the first of either, but
    for those ages, is an error.
    """
    folder = folder_of(folder, "FairFace: its two label files, and train/ and val/ with the images")
    places = [os.path.join(folder, place) for place in PLACES]
    place = next((place for place in places if any(map(os.path.isdir, _parts(place)))), places[0])
    read, names, unread, dates = [], [], [], []
    for split, choices in LISTS.items():
        file = next((folder / name for name in choices if os.path.isfile(folder / name)), None)
        if file is None:
            continue
        cells, header = read_columns(file, ("file", "age", "gender", "race"), unused=("service_test",))
        unread += header_notes(file, header)
        meant = {age: bin_of(age) for age in cells["age"].unique() if age and age not in AGES}
        if meant := {age: name for age, name in meant.items() if name}:
            shown = ", ".join(f"{quoted(age)} as {name}" for age, name in meant.items())
            dates += notes([str(file)], f"ages read as the bins that they were: {shown}")
            cells["age"] = cells["age"].replace(meant)
        rows = pd.DataFrame({"path": os.path.join(place, "") + cells["file"].str.replace("/", os.sep)})
        rows["split"] = split
        rows["age_decade"] = decode(cells["age"], AGES, file)
        # The same as an interval of years, for a network that learns the ages of other sets.
        rows["age"] = rows["age_decade"]
        rows["gender"] = decode(cells["gender"], GENDERS, file)
        rows["ethnicity"] = decode(cells["race"], RACES, file)
        read.append(rows)
        names.append(file.name)
    if not read:
        raise LayoutError(f"{folder}: holds no label file; expected {' and '.join(LISTS[split][0] for split in LISTS)}")
    images = [path for part in _parts(place) for path in image_files(part)]
    rows, skipped, deviations = present(pd.concat(read, ignore_index=True), images, folder / " and ".join(names))
    deviations = [*unread, *deviations]
    if strict:
        refuse([*skipped, *deviations])
    deviations += dates
    labels = {column: rows[column] for column in ("age", "age_decade", "gender", "ethnicity")}
    return label_table("fairface", rows["path"], labels, rows["split"], skipped=skipped, deviations=deviations)


def bin_of(age: str) -> str | None:
    """Return the bin that an age was before a spreadsheet program took it for a date, or None where that is not clear.

    A date is a number of days, has a month by name, a year, or is one of a bin's own two numbers with any mark between.
    """
    if len(age) > LONGEST:
        return None
    text = _TIME.sub("", age.strip()).casefold()
    parts = [part for part in _BETWEEN.split(text) if part]
    if "-".join(parts) in AGES or text in AGES:
        return AGES.get(text) or AGES["-".join(parts)]
    if _SERIAL.fullmatch(text):
        return BINS_OF_MONTHS.get((FIRST_DAY + timedelta(int(float(text)))).month)
    words, numbers = [part for part in parts if part.isalpha()], [int(part) for part in parts if part.isdecimal()]
    if len(words) + len(numbers) != len(parts) or not 2 <= len(parts) <= 3 or len(words) > 1:
        return None
    if words:
        return BINS_OF_MONTHS.get(MONTHS.get(words[0][:3]))
    if len(parts) == 2 and max(numbers) < 1000:
        return BINS_OF_NUMBERS.get(tuple(sorted(numbers)))
    # The year comes first or last; then the month comes after it, or either of day and month comes first.
    months = numbers[1:2] if numbers[0] >= 1000 else numbers[:-1]
    found = {BINS_OF_MONTHS[month] for month in months if month in BINS_OF_MONTHS}
    return found.pop() if len(found) == 1 else None


def _parts(place: str) -> list[str]:
    return [os.path.join(place, part) for part in ("train", "val")]
