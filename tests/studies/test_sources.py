"""Whether a network knows the source of an image, before and after training, as a file and a note."""

from dataclasses import replace

import numpy as np
import pandas as pd

from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.sources import report_sources, sources_note
from mtl_keras.studies.study import Study


def test_features_are_asked_before_and_after_training_once(tiny_backbone, tiny_model, tiny_folder, faces, tmp_path):
    table = faces.assign(source=np.repeat(["a", "b"], 15))
    experiment = Experiment(tasks=("gender",), backbone=tiny_backbone)
    study = Study((table[:2], table, table[:2]), tmp_path)
    best = Run({"run": "tiny"}, table, table, tiny_folder, tmp_path / "run")
    assert sources_note(tmp_path) == []
    report_sources(Study((table, faces, table), tmp_path), best, experiment)
    assert sources_note(tmp_path) == [], "there is one source"
    report_sources(study, best, experiment)
    rows = pd.read_csv(tmp_path / "sources.csv")
    assert rows["features"].tolist() == ["before training", "trained"] and rows["images"].tolist() == [30, 30]
    assert rows["most_frequent"].tolist() == [0.5, 0.5] and rows["accuracy"].between(0, 1).all()
    (note,) = sources_note(tmp_path)
    before, after = rows["accuracy"]
    assert f"{before:.1%} right before training" in note and f"{after:.1%} after" in note and "2 data sets" in note
    # With the run it outlives the model.
    (tmp_path / "sources.csv").unlink()
    report_sources(study, replace(best, model=None), experiment)
    assert pd.read_csv(tmp_path / "sources.csv").equals(rows)
