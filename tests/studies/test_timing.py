"""Steps that take turns, work in a process of its own, and the memory that it takes."""

import os
import time

import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.studies import timing
from mtl_keras.studies.timing import (
    CLEAR,
    check_memory,
    costs_beside,
    in_fresh_process,
    milliseconds_in_turns,
    peak_memory,
)


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
def test_the_peak_is_that_of_the_work_alone_and_counts_what_was_given_back():
    np.ones(2**25)  # 256 MiB before
    with peak_memory() as large:
        np.ones(2**24).sum()
    with peak_memory() as small:
        np.ones(2**10).sum()
    assert 120 < large[0] < 200 and small[0] < 20


@pytest.mark.skipif(not CLEAR.exists(), reason="peak memory is measured on Linux")
def test_a_step_is_measured_beside_a_usual_one_and_warm():
    calls = {"own": 0, "usual": 0}

    def step(name: str, seconds: float):
        def call():
            calls[name] += 1
            # The first calls of a compiled step take long.
            time.sleep(seconds if calls[name] > 2 else 0.2)

        return call

    found = costs_beside(lambda: step("own", 0.02), lambda: step("usual", 0.01), 3)
    assert calls == {"own": 2 + 2 + 3, "usual": 2 + 3}
    assert 20 <= found["ms"] < 40 and 1.3 < found["ratio"] < 2.5 and found["peak_mb"] < 20


def test_a_system_that_tells_no_peak_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(timing, "CLEAR", tmp_path / "clear_refs")
    with pytest.raises(UserError, match="measuring peak memory takes Linux"):
        check_memory()


def test_where_the_system_does_not_tell_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(timing, "CLEAR", tmp_path / "missing")
    with peak_memory() as found:
        pass
    assert found == []
