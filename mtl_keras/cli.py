"""The command `mtl-keras`."""

import sys
from collections.abc import Callable

from mtl_keras.errors import UserError


def guarded(main: Callable[[], None]) -> None:
    """Run a command's work; a user's mistake ends it with one line and exit code 2, Ctrl+C with exit code 130."""
    try:
        main()
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
