"""The images that paths, folders and patterns stand for."""

import os
from collections.abc import Iterable
from glob import glob, has_magic
from pathlib import Path

from mtl_keras.errors import UserError
from mtl_keras.files import EXTENSIONS, image_files


def find_images(paths: Iterable[Path | str]) -> dict[str, str]:
    """Return {image: its name} for the images that these files, folders and patterns stand for, each file once.

    Folders are searched at any depth; the name of an image in one of them begins below it. In patterns, which the
    shell leaves as they are where they stand in quotes, `**` is any number of folders. A file that is not there is
    returned all the same, to be listed among what cannot be read; only if nothing is there that is an error.
    """
    found, missing = {}, []
    for path in map(str, paths):
        matches = _matches(path)
        missing += [] if any(map(os.path.exists, matches)) else [path]
        for match in matches:
            inside = {image: os.path.relpath(image, match) for image in sorted(image_files(match))}
            if not inside and os.path.isdir(match):
                if match == path:
                    expected = f"expected files that end in {', '.join(EXTENSIONS)}"
                    raise UserError(f"{path}: holds no images; {expected}")
                continue
            inside = inside or {match: os.path.basename(match)}
            found |= {image: name for image, name in inside.items() if image not in found}
    if missing and len(missing) == len(found):
        what = "matches no file" if has_magic(missing[0]) else "no such file or folder"
        raise UserError(f"{missing[0]}: {what}; expected an image or a folder of images")
    return found


def _matches(path: str) -> list[str]:
    """Return the files and folders that a pattern stands for; a path that there is stands for itself, whatever it is.

    A pattern that nothing matches is returned as it is.
    """
    if os.path.lexists(path) or not has_magic(path):
        return [path]
    return sorted(glob(path, recursive=True)) or [path]
