"""Files of our own: written whole or not at all, read with a check; and the image files of a folder."""

import dataclasses
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.errors import UserError

# The type of columns of text, in which what is missing is NaN.
TEXT = pd.StringDtype(na_value=np.nan)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path` to write to; on success it takes the place of `path`.

    After a failure what was at `path` is still there; a full disk or a forbidden folder is a `UserError`.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes a file that only its owner may read; the result gets the rights of any new file.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be written ({reason}); make room or name another place") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


# How the names of images end; what they are their first bytes tell (`mtl_keras.data.image_formats`).
EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif", ".heic",
              ".heif")  # fmt: skip
NO_IMAGE = f"its name ends in none of {', '.join(EXTENSIONS)}"


def image_files(folder: str | Path) -> Iterator[str]:
    """Yield every image file at any depth, hidden ones left out and each linked folder visited once."""
    return (path for path in _files(folder) if path.lower().endswith(EXTENSIONS))


def other_files(folder: str | Path) -> list[str]:
    """Return the files that are not hidden and that `image_files` leaves out, each for the reason `NO_IMAGE`."""
    return sorted(path for path in _files(folder) if not path.lower().endswith(EXTENSIONS))


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


def folder_of(path: str | Path, what: str) -> Path:
    """Return the path if it is a folder; what is missing, or a file, is an error that says `what` was expected."""
    folder = Path(path)
    if not folder.exists():
        raise UserError(f"{folder}: no such folder; expected the folder of {what}")
    if not folder.is_dir():
        raise UserError(f"{folder}: is a file; expected the folder of {what}")
    return folder


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder next to `folder` to fill; on success it takes the place of `folder`.

    After a failure what was at `folder` is still there; a full disk or a forbidden place is a `UserError`.
    """
    temporary = None
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent))
        yield temporary
        temporary.chmod(0o755)  # mkdtemp makes a folder that only its owner may read
        _take_place(temporary, folder)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); make room or name another place"
        ) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _take_place(new: Path, folder: Path) -> None:
    """Move a folder to another's place; if that fails, the other one is back where it was."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(None, "a file is there")
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.absolute().parent))
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


def write_rows(rows: list[dict], columns: list[str], path: Path) -> None:
    """Write rows as CSV; an old file stays whole until the new one is complete."""
    # File names on disk need not be valid Unicode: such bytes go out as they came in.
    with replacing(path) as temporary:
        table = pd.DataFrame(rows, columns=columns, dtype=object)
        table.to_csv(temporary, index=False, errors="surrogateescape", lineterminator="\n")


def read_csv(path: Path, keys: tuple[str, ...], as_text: bool = False) -> pd.DataFrame:
    """Read a CSV file of ours, with every cell or only the key columns as text; an empty cell is NaN, or "" as text."""
    try:
        # Only an empty cell is missing: a run may well be named "none" or "nan".
        dtype = str if as_text else dict.fromkeys(keys, str)
        table = pd.read_csv(path, dtype=dtype, na_filter=not as_text, keep_default_na=False, na_values=[""])
        # Where rows are longer than the header, pandas takes their first cells for an index.
        if not {*keys} <= {*table} or not isinstance(table.index, pd.RangeIndex):
            raise ValueError(f"it is no table with the columns {', '.join(keys)}")
        return table
    except (OSError, ValueError) as error:
        mend = "expected figures of earlier runs: run the experiment first, or mend or remove the file"
        raise UserError(f"cannot read {path}: {' '.join(str(error).split())}; {mend}") from error


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
