"""Processes that share a command's work."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def starting_workers() -> Iterator[None]:
    """Let the processes that joblib starts meanwhile leave Ctrl+C to this one, or each would tell of it in a traceback.

    They inherit that the signal is blocked. Here it waits, where no other thread takes it, until they are started.
    """
    if sys.platform == "win32":
        yield
        return
    # This one is started before the first of them, and to start it lifts the block.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
