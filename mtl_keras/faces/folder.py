"""A folder of crops: its files, the journal from which a stopped run goes on, and its label table.

The folder holds the crops, each under its photo's name and place below the folder that all photos share; `table.csv`,
their label table, with paths from the folder, so that it can be moved; `skipped.csv`, which photos gave no crop, and
why; `crops.json`, the settings; and `crops.jsonl`, the journal: a line for each photo that is done.
"""

import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.data.images import SMALLEST_SIDE
from mtl_keras.data.table import read_table, write_table
from mtl_keras.errors import UserError
from mtl_keras.faces.given import LEAST_INSIDE
from mtl_keras.files import TEXT, folder_of, free_name, no_link, replacing
from mtl_keras.state_files import DamagedFileError, count, name_inside, parse_json, read_csv, read_json, read_or_none

TABLE, SKIPPED, SETTINGS, JOURNAL = "table.csv", "skipped.csv", "crops.json", "crops.jsonl"
# What of a photo's row is also true of each of several faces in it.
SHARED = ("path", "source", "split", "group")
# A line of the journal. Files are removed by it, so none of them may lie elsewhere.
CROP = {"file": name_inside, "confidence": float, "given?": (str, None)}
LINE = {"photo": str, "name": name_inside, "faces": count, "stamp": [int], "boxes?": ([str], None), "crops": [CROP]}
NO_FACE = "no face found"
OUTSIDE = f"less than {LEAST_INSIDE:.0%} or {SMALLEST_SIDE} pixels a side of its box {{}} lie in the photo"


def read_crops(folder: str | Path) -> pd.DataFrame:
    """Read the label table of a folder of crops, wherever it lies now."""
    folder = folder_of(folder, "crops")
    if not (folder / TABLE).is_file():
        raise UserError(f"{folder}: holds no {TABLE}; expected a folder that faces were cropped into, to the end")
    table = read_table(folder / TABLE)
    if outside := [path for path in table["path"] if not name_inside(path)]:
        raise UserError(f"{folder / TABLE}: names {outside[0]!r}, which lies outside its folder; crop the photos again")
    table["path"] = pd.array([os.path.join(folder, path) for path in table["path"]], dtype=TEXT)
    for column in table.columns.intersection(["photo"]):
        table[column] = table[column].astype(TEXT)
    skipped = read_csv(folder / SKIPPED, ("path", "reason"), as_text=True, mend="crop the photos again")
    table.attrs["skipped"] = skipped[["path", "reason"]].to_dict("records")
    return table


def write_crops(table: pd.DataFrame, lines: list[dict], folder: Path) -> pd.DataFrame:
    """Write the tables of crops of a table's rows, given the journal's line of each one's photo; return the first."""
    boxes = table.get("box", pd.Series(np.nan, table.index))
    cut = [_of_row(line, box) for line, box in zip(lines, boxes, strict=True)]
    counts = [len(crops) for crops in cut]
    crops = table.loc[np.repeat(table.index, counts)].reset_index(drop=True)
    crops["photo"] = crops["path"]
    crops = crops.rename(columns={"box": "photo_box"})
    for column in crops.columns.difference([*SHARED, "photo"], sort=False):
        crops[column] = crops[column].mask(np.repeat(counts, counts) > 1)
    crops["faces"] = np.repeat([line["faces"] for line in lines], counts)
    found = list(chain.from_iterable(cut))
    crops["confidence"] = np.array([crop["confidence"] for crop in found], np.float64)
    crops["path"] = pd.array([crop["file"] for crop in found], dtype=TEXT)
    without = [
        {"path": path, "reason": line["reason"] or (OUTSIDE.format(box) if pd.notna(box) else NO_FACE)}
        for path, line, box, count in zip(table["path"], lines, boxes, counts, strict=True)
        if not count
    ]
    skipped = [*table.attrs.get("skipped", []), *without]
    write_table(pd.DataFrame(skipped, columns=["path", "reason"]), folder / SKIPPED)
    if not found:
        first = f"the first is {without[0]['path']}: {without[0]['reason']}"
        raise UserError(f"none of {len(table)} photos gives a crop; {first}; expected photos of people")
    write_table(crops, folder / TABLE)
    crops = read_crops(folder)
    crops.attrs = {"skipped": skipped, "deviations": table.attrs.get("deviations", [])}
    return crops


def _of_row(line: dict, box: str | float) -> list[dict]:
    """Return those of the crops of a line that are a row's: the one of its box, or without a box all."""
    return [crop for crop in line["crops"] if pd.isna(box) or crop.get("given") == box]


# === What is done already ===


def open_folder(folder: Path, settings: dict) -> dict[str, dict]:
    """Make a folder ready for crops of these settings, and return the lines of its journal by photo.

    Crops of other settings are removed, with a line that says so; a folder of anything else is an error.
    """
    try:
        return _opened(folder, settings)
    except OSError as error:
        raise UserError(f"{folder}: cannot be used for crops ({error.strerror}); name another folder") from None


def _opened(folder: Path, settings: dict) -> dict[str, dict]:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; expected a folder for the crops, or a new name")
    others = sorted(name for name in os.listdir(folder) if not name.startswith(".")) if folder.exists() else []
    if others and SETTINGS not in others:
        raise UserError(f"{folder}: holds other files than crops (such as {others[0]}); name a new or empty folder")
    done = _read_journal(folder / JOURNAL)
    if read_or_none(read_json, folder / SETTINGS, {}, lost="not taken for these settings") == settings:
        return done
    if others:
        print(f"{folder}: cropped with other settings before; these crops are removed, and made anew", file=sys.stderr)
    remove_crops(done.values(), folder)
    # The journal last: until then another call finds what is left.
    for name in (TABLE, SKIPPED, JOURNAL):
        (folder / name).unlink(missing_ok=True)
    with replacing(folder / SETTINGS) as temporary:
        temporary.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    return {}


def _read_journal(path: Path) -> dict[str, dict]:
    """Return the journal's lines by photo, the last of each; a torn end is cut off, a damaged line left out."""
    contents = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    whole = contents[: contents.rfind(b"\n") + 1]
    if whole != contents:
        os.truncate(path, len(whole))
    done = {}
    for text in whole.split(b"\n"):
        with suppress(DamagedFileError):  # The photo is cropped again.
            line = parse_json(text, LINE, path)
            done[line["photo"]] = {**line, "reason": ""}
    return done


def append(lines: list[dict], folder: Path) -> None:
    """Add lines to the folder's journal."""
    try:
        with open(folder / JOURNAL, "a", encoding="utf-8", opener=no_link) as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{folder / JOURNAL}: cannot be written ({reason}); make room, then call again") from None


def remove_crops(lines: Iterable[dict], folder: Path) -> None:
    """Remove the crops that these lines of the journal name."""
    for crop in chain.from_iterable(line["crops"] for line in lines):
        path = folder / crop["file"]
        try:
            if path.is_file():
                path.unlink()
        except OSError as error:
            raise UserError(f"{path}: cannot be removed ({error.strerror}); name another folder") from None


def is_done(line: dict | None, stamp: list[int], boxes: list[str] | None, folder: Path) -> bool:
    """Tell whether a photo and its boxes are as they were when the journal's line was written, and its crops there."""
    return (
        line is not None
        and line["stamp"] == stamp
        and line.get("boxes") == boxes
        and all(
            os.path.isfile(folder / crop["file"]) and os.path.getsize(folder / crop["file"]) for crop in line["crops"]
        )
    )


def names_of(paths: list[str], done: dict[str, dict]) -> list[str]:
    """Return a name for the crops of each photo, without an ending: that of the journal, or one that is still free.

    It is the photo's own, below the folder that all photos share.
    """
    rootless = [os.path.splitdrive(path)[1] for path in paths]
    root = os.path.commonpath([os.path.dirname(path) for path in rootless])
    taken = {line["name"].casefold() for line in done.values()}
    names = []
    for path, place in zip(paths, rootless, strict=True):
        if path in done:
            names.append(done[path]["name"])
            continue
        own = Path(os.path.relpath(os.path.splitext(place)[0], root)).as_posix()
        names.append(free_name(own, "", taken))
    return names
