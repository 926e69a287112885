"""The folder of an exported network: what its sidecar says, and whether its files are those that were written."""

import os
import stat
from pathlib import Path

from mtl_keras.errors import UserError
from mtl_keras.models.weights import sha256
from mtl_keras.serving.formats import FORMATS
from mtl_keras.state_files import name_inside
from mtl_keras.training.model_folder import SIDECAR, folder_of_model, read_json

# Pixels; larger images are for no network that there is.
LARGEST_SIDE = 4096


def sums(folder: Path) -> dict[str, str]:
    """Return {name: sha256} of all files of a folder but its sidecar; names have / between their parts."""
    found = (name for name in _names(folder) if name != SIDECAR)
    return {name: sha256(folder / name) for name in sorted(found)}


def read_exported(folder: Path | str) -> dict | None:
    """Return the sidecar of an exported network, once its files are checked; None for any other folder.

    A file that is missing, changed, not in the sidecar or outside the folder is a `UserError`.
    """
    folder = folder_of_model(folder)
    path = folder / SIDECAR
    if not path.is_file() or "export" not in (about := read_json(path)):
        return None
    files = _listed(about, path)
    for name in files:
        if not name_inside(name):
            raise UserError(f"{path}: names the file {name!r}; expected files inside the folder only")
    present = {name for name in _names(folder) if name != SIDECAR}
    if missing := sorted(set(files) - present):
        raise UserError(f"{folder}: lacks {missing[0]}; copy the folder anew")
    if more := sorted(present - set(files)):
        raise UserError(f"{folder}: holds {more[0]}, which {SIDECAR} does not list; remove it, or copy the folder anew")
    for name, expected in files.items():
        if sha256(folder / name) != expected:
            raise UserError(f"{folder / name}: is not the file that was exported (other sha256); copy the folder anew")
    return about


def _listed(about: dict, path: Path) -> dict[str, str]:
    """Return {name: sha256} of the files that a sidecar lists; one that makes no sense is an error."""
    try:
        export, side = about["export"], about["image_size"]
        # A network takes as much memory as its side asks for.
        known = type(side) is int and 1 <= side <= LARGEST_SIDE and isinstance(about["resize_method"], str)
        known = known and bool(about["tasks"]) and isinstance(export["files"], dict)
        form, precision, files = FORMATS.get(export["format"]), export["precision"], dict(export["files"])
    except (KeyError, TypeError, ValueError):
        known, files = False, {}
    if not (known and files and all(isinstance(text, str) for pair in files.items() for text in pair)):
        raise UserError(f"{path}: damaged; export the model again or copy the folder anew")
    if form is None or precision not in form.precisions:
        what = f"format {export['format']!r} with precision {precision!r}"
        raise UserError(f"{path}: {what} is unknown; update mtl_keras")
    return files


def _names(folder: Path) -> list[str]:
    """Return the names of all files at any depth; a link that leads out of the folder, or no file, is an error."""
    found, real = [], os.path.realpath(folder)
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place, name)
            if path.is_symlink() and os.path.commonpath([real, os.path.realpath(path)]) != real:
                raise UserError(f"{path}: is a link that leads out of the folder; copy what it stands for in its place")
        for name in files:
            path = Path(place, name)
            if not path.exists() or not stat.S_ISREG(path.stat().st_mode):
                raise UserError(f"{path}: is no regular file; copy the folder anew")
            found.append(path.relative_to(folder).as_posix())
    return found
