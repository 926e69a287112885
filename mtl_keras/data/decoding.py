"""Image files -> pixels within tf.data, by the one reading of images."""

import atexit
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import tensorflow as tf

from mtl_keras.data import images
from mtl_keras.errors import UserError, printable

# Files that one call decodes: a call of Python from TensorFlow takes as long as a small file.
FILES_AT_ONCE = 16
_ending, _calling = threading.Event(), set()


def with_images(rows: tf.data.Dataset, size: int, method: str) -> tf.data.Dataset:
    """Return rows (path, contents of the image file, *others) as (image, *others), with images (size, size, 3) uint8.

    A file that cannot be read ends the pass with an error that names it.
    """

    return _with_pixels(rows, 2, size, method)


def with_images_of_files(rows: tf.data.Dataset, size: int, method: str) -> tf.data.Dataset:
    """Return rows (path, *others) as `with_images` does, with what the files hold now."""

    return _with_pixels(rows, 1, size, method)


def _with_pixels(rows: tf.data.Dataset, count: int, size: int, method: str) -> tf.data.Dataset:
    """Return rows with images in the place of their first `count` columns."""

    def load(*columns):
        return _pixels([*columns[:count]], size, method), *columns[count:]

    return rows.batch(FILES_AT_ONCE).map(load, num_parallel_calls=tf.data.AUTOTUNE).unbatch()


def unreadable(path: str, reason: str) -> UserError:
    """Return the error of an image that a pass cannot read."""
    return UserError(f"{printable(path)}: {reason}; check_images, or leaving out --no-check, drops it")


def _pixels(columns: list[tf.Tensor], size: int, method: str) -> tf.Tensor:
    """Return images (N, size, size, 3) uint8 of paths (N,) and, if there, of the contents of the files (N,)."""

    def read(paths: np.ndarray, files: np.ndarray | None = None) -> np.ndarray:
        pixels = np.empty((len(paths), size, size, 3), np.uint8)
        _calling.add(threading.get_ident())
        try:
            for number, path in enumerate(paths):
                if _ending.is_set():
                    raise RuntimeError("Python ends")
                contents = _contents(os.fsdecode(path)) if files is None else files[number]
                pixels[number] = images.resize(images.decode(contents).pixels, size, method)
        except (OSError, UserError, tf.errors.OpError) as error:
            raise unreadable(os.fsdecode(paths[number]), images.reason_of(error)) from None
        finally:
            _calling.discard(threading.get_ident())
        return pixels

    _stop_calls_at_exit()
    pixels = tf.numpy_function(read, columns, tf.uint8, stateful=False)
    return tf.ensure_shape(pixels, (None, size, size, 3))


def _contents(path: str) -> bytes:
    # In a cloud, which Python does not reach.
    if "://" in path:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    return images.contents_of(path)


@contextmanager
def naming_images() -> Iterator[None]:
    """Let a file that a pass over images could not read be the one line that names it, as everywhere."""
    try:
        yield
    except tf.errors.OpError as error:
        said = re.search(r"UserError: (.*)", str(error.message))
        if said is None:
            raise
        raise UserError(said[1]) from None


@cache
def _stop_calls_at_exit() -> None:
    """Let no call into Python be under way when Python ends, since an iterator that is still there waits for it.

    An iterator that nobody asks for more calls only until its buffers are full.
    """

    def stop():
        _ending.set()
        quiet = 0
        while quiet < 10:
            time.sleep(0.01)
            quiet = 0 if _calling else quiet + 1

    atexit.register(stop)
