"""Workers of one machine are measured, and one that fails is named."""

import json

import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.studies import scaling_workers
from mtl_keras.studies.scaling_workers import Load, exchange_seconds, measure_workers, work
from mtl_keras.training import distribute

TINY = Load("small_cnn", ("gender",), batch_size=4, steps=2)
FIGURES = {"images_per_second", "step_ms", "exchange_ms", "share_of_exchange"}


def test_one_worker_tells_what_it_did(tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    work(TINY, str(tmp_path / "out.json"))
    found = json.loads((tmp_path / "out.json").read_text())
    assert found.keys() == FIGURES and all(value > 0 for value in found.values())
    assert found["images_per_second"] == pytest.approx(4 / (found["step_ms"] / 1000))


def test_an_exchange_of_more_takes_longer():
    strategy = distribute.strategy("mirrored")
    little, much = (exchange_seconds(strategy, [[(size,)]], 3) for size in (10, 4_000_000))
    assert 0 < little < much and np.isfinite(much)


@pytest.mark.slow
def test_two_workers_share_an_exchange():
    found = measure_workers(2, TINY)
    assert found["workers"] == 2 and found.keys() - {"workers"} == FIGURES
    assert 0 < found["exchange_ms"] < found["step_ms"]


def test_a_worker_that_fails_is_named_with_its_last_word(monkeypatch):
    monkeypatch.setattr(scaling_workers, "__name__", "no_such_module")
    with pytest.raises(UserError, match=r"worker 0 of 1 ended with 1: .*No module named no_such_module"):
        measure_workers(1, TINY)
