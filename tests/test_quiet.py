"""TensorFlow's notes are not seen, and everything else that it says is."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from mtl_keras.errors import guarded
from mtl_keras.quiet import without_notes

ROOT = Path(__file__).parents[1]
NOTES = """WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795841794.055373   20039 port.cc:153] oneDNN custom operations are on.
E0000 00:00:1795841802.554667   20106 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR (303)
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
"""
NEWS = """W0000 00:00:1795841794.055733   20039 cpu_allocator.cc:83] Allocation of 9 exceeds 10% of free system memory.
E0000 00:00:1795841802.554667   20106 cuda_platform.cc:52] failed call to cuInit: CUDA_ERROR_NO_DEVICE (100)
/home/me/train.py:3: UserWarning: I0000 is no note here
"""


def test_notes_are_held_back_and_news_are_not(capfd):
    with without_notes():
        os.write(2, (NOTES + NEWS).encode())
    assert capfd.readouterr().err == NEWS
    os.write(2, NOTES.encode())
    assert capfd.readouterr().err == NOTES, "only for that while"


def test_what_ends_an_import_is_told(capfd):
    with pytest.raises(ImportError, match="no such library"), without_notes():
        os.write(2, NEWS.encode())
        raise ImportError("no such library")
    assert capfd.readouterr().err == NEWS


def test_without_a_place_to_hold_them_notes_are_seen(capfd, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
        with without_notes():
            os.write(2, NOTES.encode())
    assert capfd.readouterr().err == NOTES


def test_a_command_that_makes_many_networks_is_not_warned_of_them_and_of_all_else(caplog, monkeypatch):
    said = logging.getLogger("tensorflow")
    monkeypatch.setattr(said, "filters", [])
    monkeypatch.setattr(said, "propagate", True)

    def traced_anew(function):
        for _ in range(8):
            tf.function(function)(1)
        said.warning("a device is gone")

    # TensorFlow says so at most twice of one function.
    traced_anew(lambda number: number + 1)
    assert "triggered tf.function retracing" in caplog.text
    caplog.clear()
    guarded(lambda: traced_anew(lambda number: number + 2))
    assert caplog.messages == ["a device is gone"]


def test_whoever_asks_for_notes_sees_them():
    """That nobody else does is a test of the command."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"}
    program = "import mtl_keras as mtl; mtl.MultiTaskModel([mtl.GENDER], 'gender_eyeglasses')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "absl::InitializeLog" in done.stderr
