"""Steps that take turns, work in a process of its own, and the memory that it takes."""

import os
import time

import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.studies import timing
from mtl_keras.studies.timing import CLEAR, check_memory, in_fresh_process, milliseconds_in_turns, peak_above


def test_steps_take_turns_and_each_has_its_own_time():
    calls = []
    steps = [lambda: calls.append("fast"), lambda: (calls.append("slow"), time.sleep(0.01))]
    times = milliseconds_in_turns(steps, 3)
    assert calls == ["fast", "slow", "slow", "fast", "fast", "slow"]
    assert times.shape == (3, 2) and (times[:, 1] >= 10).all() and (times[:, 0] < 10).all()


def test_a_fresh_process_is_another_one_and_its_errors_are_told():
    assert in_fresh_process(os.getpid) != os.getpid()
    with pytest.raises(UserError, match="as in this process"):
        in_fresh_process(failing, "as in this process")


def failing(message: str):
    raise UserError(message)


@pytest.mark.skipif(not CLEAR.exists(), reason="peak memory is measured on Linux")
def test_the_peak_is_that_of_the_work_alone():
    np.ones(2**25)  # 256 MiB before
    assert 120 < peak_above(lambda: np.ones(2**24)) < 200
    assert peak_above(lambda: None) < 20


def test_a_system_that_tells_no_peak_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(timing, "CLEAR", tmp_path / "clear_refs")
    with pytest.raises(UserError, match="measuring peak memory takes Linux"):
        check_memory()
