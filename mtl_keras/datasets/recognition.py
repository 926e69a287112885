"""Which data set a folder or file holds: as NAME=FOLDER says, or found out by trying the readers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from mtl_keras.datasets import DATASETS
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.files import folder_of

Reader = Callable[..., pd.DataFrame]
# They read folders of other sets as well, and so count only where nothing else fits: the library draws its faces in the
# layouts of public sets, of which some are class folders.
GENERAL = ("rendered", "class_folders", "csv_file")


def whichever_reads(readers: Sequence[Reader]) -> Reader:
    """Return a reader that takes a folder, or a CSV file, for the one of these sets whose layout it has.

    Those that read other sets' folders as well (`GENERAL`) count where nothing else fits. A folder that several read is
    an error; one that none can read too, with the reason of each, or, where one has its layout with a fault in it, with
    that reason alone. With `strict` a folder of the right layout with a deviation in it is an error as well, but never
    read as another set.
    """

    def read(folder: str | Path, strict: bool = False) -> pd.DataFrame:
        # One file may be a set as well.
        if not Path(folder).is_file():
            folder = folder_of(folder, sets := " or ".join(reader.__name__ for reader in readers))
            if next(folder.iterdir(), None) is None:
                raise LayoutError(f"{folder}: an empty folder; expected the folder of {sets}")
        errors = {}
        own = [reader for reader in readers if reader.__name__ not in GENERAL]
        for several in (own, [reader for reader in readers if reader not in own]):
            found = {reader: table for reader in several if (table := _tried(reader, folder, errors)) is not None}
            if len(found) > 1:
                names = [reader.__name__ for reader in found]
                raise UserError(f"{folder}: {' and '.join(names)} read it; say which it is, as in {names[0]}={folder}")
            for reader, table in found.items():
                return reader(folder, strict=True) if strict else table
        raise _why_none(folder, errors)

    return read


def _tried(reader: Reader, folder: str | Path, errors: dict[str, UserError]) -> pd.DataFrame | None:
    """Return what a reader makes of a folder, None where it cannot read it, which is noted in `errors`."""
    try:
        return reader(folder)
    except UserError as error:
        errors[reader.__name__] = error
        return None


def _why_none(folder: str | Path, errors: dict[str, UserError]) -> UserError:
    """Return the error of a folder that none of the readers of these names reads."""
    # One that has found its files says what is wrong with them; then the others have nothing to say.
    faults = {name: error for name, error in errors.items() if not isinstance(error, LayoutError)}
    if len(faults) == 1:
        (error,) = faults.values()
        return error
    reasons = [f"not {name} ({str(error).removeprefix(f'{folder}: ')})" for name, error in (faults or errors).items()]
    return (UserError if faults else LayoutError)(f"{folder}: {'; '.join(reasons)}")


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
    try:
        return whichever_reads([*DATASETS.values()])(existing(place), strict)
    except LayoutError:
        known = "none of the sets of `mtl-keras list datasets`"
        raise UserError(f"{place}: {known} reads it; name one to see what it misses, as in utkface={place}") from None


def first_of(names: Sequence[str]) -> Reader:
    """Return a reader that takes a folder for the one of these sets that fits, or else for any other, as `read_any`.

    Where no set fits, the error is that of the named ones; of a file, that of `read_any`, which says what the file
    lacks as a table of labels.
    """
    if not names:
        return read_any
    readers = [DATASETS[name] for name in names]
    first = readers[0] if len(readers) == 1 else whichever_reads(readers)

    def read(place: str | Path, strict: bool = False) -> pd.DataFrame:
        if split_name(place)[0]:
            return read_any(place, strict)
        try:
            return first(place, strict)
        except LayoutError as error:
            try:
                return read_any(place, strict)
            except UserError as other:
                raise (other if Path(place).is_file() else error) from None

    return read
