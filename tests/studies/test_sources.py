"""Whether a network knows the source of an image, before and after training, as a file and a note."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.table import write_table
from mtl_keras.evaluation.features import features_of
from mtl_keras.studies import sources
from mtl_keras.studies.network import build
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.sources import report_sources, sources_note
from mtl_keras.studies.study import Study


def told(features: np.ndarray, table: pd.DataFrame) -> dict[str, float]:
    """Return figures that tell features apart."""
    shares = {"most_frequent": 0.5, "accuracy": features.mean() / 10, "balanced_accuracy": features.std() / 10}
    return {"images": len(table), "sources": table["source"].nunique(), **shares}


def test_features_are_asked_before_and_after_training_once(
    tiny_backbone, tiny_model, tiny_folder, faces, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sources, "tell_sources", told)
    table = faces.assign(source=np.repeat(["a", "b"], 15))
    experiment = Experiment(tasks=("gender",), backbone=tiny_backbone, seed=3)
    study = Study((table[:2], table, table[:2]), tmp_path)
    few = pd.concat([table, table[:3].assign(source="c", group=[97, 98, 99])], ignore_index=True)
    best = Run({"run": "tiny"}, table, table, tiny_folder, tmp_path / "run")
    report_sources(Study((table, faces, table), tmp_path), best, experiment)
    assert sources_note(tmp_path) == [], "there is one source"
    report_sources(study, best, experiment)
    rows = pd.read_csv(tmp_path / "sources.csv")
    assert rows["features"].tolist() == ["before training", "trained"] and rows["images"].tolist() == [30, 30]
    expected = [features_of(model, table).mean() / 10 for model in (build(experiment), tiny_model)]
    assert rows["accuracy"].tolist() == pytest.approx(expected, rel=1e-4) and expected[0] != expected[1]
    (note,) = sources_note(tmp_path)
    before, after = rows["accuracy"]
    assert f"{before:.1%} right before training" in note and f"{after:.1%} after" in note and "2 data sets" in note
    write_table(rows.assign(accuracy=0.75, balanced_accuracy=0.5), tmp_path / "sources.csv")
    # As many by chance are no reason.
    assert "training (mean over the sets 50.0%), 75.0% after (50.0%; tiny)" in sources_note(tmp_path)[0]
    write_table(rows.assign(accuracy=0.75, run="tiny, frozen"), tmp_path / "sources.csv")
    assert "and as many after, since tiny, frozen leaves these features as they are" in sources_note(tmp_path)[0]
    # With the run it outlives the model.
    (tmp_path / "sources.csv").unlink()
    report_sources(study, replace(best, model=None), experiment)
    assert pd.read_csv(tmp_path / "sources.csv").equals(rows)
    report_sources(Study((table[:2], few, table[:2]), tmp_path), best, experiment)
    assert "sources.csv: without c, of which there are too few validation images" in capsys.readouterr().out
