"""The exceptions that stand for a mistake its user can mend, and how a command tells of it."""

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mtl_keras.quiet import without_retracing

# A value of numpy as `repr` gives it: np.float64(200.0), np.str_('a'), np.True_.
_NUMPY_VALUE = re.compile(r"\bnp\.(?:\w+\(('[^']*'|\"[^\"]*\"|[^()]*)\)|(True|False)_)")


class UserError(ValueError):
    """A mistake that the user can mend: the message says what came, what was expected and how to mend it.

    It is one line, whatever is quoted in it, and shows values of numpy as those of Python. The command line prints it
    without a traceback and ends with `exit_code`.
    """

    exit_code = 2

    def __init__(self, message: str):
        line = " ".join(line.strip() for line in message.splitlines())
        super().__init__(_NUMPY_VALUE.sub(r"\1\2", line))


class LayoutError(UserError):
    """A place that is not laid out as the data set that was to be read from it: it may be another one."""


class SomeFailedError(UserError):
    """Some of what a command was to do could not be done; the rest is done, printed and kept."""

    exit_code = 1


class Terminated(KeyboardInterrupt):
    """The program was asked to end by SIGTERM, as where a machine is preempted: as by Ctrl+C but for the exit code."""


@contextmanager
def kept_if_interrupted(kept: str) -> Iterator[None]:
    """Let Ctrl+C, and SIGTERM, tell what is `kept` of the work and how to go on."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        raise type(stopped)(kept) from None


@contextmanager
def _terminated_by_signal() -> Iterator[None]:
    """Let SIGTERM end the work with `Terminated`; a second one ends the program at once."""
    # Python lets no other thread say what a signal does.
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number, frame):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def guarded(main: Callable[[], None]) -> None:
    """Run a command's work; a user's mistake ends it with one line and its exit code.

    Ctrl+C ends it with exit code 130, and SIGTERM with 143. Where nobody reads what is printed any more, as behind
    `| head`, it ends with exit code 141 and says nothing.
    """
    without_retracing()
    try:
        try:
            with _terminated_by_signal():
                main()
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt as stopped:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # below the line of a progress bar
        how, code = ("terminated", 143) if isinstance(stopped, Terminated) else ("interrupted", 130)
        print(": ".join([how, *map(str, stopped.args)]), file=sys.stderr)
        sys.exit(code)
    except BrokenPipeError:
        # Python writes out at its end what it holds back: to nowhere, or that would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def printable(path: str) -> str:
    """Return a path as it can be printed: names on disk need not be valid Unicode."""
    return path.encode(errors="replace").decode()
