"""Runs are calibrated by their validation rows, at every stage, and train as they would without."""

import json

import numpy as np
import pytest

from mtl_keras.evaluation.calibration import negative_log_likelihood, temperatures_of
from mtl_keras.evaluation.predictions import outputs_of, predictions
from mtl_keras.kinds import kind_of
from mtl_keras.studies.averaging import average_weights
from mtl_keras.studies.network import build
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import Study
from mtl_keras.studies.temperatures import kept_outputs, load_uncalibrated, temperatures_noted
from mtl_keras.tasks import GENDER
from mtl_keras.training import model_folder


@pytest.fixture
def parts(faces):
    """Rows whose genders are at odds with what can be seen, so that no network is as right as it is sure."""
    table = faces.assign(gender=np.random.default_rng(1).permutation(faces["gender"]))
    return tuple(table.iloc[rows].reset_index(drop=True) for rows in (range(16), range(16, 24), range(24, 30)))


def test_every_stage_answers_the_same_classes_with_truer_probabilities(tiny_backbone, parts, tmp_path, monkeypatch):
    # Nothing is learned: training leaves every stage with the first weights.
    monkeypatch.setattr("mtl_keras.studies.network.fit", lambda *arguments: None)
    settings = Experiment(tasks=("gender", "age"), backbone=tiny_backbone, precision="float32", calibrate=True, ema=0)
    study, plain = Study(parts, tmp_path), build(settings)
    multi = study.run(settings, needs_model=True)
    outputs, labels = outputs_of(plain, parts[1])["gender"], (parts[1]["gender"] == "female").to_numpy(int)
    expected = predictions(plain, parts[2])
    for run in (*multi, average_weights(study, settings, multi, needs_model=True)):
        name, temperatures = run.row["run"], temperatures_noted(run.folder)
        assert set(temperatures) == {"gender"} and temperatures["gender"] != pytest.approx(1, abs=0.05), name
        # Also where a stage goes on from one that was calibrated.
        for found, first in zip(
            load_uncalibrated(run.model, run.folder).get_weights(), plain.get_weights(), strict=True
        ):
            np.testing.assert_allclose(found, first, rtol=1e-4, err_msg=name)
        assert run.predictions["gender.class"].tolist() == expected["gender.class"].tolist()
        np.testing.assert_allclose(run.predictions["age.value"], expected["age.value"], rtol=1e-4)
        divided = kind_of(GENDER).tempered(outputs, temperatures["gender"])
        assert negative_log_likelihood(labels, divided) < negative_log_likelihood(labels, outputs)
    # What was measured is what the saved model answers.
    found = outputs_of(model_folder.load(run.model), parts[2])["gender"].max(axis=1)
    np.testing.assert_allclose(run.predictions["gender.probability"], found, atol=1e-5)
    assert np.abs(found - expected["gender.probability"]).max() > 0.01


def test_outputs_are_kept_for_the_same_rows(tiny_model, parts, tmp_path):
    table, tasks = parts[1], tiny_model.tasks
    raw = {task.name: np.full((8, task.size), 1 / task.size, np.float32) for task in tasks}
    raw["age"] = np.eye(117, dtype=np.float32)[[30] * 8]
    calls = []

    def compute():
        calls.append(1)
        return raw

    assert kept_outputs(tmp_path, "test", table, tasks, None) is None
    for _ in range(2):
        found = kept_outputs(tmp_path, "test", table, tasks, compute)
        # Of an age its interval, of an angle nothing.
        assert set(found) == {"gender", "ethnicity", "age"} and found["age"].tolist() == [[30, 30]] * 8
        np.testing.assert_array_equal(found["gender"], raw["gender"])
    assert len(calls) == 1
    kept_outputs(tmp_path, "test", table[::-1], tasks, compute)
    assert len(calls) == 2


def test_a_run_that_is_trained_anew_forgets_what_was_asked_of_its_model(parts, tmp_path):
    study, settings = Study(parts, tmp_path, resume=True), Experiment(tasks=("gender",), frozen_epochs=0)
    folder = study.start_run(settings)
    (folder / "backup").mkdir()
    for name in ("outputs-test.npz", "outputs-validation.npz", "sources.csv"):
        (folder / name).write_text("old")
    assert study.start_run(settings) == folder
    assert sorted(path.name for path in folder.iterdir()) == ["backup", "settings.json"]
    assert json.loads((folder / "settings.json").read_text())["calibrate"] is False


def test_all_labels_of_a_part_count(tiny_model, parts):
    outputs = {
        task.name: np.tile([0.8, *[0.2 / (task.size - 1)] * (task.size - 1)], (8, 1)) for task in tiny_model.tasks
    }
    table = parts[1].assign(gender=["male"] * 4 + ["female"] * 3 + [None], ethnicity=None)
    # Of seven labels four are the answer: the odds of 4 become 4 / 3.
    expected = np.log(4) / np.log(4 / 3)
    assert temperatures_of(tiny_model.tasks, table, outputs) == {
        "gender": pytest.approx(expected, rel=1e-3), "ethnicity": 1
    }  # fmt: skip
