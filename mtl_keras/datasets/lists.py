"""What the readers of label files share: reading columns of text, finding class names and images, telling of gaps."""

import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.columns import Header, match_header
from mtl_keras.errors import UserError, printable
from mtl_keras.files import TEXT, as_numbers

MARKS_OF_UTF16 = (BOM_UTF16_LE, BOM_UTF16_BE)
NO_UTF8 = "is not in UTF-8; save it anew so"
UTF16 = "is in UTF-16; save it anew in UTF-8"
SEPARATORS = {";": "semicolons", "\t": "tabs", ",": "commas"}


def read_columns(
    path: str | Path,
    columns: Sequence[str],
    separator: str = ",",
    names: Sequence[str] | None = None,
    skip: int = 0,
    optional: Iterable[str] = (),
    unused: Iterable[str] = (),
) -> tuple[pd.DataFrame, Header]:
    """Read some columns of a file of separated values as stripped text, "" where a cell is empty, and its header.

    `names` are all columns of a file that has no header, `skip` how many lines stand before the first. `optional`
    columns are read where they are there, `unused` ones are known and left out. A name that is nearly a column's is
    read as that, and any other column is left out; `header_notes` tells of both. A file that cannot be read, lacks one
    of `columns` or holds no row is an error.
    """
    settings = {"sep": separator, "header": None, "dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
    settings |= {"skiprows": skip}
    try:
        top = pd.read_csv(path, nrows=1, **settings).iloc[0].tolist()
        known = list(names or top)
        header = match_header(map(str, known), [*columns, *optional], unused)
        if len(top) != len(known) or not set(columns) <= set(header.places):
            got = quoted(", ".join(str(name).strip() for name in top), 80)
            # Without a mark, every other byte of plain text in UTF-16 is 0.
            plain = "".join(map(str, top)).replace("\0", "")
            if "\\x00" in got and plain and plain.isprintable():
                raise UserError(UTF16)
            if others := [words for sign, words in SEPARATORS.items() if len(top) == 1 and sign in str(top[0])]:
                got += f", so its columns seem to be separated by {others[0]}"
                raise UserError(f"starts with {got}; expected {SEPARATORS.get(separator, 'blanks')}: save it anew so")
            raise UserError(f"starts with {got}; expected the columns {', '.join(names or columns)}")
        wanted = [name for name in (*columns, *optional) if name in header.places]
        places = [header.places[name] for name in wanted]
        # All columns: of a row with more cells than the others, pandas' `usecols` takes the first ones without a word.
        cells = pd.read_csv(path, **settings)[places].set_axis(wanted, axis=1)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: {UTF16 if error.object.startswith(MARKS_OF_UTF16) else NO_UTF8}") from None
    except pd.errors.EmptyDataError:
        raise UserError(f"{path}: cannot be read as a table, since it is empty; expected a line an image") from None
    except Exception as error:  # Damaged text makes pandas raise nearly anything.
        reason = " ".join(str(error).split())
        mend = "each line needs as many cells as the first; a cell that holds a separator stands in quotes"
        raise UserError(f"{path}: cannot be read as a table of text ({reason}); {mend}") from None
    if not names:
        cells = cells.iloc[1:].reset_index(drop=True)
    if cells.empty:
        raise UserError(f"{path}: lists no image; expected a line an image with {', '.join(columns)}")
    return cells.fillna("").apply(lambda column: column.str.strip()), header


def header_notes(path: str | Path, header: Header, left_out: str = "columns that are not read") -> list[dict]:
    """Return what deviates in a header as entries for `attrs["deviations"]`."""
    reasons = [header.read_as] if header.near else []
    if header.unknown:
        names = (quoted(name) + " twice" * (count > 1) for name, count in Counter(header.unknown).items())
        reasons.append(f"{left_out}: {', '.join(names)}")
    return [{"path": str(path), "reason": reason} for reason in reasons]


def decode(cells: pd.Series, meaning: Mapping[str, str | None], path: str | Path) -> pd.Series:
    """Turn the text of label cells into class names, "" and what means None into a blank; other text is an error."""
    wrong = cells[~cells.isin([*meaning, ""])]
    if len(wrong):
        raise UserError(f"{path}: {_first_of(wrong, 'is unknown', 'one of ' + ', '.join(meaning))}")
    return cells.map({text: name for text, name in meaning.items() if name}).astype(TEXT)


def numbers(cells: pd.Series, path: str | Path, expected: str = "years") -> pd.Series:
    """Turn the text of cells into numbers, "" into a blank; other text, NaN and infinity among it, is an error."""
    found = as_numbers(cells)
    wrong = cells[~np.isfinite(found) & (cells != "")]
    if len(wrong):
        raise UserError(f"{path}: {_first_of(wrong, 'is no number', expected)}")
    return found


def _first_of(cells: pd.Series, fault: str, expected: str) -> str:
    """Return what a message says of the first of some wrong cells; rows count from 1, without a header."""
    got = f"{cells.name} {quoted(cells.iloc[0])} {fault}"
    return f"{got}; expected {expected}, or an empty cell (row {cells.index[0] + 1})"


def present(
    rows: pd.DataFrame, images: Iterable[str], lists: str | Path
) -> tuple[pd.DataFrame, list[dict], list[dict]]:
    """Return the rows of which the image in `path` is there, each only once, then what is skipped and what deviates.

    Of one image there may be a row for each `box`. An image that is there with another ending (a.jpg for a.png) is
    taken. `lists` names the label file in messages. No image at all is an error.
    """
    images = pd.Series(list(images), dtype=object)
    rows, deviations = with_endings(rows, images, lists)
    here, repeated = rows["path"].isin(images), rows.duplicated(["path", "box"] if "box" in rows else ["path"])
    if not here.any():
        raise UserError(f"{lists}: none of its {len(rows)} images is there; expected {rows['path'].iloc[0]} and so on")
    skipped = notes(rows["path"][~here].drop_duplicates(), "the image is missing")
    skipped += notes(sorted(images[~images.isin(rows["path"])]), f"no line in {os.path.basename(lists)}")
    deviations += notes(rows["path"][here & repeated], "the image has several lines, of which the first counts")
    return rows[here & ~repeated].reset_index(drop=True), skipped, deviations


def with_endings(rows: pd.DataFrame, images: pd.Series, lists: str | Path) -> tuple[pd.DataFrame, list[dict]]:
    """Return the rows with the endings that their images have, where only those are other, and what was changed."""
    missing = ~rows["path"].isin(images)
    if not missing.any():
        return rows, []
    free = images[~images.isin(rows["path"])]
    by_stem = pd.Series(free.to_numpy(), [os.path.splitext(path)[0] for path in free], dtype=object)
    by_stem = by_stem[~by_stem.index.duplicated(keep=False)]
    found = rows["path"][missing].map(lambda path: os.path.splitext(path)[0]).map(by_stem).dropna()
    if found.empty:
        return rows, []
    listed, there = os.path.basename(rows["path"][found.index[0]]), os.path.basename(found.iloc[0])
    paths = rows["path"].astype(object)
    paths.loc[found.index] = found
    reason = f"{len(found)} images are listed with another ending than they have, such as {listed} for {there}"
    return rows.assign(path=paths), notes([str(lists)], reason)


def notes(paths: Iterable[str], reason: str) -> list[dict]:
    """Return an entry for `attrs["skipped"]` or `attrs["deviations"]` a path, all of one reason."""
    # A name that is not valid UTF-8 can stand neither in a table nor on the screen.
    return [{"path": printable(path), "reason": reason} for path in paths]


def refuse(entries: Sequence[dict]) -> None:
    """Raise the first of these entries as an error, for reading with `strict`."""
    if entries:
        raise UserError(f"{entries[0]['path']}: {entries[0]['reason']}; mend it, or read without strict")


def quoted(text: str, length: int = 24) -> str:
    """Quote a piece of a file for a message, cut to a length that fits a line."""
    return repr(text if len(text) <= length else text[:length] + "...")
