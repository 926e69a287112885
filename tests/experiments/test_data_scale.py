"""The experiment on time and memory: it runs, and what it writes says how both grow."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mtl_keras.errors import UserError

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is measured on Linux")


@pytest.fixture
def data_scale(monkeypatch):
    """The experiment as a module."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "experiments"))
    import data_scale

    yield data_scale
    sys.modules.pop("data_scale")


def test_every_step_is_measured_at_every_size(data_scale, tmp_path, capsys, monkeypatch):
    # In this process, since a fresh one takes seconds to start.
    monkeypatch.setattr(data_scale, "in_fresh_process", lambda function, *arguments: function(*arguments))
    data_scale.main((200, 100), tmp_path)
    assert "100 rows" in capsys.readouterr().err
    runs = pd.read_csv(tmp_path / "runs.csv")
    assert runs["rows"].tolist() == [100] * 7 + [200] * 7 and runs["step"].nunique() == 7
    assert (runs["seconds"] > 0).all() and (runs["peak_mib"] > 0).all()
    total = runs[runs["step"] == "all steps"]["seconds"].to_numpy()
    assert np.allclose(total, runs[runs["step"] != "all steps"].groupby("rows")["seconds"].sum())
    assert len((tmp_path / "table.md").read_text().splitlines()) == 2 + len(runs)
    assert Image.open(tmp_path / "rows.png").width == 1800
    assert json.loads((tmp_path / "run.json").read_text())["settings"] == {"rows": [200, 100]}


def test_exponents_say_how_costs_grow(data_scale, tmp_path):
    rows = np.array([100, 1000, 10_000])
    runs = pd.DataFrame({"step": "read", "rows": rows, "seconds": rows / 500, "peak_mib": rows**2 / 1e4})
    data_scale.write_markdown(runs, tmp_path / "table.md")
    last = (tmp_path / "table.md").read_text().splitlines()[-1]
    assert last == "| read | 10,000 | 20.00 | 500 | 10,000 | 1,048,576 | 1.00 | 1.00 | 2.00 |"


def test_one_size_shows_no_growth(data_scale, tmp_path):
    with pytest.raises(UserError, match="at least two numbers"):
        data_scale.main((1000, 1000), tmp_path)
