"""What TensorFlow says that is no news: notes on the computer while it is imported, and that new networks are traced.

The notes are written before any setting of its own is read.
"""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ctypes import CDLL
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

# What is no news: notes, the line that announces them, and that a computer without NVIDIA's driver has no GPU.
NOTES = re.compile(
    rb"I\d{4} |INFO: |WARNING: All log messages before absl::Init|E\d{4} .*cuInit: UNKNOWN ERROR \(303\)"
)


@contextmanager
def without_notes() -> Iterator[None]:
    """Hold back what this process writes to file descriptor 2, and write afterwards all but TensorFlow's notes.

    They come from C++, which knows nothing of `sys.stderr`.
    """
    with ExitStack() as stack:
        try:
            held = stack.enter_context(tempfile.TemporaryFile())
            stderr = stack.enter_context(os.fdopen(os.dup(2), "wb"))
        except OSError:  # no console, or no place for a temporary file
            yield
            return
        _flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(stderr.fileno(), 2)
            held.seek(0)
            stderr.writelines(line for line in held if not NOTES.match(line))


def _flush() -> None:
    if sys.stderr:
        sys.stderr.flush()


class QuietTensorFlow:
    """A finder of modules that lets the first import of TensorFlow, whoever asks for it, be one `without_notes`."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return where TensorFlow is, to be loaded without notes; every other module is left to the other finders."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec and spec.loader:
            spec.loader.exec_module = _quietly(spec.loader.exec_module)
        return spec


def _quietly(load: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def exec_module(module: ModuleType) -> None:
        with without_notes():
            load(module)
            if not _has_gpu_driver():
                # Else the first network, seconds later, would find out and say so.
                module.config.list_physical_devices()

    return exec_module


def _has_gpu_driver() -> bool:
    try:
        return bool(CDLL("libcuda.so.1"))
    except OSError:
        return False


def install() -> None:
    """Import TensorFlow without notes from now on, unless TF_CPP_MIN_LOG_LEVEL asks for them (0 or 1)."""
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") not in ("0", "1") and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, QuietTensorFlow())


def without_retracing() -> None:
    """Let TensorFlow not warn of functions that are traced anew, which are new networks: no mistake of who trains them.

    It is said by a logger of Python, for this whole process: for commands, of which no user can change the code.
    """
    logging.getLogger("tensorflow").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()
