"""Files that the page took in: each is used once, and then gone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from starlette.datastructures import Headers

from mtl_keras.errors import UserError
from mtl_keras.extras import needed

FileData = needed("gradio", "page").FileData
uploading = needed("gradio.route_utils", "page")


class OwnFile(uploading.GradioUploadFile):
    """A file as gradio takes it in, which keeps it by this sum: here in a folder of its own, whatever it holds.

    By what it holds alone, two that send the same photo would share one file, which the first answer deletes.
    """

    def __init__(
        self, file: BinaryIO, *, size: int | None = None, filename: str | None = None, headers: Headers | None = None
    ):
        super().__init__(file, size=size, filename=filename, headers=headers)
        self.sha.update(os.urandom(32))


uploading.GradioUploadFile = OwnFile


def path_of(file: FileData | None) -> str | None:
    """Return where a file lies that came in; a component whose `preprocess` it is leaves the file to this package.

    A class of its own would make gradio write a file beside the module of that class. A path that does not lie in the
    folder of what came in is refused, whatever gradio has let pass.
    """
    if not file:
        return None
    if not Path(file.path).resolve().is_relative_to(Path(os.environ["GRADIO_TEMP_DIR"]).resolve()):
        raise UserError("the file did not come in by the page; upload it")
    return file.path


def taken(path: str) -> bytes:
    """Return what a file that came in holds, and delete it."""
    with _there(path):
        contents = Path(path).read_bytes()
        os.remove(path)
    return contents


def move(path: str, place: str) -> None:
    """Move a file that came in to another place of the same disk."""
    with _there(path):
        os.replace(path, place)


@contextmanager
def _there(path: str) -> Iterator[None]:
    """Around the use of a file: its folder, in which nothing else lies, is removed with it."""
    try:
        yield
    except FileNotFoundError:
        raise UserError("the file is gone with an earlier answer about it; send it again") from None
    with suppress(OSError):
        Path(path).parent.rmdir()
