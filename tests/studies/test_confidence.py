"""Calibration and selective accuracy of a results folder, from outputs that are kept with the run."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtl_keras.evaluation.predictions import with_predictions
from mtl_keras.studies.confidence import confidence_lines, report_confidence
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import Study
from mtl_keras.studies.temperatures import kept_outputs
from mtl_keras.tasks import AGE, GENDER

TASKS, EXPERIMENT = [AGE, GENDER], Experiment(tasks=("age", "gender"), epochs=1)


def part(name: str, right: int) -> tuple[pd.DataFrame, dict]:
    """Return ten rows and outputs: of gender 0.9 sure, and this number right; of age evenly from 20 to 39."""
    labels = {
        "age": [18.0, 20, 21, 24, 29, 30, 31, 38, 39, np.nan],
        "gender": ["male"] * right + ["female"] * (10 - right),
    }
    table = pd.DataFrame({"path": [f"{name}{row}.jpg" for row in range(10)], "source": "utkface", **labels})
    ages = np.zeros((10, 117), np.float32)
    ages[:, 20:38] = 1 / 18
    return table, {"age": ages, "gender": np.tile(np.float32([0.9, 0.1]), (10, 1))}


@pytest.fixture
def study(tmp_path):
    """A study with a run without a model, of which the outputs are kept: of six validation answers in ten right."""
    validation, seen = part("v", 6)
    test, outputs = part("t", 7)
    folder = tmp_path / "checkpoints" / "run"
    for name, table, several in (("validation", validation, seen), ("test", test, outputs)):
        kept_outputs(folder, name, table, TASKS, lambda several=several: several)
    best = Run({"run": "both"}, with_predictions(test, TASKS, outputs), pd.DataFrame(), None, folder)
    return Study((validation, validation, test), tmp_path), best


def test_figures_before_and_after_a_temperature_of_the_validation_rows(study):
    study, best = study
    report_confidence(study, best, EXPERIMENT)
    age, gender = pd.read_csv(study.out / "calibration.csv").to_dict("records")
    # Odds of 9 become those of the validation rows, 3 / 2.
    assert gender["temperature"] == pytest.approx(np.log(9) / np.log(1.5), rel=1e-3)
    assert (gender["task"], gender["run"], gender["images"], gender["saved"]) == ("gender", "both", 10, "before")
    assert gender["ece_before"] == pytest.approx(0.2) and gender["ece_after"] == pytest.approx(0.1, abs=1e-3)
    likelihoods = [-(7 * np.log(sure) + 3 * np.log(1 - sure)) / 10 for sure in (0.9, 0.6)]
    assert [gender["nll_before"], gender["nll_after"]] == pytest.approx(likelihoods, rel=1e-3)
    # None of the bins lies in a tail of 5 %; of nine labels six are within.
    assert age["coverage_90"] == pytest.approx(6 / 9) and age["width_90"] == 17 and np.isnan(age["temperature"])
    text = "\n".join(confidence_lines(study.out))
    assert "| gender | 20.00 | 10.00 |" in text and "| age | – | – | – | – | – | 66.67 | 17.00 |" in text
    assert "both, test images" in text and "--calibrate for those after" in text
    for name in ("calibration.png", "selective.png"):
        assert (study.out / name).stat().st_size > 10_000
    # All are equally sure, so any share of them is as right as all.
    _, selective = pd.read_csv(study.out / "selective.csv").to_dict("records")
    assert selective["figure"] == "gender.accuracy" and selective["images"] == 10
    assert [selective[name] for name in ("kept_5", "kept_50", "kept_100", "area")] == pytest.approx([0.7] * 4)
    assert "| gender % | 70.00 | 70.00 | 70.00 | 70.00 | 70.00 |" in text


@pytest.fixture
def undrawn(monkeypatch):
    """Draw no figures."""
    for name in ("reliability_diagrams", "selective_curves"):
        monkeypatch.setattr(f"mtl_keras.studies.plots.{name}", lambda *arguments: None)


def test_a_run_that_was_calibrated_is_shown_before_and_after_what_it_was_divided_by(study, undrawn):
    study, best = study
    (best.folder / "temperatures.json").write_text('{"gender": 2.0}')
    report_confidence(study, best, EXPERIMENT)
    gender = pd.read_csv(study.out / "calibration.csv").iloc[1]
    assert gender["temperature"] == 2 and gender["saved"] == "after"
    # The odds of 9 become 3.
    assert [gender["ece_before"], gender["ece_after"]] == pytest.approx([0.2, 0.05], abs=1e-3)
    assert "the saved model gives the probabilities after it" in "\n".join(confidence_lines(study.out))


def test_outputs_of_a_run_that_was_just_trained_are_not_computed_again(study, undrawn):
    study, best = study
    (best.folder / "temperatures.json").write_text('{"gender": 2.0}')
    (best.folder / "outputs-test.npz").unlink()
    raw = part("t", 7)[1]
    # What the saved model gives: the odds of 9 are 3.
    best.outputs = {**raw, "gender": np.tile([0.75, 0.25], (10, 1))}
    report_confidence(study, best, EXPERIMENT)
    gender = pd.read_csv(study.out / "calibration.csv").iloc[1]
    assert [gender["ece_before"], gender["ece_after"]] == pytest.approx([0.2, 0.05], abs=1e-3)


def test_a_network_without_classes_has_no_word_of_temperatures(study, undrawn):
    study, best = study
    report_confidence(study, best, replace(EXPERIMENT, tasks=("age",)))
    text = "\n".join(confidence_lines(study.out))
    assert "| age | – | – | – | – | – | 66.67 | 17.00 |" in text
    assert "both, test images:" in text and "temperature fitted" not in text


def test_without_rows_that_the_network_has_not_seen_there_is_no_temperature(study, undrawn):
    study, best = study
    report_confidence(study, best, replace(EXPERIMENT, refit=True))
    gender = pd.read_csv(study.out / "calibration.csv").iloc[1]
    assert gender["ece_before"] == pytest.approx(0.2) and np.isnan(gender["temperature"])
    assert "no temperature fitted" in "\n".join(confidence_lines(study.out))


def test_without_model_or_kept_outputs_only_the_surest_answers_are_shown(study, undrawn):
    study, best = study
    (best.folder / "outputs-test.npz").unlink()
    assert confidence_lines(study.out) == []
    report_confidence(study, best, EXPERIMENT)
    assert not (study.out / "calibration.csv").exists() and (study.out / "selective.csv").exists()
    assert "How right the surest" in "\n".join(confidence_lines(study.out))
