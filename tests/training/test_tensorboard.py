"""TensorBoard gets each epoch's losses and figures of each run."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mtl_keras.data.pipeline import batches
from mtl_keras.training import tensorboard
from mtl_keras.training.resume import fit


def test_each_run_has_logs_of_its_own(tiny_model, faces, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tiny_model.compile("adam", weighting="equal")
    data = batches(faces, tiny_model)
    for run, place in (("checkpoints/bknet-1a2b", "bknet-1a2b"), ("checkpoints/bknet-1a2b/refit", "bknet-1a2b/refit")):
        with tensorboard.logging_to(tmp_path / "logs"):
            fit(tiny_model, lambda _: data, data, tmp_path / run, epochs=2, patience=5)
        curve = pd.read_csv(tmp_path / run / "history.csv")
        for part, start in (("train", ""), ("validation", "val_")):
            found = accumulator.EventAccumulator(str(tmp_path / "logs" / place / part)).Reload()
            assert {start + name for name in found.Tags()["tensors"]} <= {*curve}
            losses = [tf.make_ndarray(event.tensor_proto).item() for event in found.Tensors("loss")]
            np.testing.assert_allclose(losses, curve[f"{start}loss"], rtol=1e-5)
    assert tensorboard.logs_of(tmp_path) == [], "only meanwhile"


def test_without_the_package_the_mistake_is_one_line(monkeypatch, one_line, tmp_path):
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: importlib.util.find_spec("no_such_package"))
    with one_line("not installed; expected `pip install"), tensorboard.logging_to(tmp_path):
        pass
    with tensorboard.logging_to(None):
        assert tensorboard.logs_of(tmp_path) == []
