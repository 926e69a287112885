"""How much memory a piece of work takes at its peak."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mtl_keras.studies.timing import CLEAR, memory


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
