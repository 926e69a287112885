"""The experiment on serving: it measures every format, keeps what was measured, and goes on."""

import json
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from mtl_keras.errors import UserError
from mtl_keras.evaluation import metrics
from mtl_keras.serving.formats import FORMATS
from mtl_keras.studies import runs
from mtl_keras.training import model_folder


@pytest.fixture
def serving(monkeypatch, tiny_folder, faces_folder):
    """The experiment as a module, with two of the formats, and a network and faces that are there."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "experiments"))
    import serving

    monkeypatch.setattr(serving, "variants", lambda model: [("openvino", "float32", ()), ("litert", "int8", ())])
    monkeypatch.setattr(serving, "drawn", lambda out: (tiny_folder, faces_folder))
    # Intervals of 1000 samples would take most of the time.
    monkeypatch.setattr(metrics, "RESAMPLES", 20)
    monkeypatch.setattr(serving, "metrics_with_intervals", partial(metrics.metrics_with_intervals, resamples=20))
    yield serving
    sys.modules.pop("serving")


def test_rows_are_measured_kept_and_shown(serving, tmp_path, monkeypatch):
    serving.main(out=tmp_path)
    rows = pd.read_csv(tmp_path / "serving.csv")
    assert rows["format"].tolist() == ["openvino", "litert"] and set(rows["format"]) <= set(FORMATS)
    timed = rows.filter(regex="_ms$")
    assert timed.shape == (2, 8) and (timed > 0).all().all() and (rows["mb"] > 0).all()
    exact, rounded = rows.to_dict("records")
    assert abs(exact["age.mae.difference"]) < 1e-3 and exact["gender.accuracy.difference"] == 0
    assert rounded["age.mae.difference.low"] <= rounded["age.mae.difference"] <= rounded["age.mae.difference.high"]
    assert "head_pose.mae" not in rows, "the faces have no such labels"
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert len(lines) == 5 and "| gender %, minus Keras' |" in lines[0] and lines[2].startswith("| *model* |")
    assert f"| {100 * exact['gender.accuracy']:.2f}, +0.00 [+0.00, +0.00] |" in lines[3]
    assert "seconds" in json.loads((tmp_path / "run.json").read_text())
    monkeypatch.setattr(serving, "measured", lambda *_: pytest.fail("a row that is there was measured again"))
    table = (tmp_path / "table.md").read_text()
    (tmp_path / "table.md").unlink()
    serving.main(resume=True, out=tmp_path)
    assert (tmp_path / "table.md").read_text() == table


def test_models_need_data(serving, tmp_path):
    with pytest.raises(UserError, match="takes both --models and --data"):
        serving.main(models=(tmp_path,), out=tmp_path)


def test_a_network_is_measured_on_the_images_that_its_own_run_was_tested_on(
    serving, tiny_model, faces, tmp_path, capsys
):
    own, split = faces.iloc[3:9], faces.iloc[:5]
    folder = model_folder.save(tiny_model, tmp_path / "models" / "network", run="run-1")
    assert serving.tested(folder, faces, split) is split and "says what it was tested on" in capsys.readouterr().out
    (tmp_path / "checkpoints" / "run-1").mkdir(parents=True)
    runs.write_run(tmp_path / "checkpoints" / "run-1", {"run": "a run"}, own.assign(**{"age.value": 1.0}))
    pd.testing.assert_frame_equal(serving.tested(folder, faces, split), own)
    # It may have learned from what another split tests on: neither is that calibrated on.
    seen = serving.parts_of(folder, faces, own.reset_index(drop=True))
    assert len(seen["crops"]) == len(own) and len(seen["calibration"]) == len(faces) - len(own)
