"""Answers over several looks are measured once, and then known without the model."""

from dataclasses import replace

import pandas as pd
import pytest

from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import Study
from mtl_keras.studies.test_time_augmentation import all_augmented, augment_tests
from mtl_keras.training import model_folder


@pytest.fixture
def experiment(tiny_backbone):
    return Experiment(tasks=("age", "gender", "ethnicity", "head_pose"), backbone=tiny_backbone, frozen_epochs=0)


def test_views_are_measured_once_and_outlive_the_model(experiment, tiny_model, tiny_folder, faces, tmp_path):
    parts, out = (faces, faces, faces[:9]), tmp_path / "out"
    study, resumed = Study(parts, out), Study(parts, out, resume=True)
    row = {"run": "tiny, trained", "backbone": "tiny", "stage": "trained", "parameters": 7, "seconds": 3.0}
    best = Run(row, pd.DataFrame(), pd.DataFrame(), tiny_folder)
    assert not all_augmented(resumed, experiment)
    mirrored, six = augment_tests(study, experiment, best)
    assert mirrored.row["run"] == "tiny, trained, with mirror image" and six.row["run"] == "tiny, trained, six views"
    # What it cost to train stands in the row of the run itself.
    assert mirrored.row["parameters"] == 7 and mirrored.row["seconds"] is None
    expected = metrics_with_intervals(predictions(tiny_model, faces[:9], views="mirror"), tiny_model.tasks)
    assert {name: mirrored.row[name] for name in expected} == pytest.approx(expected, abs=1e-4)
    assert mirrored.row["age.mae"] != six.row["age.mae"]
    assert all_augmented(resumed, experiment) and not all_augmented(Study(parts, out), experiment)
    again = augment_tests(resumed, experiment, replace(best, model=None))
    assert [run.row for run in again] == [mirrored.row, six.row]
    assert not all_augmented(resumed, replace(experiment, seed=1))
    # Those of a network that was trained anew are measured anew.
    retrained = replace(best, folder=out / "checkpoints" / "anew")
    resumed.trained.add(retrained.folder)
    tiny_model.set_weights([2 * weight for weight in tiny_model.get_weights()])
    model_folder.save(tiny_model, tiny_folder)
    assert augment_tests(resumed, experiment, retrained)[0].row["age.mae"] != mirrored.row["age.mae"]
