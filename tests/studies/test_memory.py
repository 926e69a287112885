"""The peak of memory of a piece of work."""

import numpy as np
import pytest

from mtl_keras.studies import memory
from mtl_keras.studies.memory import peak_memory


@pytest.mark.skipif(not memory.CLEAR.exists(), reason="peak memory is measured on Linux")
def test_the_peak_counts_what_was_given_back_before_the_end():
    with peak_memory() as large:
        np.ones(64 * 2**17).sum()  # 64 MiB
    with peak_memory() as small:
        np.ones(2**10).sum()
    assert 60 < large[0] < 100 and small[0] < 20


def test_where_the_system_does_not_tell_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "missing")
    with peak_memory() as found:
        pass
    assert found == []
