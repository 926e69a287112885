"""The one exception that stands for a mistake its user can mend, and how a command tells of it."""

import sys
from collections.abc import Callable


class UserError(ValueError):
    """A mistake that the user can mend: the message says what came, what was expected and how to mend it.

    It is one line, whatever is quoted in it. The command line prints it without a traceback.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(line.strip() for line in message.splitlines()))


def guarded(main: Callable[[], None]) -> None:
    """Run a command's work; a user's mistake ends it with one line and exit code 2, Ctrl+C with exit code 130."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def printable(path: str) -> str:
    """Return a path as it can be printed: names on disk need not be valid Unicode."""
    return path.encode(errors="replace").decode()
