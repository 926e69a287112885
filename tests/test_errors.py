"""A user's mistake is one line, and how a command ends is told by its exit code."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mtl_keras.errors import SomeFailedError, UserError, guarded, kept_if_interrupted, printable

ROOT = Path(__file__).parents[1]


def test_a_message_is_one_line_whatever_it_quotes():
    assert str(UserError("column 'a\nb': got 1\r\n2")) == "column 'a b': got 1 2"


def test_values_of_numpy_are_shown_as_those_of_python():
    values = [np.float64(200.0), np.int64(-3), np.str_("a (b)"), np.bool_(True), np.float32("nan"), "np"]
    assert str(UserError(f"ages {values}; {values[0]!r}")) == f"ages [200.0, -3, 'a (b)', True, nan, 'np']; {200.0!r}"
    assert str(UserError("call np.zeros((2, 3)) and np.mean")) == "call np.zeros((2, 3)) and np.mean"


def test_a_name_that_is_no_unicode_can_be_shown():
    assert printable("face\udcff.jpg") == "face?.jpg"


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        (UserError("got 3,\n expected 4"), 2, "error: got 3, expected 4\n"),
        (SomeFailedError("1 of 3"), 1, "error: 1 of 3\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(capsys, wrong, code, says):
    def main():
        raise wrong

    with pytest.raises(SystemExit) as stopped:
        guarded(main)
    assert stopped.value.code == code and capsys.readouterr().err == says


def test_an_interruption_tells_what_is_kept(capsys):
    def main():
        with kept_if_interrupted("whole shards are kept"):
            raise KeyboardInterrupt

    with pytest.raises(SystemExit, match="130"):
        guarded(main)
    assert capsys.readouterr().err == "interrupted: whole shards are kept\n"


def test_a_preemption_ends_as_an_interruption_with_an_exit_code_of_its_own(capsys):
    before = signal.getsignal(signal.SIGTERM)

    def main():
        with kept_if_interrupted("finished epochs are kept"):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    with pytest.raises(SystemExit, match="143"):
        guarded(main)
    assert capsys.readouterr().err == "terminated: finished epochs are kept\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_work_may_be_done_in_a_thread():
    with ThreadPoolExecutor() as threads:
        assert threads.submit(guarded, lambda: None).result() is None


def test_a_bug_is_a_traceback_and_work_that_is_done_is_none():
    # What no user can mend must not be hidden.
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 / 0)
    assert guarded(lambda: None) is None


@pytest.mark.parametrize("then", ["", "raise UserError('wrong')", "raise SystemExit(0)"])
def test_nobody_who_reads_is_no_traceback(then):
    program = f"from mtl_keras.errors import *\ndef main():\n    print('answers')\n    {then}\nguarded(main)"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == 141 and done.stderr == ""
