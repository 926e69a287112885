"""The experiment on serving: it measures every format, keeps what was measured, and goes on."""

import json

import pandas as pd
import pytest

from mtl_keras.errors import UserError
from mtl_keras.serving.formats import FORMATS


@pytest.fixture
def serving(monkeypatch):
    """The experiment as a module, with two of the formats."""
    from pathlib import Path

    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "experiments"))
    import serving

    monkeypatch.setattr(serving, "variants", lambda model: [("openvino", "float32", ()), ("litert", "int8", ())])
    return serving


def test_rows_are_measured_kept_and_shown(serving, tmp_path, capsys):
    serving.main(out=tmp_path)
    rows = pd.read_csv(tmp_path / "serving.csv")
    assert rows["format"].tolist() == ["openvino", "litert"] and set(rows["format"]) <= set(FORMATS)
    timed = rows.filter(regex="_ms$")
    assert timed.shape == (2, 8) and (timed > 0).all().all() and (rows["mb"] > 0.5).all()
    exact, rounded = rows.to_dict("records")
    assert abs(exact["age.mae.difference"]) < 1e-3 and exact["gender.accuracy.difference"] == 0
    assert rounded["age.mae.difference.low"] <= rounded["age.mae.difference"] <= rounded["age.mae.difference.high"]
    assert rounded["mb"] < 0.3 * exact["mb"]
    assert len((tmp_path / "table.md").read_text().splitlines()) == 4
    assert json.loads((tmp_path / "run.json").read_text())["test_images"] > 0
    first = (tmp_path / "serving.csv").read_text()
    capsys.readouterr()
    rows.iloc[:1].to_csv(tmp_path / "serving.csv", index=False)
    serving.main(resume=True, out=tmp_path)
    again = pd.read_csv(tmp_path / "serving.csv")
    assert again["openvino_alone_ms"].tolist()[0] == rows["openvino_alone_ms"].tolist()[0]
    assert len(again) == 2 and "openvino float32" not in capsys.readouterr().out and first


def test_models_need_data(serving, tmp_path):
    with pytest.raises(UserError, match="takes both --models and --data"):
        serving.main(models=(tmp_path,), out=tmp_path)
