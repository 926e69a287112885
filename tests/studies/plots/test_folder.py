"""The figures of a results folder: what a model has learned of its tasks is among them."""

import pandas as pd

import mtl_keras as mtl
from mtl_keras.studies import results
from mtl_keras.studies.plots import folder
from mtl_keras.studies.runs import Run


def test_correlations_of_tasks_are_drawn_where_a_network_learns_them(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "GRID", 2)
    tasks, sharing = ("gender", "eyeglasses"), "relationship:units=4"
    row = {"run": "both", "tasks": "gender, eyeglasses", "stage": "trained", "gender.accuracy": 0.9}
    predictions = pd.DataFrame({column: ["male"] * 3 for column in ("gender", "gender.class")})
    predictions = predictions.assign(**{"eyeglasses": None, "eyeglasses.class": "eyeglasses"})
    model = mtl.MultiTaskModel(tasks, "bknet", sharing, 16)
    results.write_runs([row], tmp_path)
    run = Run(row, predictions, pd.DataFrame({"epoch": [0], "loss": [1.0]}), mtl.save(model, tmp_path / "model"))
    experiment = mtl.Experiment(tasks=tasks, backbone="bknet", sharing=sharing, image_size=16)
    folder.draw({"both": run}, run, experiment, tmp_path)
    assert (tmp_path / "task_correlations.png").stat().st_size > 10_000
