"""Ctrl+C is for the process that started the others."""

import os
import signal

import pytest
from joblib import Parallel, delayed

from mtl_keras.workers import starting_workers


def blocked() -> bool:
    """Return whether this process hears nothing of Ctrl+C."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())


def test_workers_leave_an_interruption_to_whoever_started_them():
    with starting_workers():
        found = Parallel(n_jobs=2, return_as="generator")(delayed(blocked)() for _ in range(4))
    assert list(found) == [True] * 4 and not blocked()


def test_an_interruption_meanwhile_is_not_lost():
    # Tests that a shell runs in the background inherit that Ctrl+C is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), starting_workers():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not blocked()
