"""One owner of a folder of results: while a process writes there, no other one may."""

import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mtl_keras.errors import UserError
from mtl_keras.files import check_writable, open_regular, replacing

# Hidden files of a folder that is written to: the lock, and who holds it.
LOCK, NOTE = ".lock", ".owner"


@contextmanager
def owned(folder: str | Path) -> Iterator[None]:
    """Let nobody else write to a folder meanwhile; one that another process owns is a `UserError` that names it.

    The lock is the operating system's, which takes it from an owner that ends, in whatever way. A thread may own a
    folder several times over. A folder to which nothing can be written is an error too.
    """
    folder = Path(folder)
    check_writable(folder, folder=True)
    new = not folder.exists()
    lock = FileLock(folder.resolve() / LOCK, timeout=0, is_singleton=True)
    outermost = not lock.is_locked
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"{folder}: {_owner(folder)} writes there; wait until it has ended, or name another folder"
        ) from None
    except OSError as error:
        raise UserError(f"{folder}: cannot be locked ({error.strerror or error}); name another folder") from None
    try:
        if outermost:
            # Without it the message to others names nobody.
            with suppress(UserError), replacing(folder / NOTE) as temporary:
                temporary.write_text(_this_process(), encoding="utf-8")
        yield
    finally:
        if outermost:
            _leave(folder, new)
        lock.release()


def _leave(folder: Path, new: bool) -> None:
    """Remove what an owner has left in a folder, and a `new` folder to which nothing was written.

    While the lock is held: who has opened its file meanwhile finds that it is gone, and tries again.
    """
    for name in (NOTE, LOCK):
        with suppress(OSError):
            (folder / name).unlink()
    if new:
        with suppress(OSError):
            folder.rmdir()


def _this_process() -> str:
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    since = time.strftime("%Y-%m-%d %H:%M")
    return f"process {os.getpid()} on {socket.gethostname()} (`{command[:200]}`, since {since})"


def _owner(folder: Path) -> str:
    """Return the owner of a folder in words, as it has noted itself."""
    try:
        with open_regular(folder / NOTE) as file:
            words = file.read(1000).decode(errors="replace").split()
    except (OSError, UserError):
        words = []
    return " ".join(words)[:300] or "another process"
