"""Which data set a folder or file holds: as NAME=FOLDER says, or found out by trying the readers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from mtl_keras.datasets import DATASETS
from mtl_keras.errors import UserError
from mtl_keras.files import folder_of

Reader = Callable[..., pd.DataFrame]
# They read folders of other sets as well, and so count only where nothing else fits: the library draws its faces in the
# layouts of public sets, of which some are class folders.
GENERAL = ("rendered", "class_folders", "csv_file")


def first_that_reads(readers: Sequence[Reader]) -> Reader:
    """Return a reader that takes a folder, or a CSV file, for the first of these sets whose layout it has.

    A folder that none of them can read is an error with the reason of each. With `strict` a folder of the right layout
    with a deviation in it is an error too, but never read as another set.
    """

    def read(folder: str | Path, strict: bool = False) -> pd.DataFrame:
        # One file may be a set as well.
        if not Path(folder).is_file():
            folder = folder_of(folder, sets := " or ".join(reader.__name__ for reader in readers))
            if next(folder.iterdir(), None) is None:
                raise UserError(f"{folder}: an empty folder; expected the folder of {sets}")
        reasons = []
        for reader in readers:
            try:
                table = reader(folder)
            except UserError as error:
                reasons.append(f"not {reader.__name__} ({str(error).removeprefix(f'{folder}: ')})")
                continue
            return reader(folder, strict=True) if strict else table
        raise UserError(f"{folder}: {'; '.join(reasons)}")

    return read


def split_name(place: str | Path) -> tuple[str, Path]:
    """Return the name and the folder of NAME=FOLDER, or "" and the place where it names no set; an unknown is an error.

    A file or folder that has such a name itself is that.
    """
    name, sign, folder = str(place).partition("=")
    if not sign or "/" in name or Path(place).exists():
        return "", Path(place)
    if name not in DATASETS:
        raise UserError(f"{place}: unknown dataset {name!r}; expected one of {', '.join(DATASETS)}")
    return name, Path(folder)


def existing(place: Path) -> Path:
    """Return the place of a data set, which is an error where there is nothing."""
    if not place.exists():
        raise UserError(
            f"{place}: no such file or folder; expected a data set's folder, a CSV file or a folder of shards"
        )
    return place


def read_any(place: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a folder or a file, or NAME=FOLDER, as the set of `mtl_keras.datasets.DATASETS` that it holds.

    What no reader reads, or several, is an error that says how to name the set.
    """
    name, place = split_name(place)
    if name:
        return DATASETS[name](place, strict)
    existing(place)
    for names in ([name for name in DATASETS if name not in GENERAL], GENERAL):
        found = {name: table for name in names if (table := _table(DATASETS[name], place)) is not None}
        if len(found) > 1:
            first = next(iter(found))
            raise UserError(f"{place}: {' and '.join(found)} read it; say which it is, as in {first}={place}")
        if found:
            ((name, table),) = found.items()
            return DATASETS[name](place, strict=True) if strict else table
    if place.is_file():
        return DATASETS["csv_file"](place, strict)
    known = "none of the sets of `mtl-keras list datasets`"
    raise UserError(f"{place}: {known} reads it; name one to see what it misses, as in utkface={place}")


def first_of(names: Sequence[str]) -> Reader:
    """Return a reader that takes a folder for the first of these sets that fits, or else for any other, as `read_any`.

    Where no set fits, the error is that of the named ones; of a file, that of `read_any`, which says what the file
    lacks as a table of labels.
    """
    if not names:
        return read_any
    readers = [DATASETS[name] for name in names]
    first = readers[0] if len(readers) == 1 else first_that_reads(readers)

    def read(place: str | Path, strict: bool = False) -> pd.DataFrame:
        if split_name(place)[0]:
            return read_any(place, strict)
        try:
            table = first(place)
        except UserError as error:
            try:
                return read_any(place, strict)
            except UserError as other:
                raise (other if Path(place).is_file() else error) from None
        return first(place, strict=True) if strict else table

    return read


def _table(read: Reader, place: Path) -> pd.DataFrame | None:
    """Return what a reader makes of a folder, None where it cannot read it."""
    try:
        return read(place)
    except UserError:
        return None
