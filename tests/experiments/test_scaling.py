"""The experiment on scaling: what it measures becomes tables and a page's text, whatever the measurements are."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from mtl_keras.errors import UserError


@pytest.fixture
def scaling(monkeypatch):
    """The experiment as a module."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "experiments"))
    sys.modules.pop("scaling", None)
    import scaling

    yield scaling
    sys.modules.pop("scaling")


def test_tables_are_written(scaling, monkeypatch, tmp_path, capsys):
    figures = {"images_per_second": 50.0, "step_ms": 80.0, "exchange_ms": 8.0, "share_of_exchange": 0.1}
    monkeypatch.setattr(scaling, "measure_workers", lambda count, load: {"workers": count, **figures})
    packed = []

    def in_process(function, *arguments):
        if function is scaling.network_sizes:
            return 1000, 600
        packed.append(len(list(Path(arguments[0]).glob("*.tfrecord"))))
        keys = ("images_per_second", "images_per_core_second", "peak_mib", "bytes_per_image")
        return {"shards": packed[-1], "images": 2 * packed[-1], **dict.fromkeys(keys, 10.0)}

    monkeypatch.setattr(scaling, "in_fresh_process", in_process)
    scaling.main((1, 2), (1, 3), rows_per_shard=2, image_size=16, networks=("bknet",), images=1000, out=tmp_path)
    assert packed == [1, 3]
    assert pd.read_csv(tmp_path / "workers.csv")["workers"].tolist() == [1, 2]
    assert pd.read_csv(tmp_path / "reading.csv")["shards"].tolist() == [1, 3]
    assert "| 1,000 images need |  |" in (tmp_path / "table.md").read_text()
    assert json.loads((tmp_path / "run.json").read_text())["settings"]["shards"] == [1, 3]
    assert "2 workers: 50 images a second" in capsys.readouterr().err


def test_one_worker_comes_first(scaling, tmp_path):
    with pytest.raises(UserError, match="1 worker first"):
        scaling.main((2, 3), out=tmp_path)
