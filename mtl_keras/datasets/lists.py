"""What the readers of label files share: reading columns of text, finding class names and images, telling of gaps."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mtl_keras.errors import UserError, printable
from mtl_keras.files import TEXT


def read_columns(
    path: str | Path, columns: Sequence[str], separator: str = ",", names: Sequence[str] | None = None, skip: int = 0
) -> pd.DataFrame:
    """Read some columns of a file of separated values as stripped text, "" where a cell is empty.

    `names` are all columns of a file that has no header, `skip` how many lines stand before the first. A file that
    cannot be read, has other columns or holds no row is an error.
    """
    settings = {"sep": separator, "header": None, "dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
    settings |= {"skiprows": skip}
    try:
        top = pd.read_csv(path, nrows=1, **settings).iloc[0].str.strip().tolist()
        known = list(names or top)
        if len(top) != len(known) or not set(columns) <= set(known):
            got = quoted(", ".join(top), 80)
            raise UserError(f"{path}: starts with {got}; expected the columns {', '.join(names or columns)}")
        places = [known.index(column) for column in columns]
        cells = pd.read_csv(path, usecols=places, **settings)[places].set_axis(list(columns), axis=1)
    except UserError:
        raise
    except Exception as error:  # Damaged text makes pandas raise nearly anything.
        raise UserError(f"{path}: cannot be read as a table of text ({' '.join(str(error).split())})") from None
    if not names:
        cells = cells.iloc[1:].reset_index(drop=True)
    if cells.empty:
        raise UserError(f"{path}: lists no image; expected a line an image with {', '.join(columns)}")
    return cells.fillna("").apply(lambda column: column.str.strip())


def decode(cells: pd.Series, meaning: Mapping[str, str | None], path: str | Path) -> pd.Series:
    """Turn the text of label cells into class names, "" and what means None into a blank; other text is an error."""
    wrong = cells[~cells.isin([*meaning, ""])]
    if len(wrong):
        expected = f"one of {', '.join(meaning)}, or an empty cell"
        raise UserError(f"{path}: {cells.name} {quoted(wrong.iloc[0])} is unknown; expected {expected}")
    return cells.map({text: name for text, name in meaning.items() if name}).astype(TEXT)


def present(
    rows: pd.DataFrame, images: Iterable[str], lists: str | Path
) -> tuple[pd.DataFrame, list[dict], list[dict]]:
    """Return the rows of which the image in `path` is there, each only once, then what is skipped and what deviates.

    `lists` names the label file in messages. No image at all is an error.
    """
    images = pd.Series(list(images), dtype=object)
    here, repeated = rows["path"].isin(images), rows["path"].duplicated()
    if not here.any():
        raise UserError(f"{lists}: none of its {len(rows)} images is there; expected {rows['path'].iloc[0]} and so on")
    skipped = notes(rows["path"][~here & ~repeated], "the image is missing")
    skipped += notes(sorted(images[~images.isin(rows["path"])]), f"no line in {os.path.basename(lists)}")
    deviations = notes(rows["path"][here & repeated], "the image has several lines, of which the first counts")
    return rows[here & ~repeated].reset_index(drop=True), skipped, deviations


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
