"""Image files within tf.data: a file that cannot be read is named, and nothing waits when Python ends."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf
from PIL import Image

from mtl_keras.data.decoding import naming_images, with_images
from mtl_keras.data.pipeline import batches
from mtl_keras.errors import UserError
from mtl_keras.evaluation.features import trunk_features
from mtl_keras.evaluation.metrics import evaluate
from mtl_keras.training.resume import fit

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
    with pytest.raises(UserError, match=f"{path}: the header is damaged .*; check_images, or leaving"), naming_images():
        list(with_images(rows, 8, "bilinear"))


def test_other_errors_of_a_pass_stay_what_they_are():
    with pytest.raises(tf.errors.NotFoundError), naming_images():
        tf.io.read_file("nowhere")


def test_a_damaged_file_ends_evaluation_training_and_features_in_one_line(tiny_model, faces, tmp_path, one_line):
    path = tmp_path / "cut.png"
    Image.open(faces["path"][0]).save(path)
    path.write_bytes(path.read_bytes()[:-5])
    table = faces.iloc[:4].assign(path=[str(path), *faces["path"][1:4]])
    with one_line("the end of the PNG image is missing", path):
        evaluate(tiny_model, table)
    with one_line("the end of the PNG image is missing", path):
        trunk_features(tiny_model, table, tmp_path / "cache", "random")
    tiny_model.compile("adam")
    with one_line("the end of the PNG image is missing", path):
        batches(table, tiny_model, shuffle=True)  # kept in memory
    with one_line("the end of the PNG image is missing", path):
        fit(tiny_model, lambda epoch: batches(table, tiny_model), None, tmp_path / "run", 1, 1)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_pipe_and_a_file_that_has_gone_end_a_pass_in_one_line(tiny_model, faces, tmp_path, one_line, shuffle):
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, says in (("pipe.jpg", "not a regular file"), ("gone.jpg", "No such file")):
        table = faces.iloc[:4].assign(path=[str(tmp_path / name), *faces["path"][1:4]])
        with one_line(says, tmp_path / name), naming_images():
            list(batches(table, tiny_model, shuffle=shuffle))


def test_an_iterator_that_is_left_does_not_keep_python_from_ending(faces):
    command = [sys.executable, "-c", PROGRAM, faces["path"][0]]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "(8, 32, 32, 3)\n"), ended.stderr[-500:]
