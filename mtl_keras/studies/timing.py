"""Time of steps that take turns, and peak memory of work that has a process of its own."""

import ctypes
import gc
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
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


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Give a list that holds, after the block, the peak of main memory above that before it, in MiB.

    It stays empty where the system does not tell: that is known on Linux, and of a GPU's own memory nothing.
    """
    found: list[float] = []
    if not CLEAR.exists():
        yield found
        return
    gc.collect()
    # What is free already would otherwise be used again without being seen.
    with suppress(AttributeError):  # only the GNU library has it
        ctypes.CDLL(None).malloc_trim(0)
    CLEAR.write_text("5")  # the peak counts from here
    before = memory("VmRSS")
    yield found
    found.append(max(0.0, memory("VmHWM") - before))


def costs_beside(make: Callable, make_usual: Callable, repeats: int) -> dict:
    """Return what a step costs: `ms`, its `ratio` to a usual step, both medians over turns, and `peak_mb` of memory.

    `make` and `make_usual` return such steps. The memory is what the step's first two calls take, in MiB.
    """
    own = make()
    with peak_memory() as peak:
        own(), own()
    usual = make_usual()
    for _ in range(2):  # warm up
        usual(), own()
    times = milliseconds_in_turns([own, usual], repeats)
    ratio = float(np.median(times[:, 0] / times[:, 1]))
    return {"ms": float(np.median(times[:, 0])), "ratio": ratio, "peak_mb": peak[0]}
