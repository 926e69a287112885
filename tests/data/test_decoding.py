"""Image files within tf.data: a file that cannot be read is named, and nothing waits when Python ends."""

import subprocess
import sys

import pytest
import tensorflow as tf

from mtl_keras.data.decoding import with_images

PROGRAM = """
import sys
import tensorflow as tf
from mtl_keras.data.decoding import with_images

path = tf.constant(sys.argv[1])
files = tf.data.Dataset.range(10**6).map(lambda _: (path, tf.io.read_file(path)))
iterator = iter(with_images(files, 32, "bilinear").batch(8).prefetch(2))
print(next(iterator)[0].shape)
"""


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path = str(tmp_path / "cut.jpg")
    rows = tf.data.Dataset.from_tensors((path, b"\xff\xd8\xff"))
    with pytest.raises(tf.errors.OpError, match=f"{path}: the header is damaged .*; run check_images"):
        list(with_images(rows, 8, "bilinear"))


def test_an_iterator_that_is_left_does_not_keep_python_from_ending(faces):
    command = [sys.executable, "-c", PROGRAM, faces["path"][0]]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "(8, 32, 32, 3)\n"), ended.stderr[-500:]
