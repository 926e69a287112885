"""Time of steps that take turns, and peak memory of work that has a process of its own."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mtl_keras.errors import UserError

CLEAR = Path("/proc/self/clear_refs")


def in_fresh_process(function: Callable, *arguments):
    """Return what a function of a module answers in a new process, in which nothing has been loaded or kept yet."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(function, *arguments).result()


def milliseconds_in_turns(steps: list[Callable[[], object]], repeats: int) -> np.ndarray:
    """Return the milliseconds of each of `repeats` calls of each step, (repeats, steps).

    The steps take turns, every second time in the other order, so that whatever else the machine does slows them alike.
    """
    times = np.zeros((repeats, len(steps)))
    for number, row in enumerate(times):
        for place in range(len(steps))[:: -1 if number % 2 else 1]:
            started = time.perf_counter()
            steps[place]()
            row[place] = 1000 * (time.perf_counter() - started)
    return times


def check_memory() -> None:
    """Refuse a system that does not tell the peak memory of a process."""
    if not CLEAR.exists():
        raise UserError(f"{CLEAR}: no such file; measuring peak memory takes Linux")


def memory(name: str) -> float:
    """Return the size (VmRSS) or peak (VmHWM) of this process in MiB; unlike ru_maxrss, without its parent's."""
    return int(re.search(rf"{name}:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def peak_above(work: Callable[[], object]) -> float:
    """Return how far the memory of this process rises during some work, in MiB above what it has before."""
    before = memory("VmRSS")
    CLEAR.write_text("5")  # the peak counts from here
    work()
    return memory("VmHWM") - before
