"""Files that the page took in: each is used once, and then gone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mtl_keras.errors import UserError
from mtl_keras.extras import needed

FileData = needed("gradio", "page").FileData


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
    """Around the use of a file: its folder, which gradio names by what the file holds, is removed with it."""
    try:
        yield
    except FileNotFoundError:
        # Of two that send the same file at once, the first takes it.
        raise UserError("the same file came from somebody else and is gone with their answer; send it again") from None
    with suppress(OSError):
        Path(path).parent.rmdir()
