"""Files of our own: written whole or not at all, read with a check; and the image files of a folder."""

import dataclasses
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
import pandas as pd

from mtl_keras.errors import LayoutError, UserError

# The type of columns of text, in which what is missing is NaN.
TEXT = pd.StringDtype(na_value=np.nan)
# How a cell begins that a spreadsheet runs, behind the "'" that were put before it; numbers do no harm.
_FORMULA, _NUMBER = re.compile(r"'*[=@+\-\t\r]"), re.compile(r"[+-]?[\d.]+(?:[eE][+-]?\d+)?")


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file for reading its bytes; what is no regular file, such as a pipe, is an error and never waited for.

    The error is the reason alone: whoever calls names the file.
    """
    handle = os.open(path, os.O_RDONLY | (os.O_BINARY if os.name == "nt" else os.O_NONBLOCK))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UserError("not a regular file")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def no_link(path: str, flags: int) -> int:
    """Open a file to write to, as the `opener` of `open`: a link or a pipe in its place is an error."""
    return os.open(path, flags | (0 if os.name == "nt" else os.O_NOFOLLOW | os.O_NONBLOCK), 0o666)


def check_writable(path: str | Path, folder: bool = False) -> None:
    """Refuse a place to which no file, or with `folder` no folder of files, can be written, before the work for it.

    Nothing is left there.
    """
    path = Path(path)
    try:
        # Path makes gs:/bucket of gs://bucket; a drive of Windows has one letter.
        if re.match(r"[A-Za-z][\w+.-]+:/", path.as_posix()):
            raise OSError(None, f"is not on this computer; expected a local {'folder' if folder else 'file'}")
        if folder != path.is_dir() and os.path.lexists(path):
            found, wanted = ("file", "folder") if folder else ("folder", "file")
            found = f"a {found}" if path.exists() else "a link that leads nowhere"
            raise OSError(None, f"is {found}; expected a {wanted}")
        if path == Path("-"):
            raise OSError(None, "stands for no file here; expected a name")
        with suppress(FileNotFoundError):
            mode = path.stat().st_mode  # which knows of a name that is too long
            # A file that is written takes the place of what was there, also of /dev/null.
            if not folder and not stat.S_ISREG(mode):
                raise OSError(None, "is a device or a pipe; expected a file")
        place = path if folder else path.parent
        while not os.path.lexists(place):
            place = place.parent
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror or error}); make room or name another place")


def _beside(path: Path) -> dict[str, str | Path]:
    """Return what `tempfile` needs for a place beside a path: with its ending, but none of the rest of a long name."""
    return {"prefix": f".{path.name[:20]}.", "suffix": path.suffix[:20], "dir": path.absolute().parent}


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path` to write to; on success it takes the place of `path`.

    After a failure what was at `path` is still there; a full disk or a forbidden folder is a `UserError`.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(**_beside(path))
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(_rights(0o666))
        os.replace(temporary, path)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _rights(most: int) -> int:
    """Return the rights of a new file or folder: those made by `tempfile` are for their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    return most & ~mask


def remove(path: Path) -> None:
    """Remove a file, a folder with all that is in it, or a link and not what it leads to; none there is no mistake.

    What cannot be removed is a `UserError`, since somebody relies on its being gone.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be removed ({error.strerror or error}); remove it yourself") from None


# How the names of images end; what they are their first bytes tell (`mtl_keras.data.image_formats`).
EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif", ".heic",
              ".heif")  # fmt: skip
# Labels lie beside images, and nobody misses them among these.
LABEL_FILES = (".csv", ".tsv", ".json", ".mat", ".parquet")
NO_IMAGE = f"its name ends in none of {', '.join(EXTENSIONS)}"


def image_files(folder: str | Path) -> Iterator[str]:
    """Yield every image file at any depth, hidden ones left out and each linked folder visited once."""
    return (path for path in _files(folder) if path.lower().endswith(EXTENSIONS))


def other_files(folder: str | Path) -> list[str]:
    """Return the files that `image_files` leaves out for the reason `NO_IMAGE`, but none hidden or of labels."""
    return sorted(path for path in _files(folder) if not path.lower().endswith(EXTENSIONS + LABEL_FILES))


def _files(folder: str | Path) -> Iterator[str]:
    visited = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        start = os.path.join(place, "")
        yield from (start + name for name in files if not name.startswith("."))


def free_name(name: str, ending: str, taken: set[str]) -> str:
    """Return the name (with or without folders) and ending of a file, with a number behind the name if that is taken.

    Its last part is cut to what file systems allow. `taken` holds names in small letters, and gets this one too: two
    names that differ only in case are one file on many a computer.
    """
    own = PurePosixPath(name) if PurePosixPath(name).name else PurePosixPath("image")
    # 255 bytes, of which a number and an ending need some.
    short = os.fsencode(own.name)[:200].decode(errors="ignore") or "image"
    free = own = str(own.with_name(short))
    number = 1
    while (free + ending).casefold() in taken:
        number += 1
        free = f"{own}_{number}"
    taken.add((free + ending).casefold())
    return free + ending


def folder_of(path: str | Path, what: str) -> Path:
    """Return the path if it is a folder; what is missing, or a file, is an error that says `what` was expected."""
    folder = Path(path)
    if not folder.exists():
        raise UserError(f"{folder}: no such folder; expected the folder of {what}")
    if not folder.is_dir():
        raise LayoutError(f"{folder}: is a file; expected the folder of {what}")
    return folder


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder next to `folder` to fill; on success it takes the place of `folder`.

    After a failure what was at `folder` is still there; a full disk or a forbidden place is a `UserError`.
    """
    temporary = None
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(**_beside(folder)))
        yield temporary
        temporary.chmod(_rights(0o777))
        _take_place(temporary, folder)
    except OSError as error:
        raise _unwritable(folder, error) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _take_place(new: Path, folder: Path) -> None:
    """Move a folder to another's place; if that fails, the other one is back where it was."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(None, "a file is there")
    old = Path(tempfile.mkdtemp(**_beside(folder)))
    try:
        if folder.exists():
            os.replace(folder, old)
        try:
            os.replace(new, folder)
        except OSError:
            if any(old.iterdir()):
                os.replace(old, folder)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def as_numbers(cells: pd.Series) -> pd.Series:
    """Return cells as float64, NaN where one is no number, and infinity where it is too large for one."""
    try:
        return pd.to_numeric(cells, errors="coerce").astype(np.float64)
    except OverflowError:
        return cells.map(_as_number).astype(np.float64)


def _as_number(cell: object) -> float:
    try:
        return float(cell)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return math.nan


def write_rows(rows: list[dict], columns: list[str], path: Path) -> None:
    """Write rows as CSV; an old file stays whole until the new one is complete."""
    # File names on disk need not be valid Unicode: such bytes go out as they came in.
    with replacing(path) as temporary:
        table = pd.DataFrame(rows, columns=columns, dtype=object)
        escaped(table).to_csv(temporary, index=False, errors="surrogateescape", lineterminator="\n")


def escaped(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which a spreadsheet runs no cell: texts that begin as formulas do begin with "'" instead."""
    return _changed_texts(
        table, lambda text: "'" + text if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
    )


def unescaped(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table that was written `escaped` as it was before."""
    return _changed_texts(table, lambda text: text[1:] if text.startswith("'") and _FORMULA.match(text) else text)


def _changed_texts(table: pd.DataFrame, changed: Callable[[str], str]) -> pd.DataFrame:
    """Return a table with its column names and texts changed; what does not begin as a formula is left as it is."""
    new = {}
    for name in table.columns[~table.columns.duplicated()]:
        column = table[name]
        # Most columns begin with nothing of the kind, which is soon known.
        begin = {cell[:1] for cell in column if isinstance(cell, str)} if isinstance(column, pd.Series) else set()
        if begin.intersection("'=@+-\t\r"):
            cells = [changed(cell) if isinstance(cell, str) else cell for cell in column]
            new[name] = pd.Series(cells, column.index, column.dtype)
    return table.assign(**new).rename(columns=lambda name: changed(name) if isinstance(name, str) else name)


def without_folders(text: str) -> str:
    """Cut a path, also one behind `--flag=`, to its last part, and so every path (but no URL) inside a sentence."""
    start = r"(?:~|\.{1,2}|[A-Za-z]:)?[\\/]"
    flag, value = re.fullmatch(r"(--[\w-]+=)?(.*)", text, re.DOTALL).groups(default="")
    if re.match(start, value) or os.path.exists(value):
        return flag + (Path(value).name or value)
    inside = rf"(?<![^\s=,;:\"'(\[]){start}(?!/)[^\s,;:\"')\]]+"
    return flag + re.sub(inside, lambda found: Path(found[0]).name, value)


def plain(value: object, shown: Callable[[str], str] = str) -> object:
    """Turn a value into what JSON can hold: no numpy, no folders of a path, and null for a number that is not finite.

    `shown` says how texts are written.
    """
    value = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value
    if isinstance(value, dict):
        return {str(key): plain(item, shown) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item, shown) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, int | float):
        return None if isinstance(value, float) and not math.isfinite(value) else value
    return value.name if isinstance(value, Path) else shown(str(value))
