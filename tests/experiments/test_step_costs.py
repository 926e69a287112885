"""The experiment on costs of steps: it writes the table, and each row as soon as it is there."""

import json
import sys
from pathlib import Path

import pytest

from mtl_keras.studies import step_costs as costs
from mtl_keras.studies.timing import CLEAR


@pytest.fixture
def experiment(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "experiments"))
    sys.modules.pop("step_costs", None)
    import step_costs

    yield step_costs
    sys.modules.pop("step_costs")


@pytest.mark.skipif(not CLEAR.exists(), reason="peak memory is measured on Linux")
def test_the_table_and_how_it_came_about_are_written(experiment, monkeypatch, tmp_path, capsys):
    written = []

    def measured(function, step, weighting, place, repeats):
        written.append(len(costs.cost_lines(tmp_path)))
        return {"ms": 10.0, "ratio": 1.25, "peak_mb": 5.0}

    monkeypatch.setattr(costs, "in_fresh_process", measured)
    experiment.main("bknet", 8, weightings=("equal", "mgda"), repeats=2, out=tmp_path)
    assert written == [0, 3, 4]  # after none, one and two rows, below two lines of headings
    assert (tmp_path / "table.md").read_text().splitlines()[-1].endswith("| gramian | 10 | 1.25 | 5 |")
    settings = json.loads((tmp_path / "run.json").read_text())["settings"]
    assert settings["backbone"] == "bknet" and settings["repeats"] == 2
    assert "mgda parameters: 10 ms, 1.25 of equal weights" in capsys.readouterr().out
