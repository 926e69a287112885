"""Cross-validation: figures of several networks, the corrected interval, and folds that are kept for a resumed run."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mtl_keras.datasets.rendered import rendered
from mtl_keras.errors import UserError
from mtl_keras.portraits.writer import UTKFACE, write_faces
from mtl_keras.studies.cross_validation import ONE, SEVERAL, corrected_interval, cross_validate, fold_lines, summed
from mtl_keras.studies.plan import CrossValidation
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import Study
from mtl_keras.tasks import SMILE

TINY = Experiment(
    tasks=("gender", "eyeglasses"),
    backbone="gender_eyeglasses",
    image_size=12,
    frozen_epochs=0,
    epochs=1,
    batch_size=8,
    augment=False,
    precision="float32",
)


def run(task, validation):
    history = pd.DataFrame({"val_loss": validation, f"{task}_loss": [3.0, 2.0], f"val_{task}_loss": validation})
    history[[f"{task}_accuracy", f"val_{task}_accuracy"]] = [[0.5, 0.6], [0.7, 0.8]]
    row = {"tasks": task, f"{task}.accuracy": 0.75, "parameters": 100, "seconds": 5.0}
    return Run(row, pd.DataFrame(), history)


def test_figures_are_means_over_tasks_at_the_best_epoch_and_costs_are_sums():
    found = summed([run("gender", [0.9, 0.4]), run("eyeglasses", [0.2, 0.6])], ["gender", "eyeglasses"])
    assert found["validation_loss"] == pytest.approx((0.4 + 0.2) / 2)
    assert found["train_loss"] == pytest.approx((2.0 + 3.0) / 2)
    assert found["train_accuracy"] == pytest.approx((0.7 + 0.5) / 2)
    assert found["validation_accuracy"] == pytest.approx((0.8 + 0.6) / 2)
    assert found["gender.accuracy"] == 0.75 and found["parameters"] == 200 and found["seconds"] == 10


def test_without_a_test_share_the_interval_is_that_of_the_paired_t_test():
    differences = np.array([0.3, -0.1, 0.4, 0.2, 0.25])
    mean, low, high, p = corrected_interval(differences, 0.0)
    plain = stats.ttest_1samp(differences, 0)
    assert p == pytest.approx(plain.pvalue) and mean == pytest.approx(differences.mean())
    assert (low, high) == pytest.approx(tuple(plain.confidence_interval()))


def test_shared_training_rows_widen_the_interval_as_published():
    differences = np.array([0.3, -0.1, 0.4, 0.2, 0.25, 0.1, 0.0, 0.2, 0.3, 0.1])
    narrow, wide = (corrected_interval(differences, share) for share in (0.0, 0.1))
    # 1/10 + (1/10) / (9/10) of the variance, where the plain test has 1/10.
    assert (wide[2] - wide[1]) / (narrow[2] - narrow[1]) == pytest.approx(np.sqrt((0.1 + 0.1 / 0.9) / 0.1))
    assert wide[3] > narrow[3]


def test_equal_differences_and_a_single_one_have_no_width():
    assert corrected_interval(np.zeros(4), 0.25) == (0, 0, 0, 1)
    assert corrected_interval(np.ones(4), 0.25) == (1, 1, 1, 0)
    assert np.isnan(corrected_interval(np.ones(1), 0.5)[1:]).all()


@pytest.mark.parametrize("wrong", [{"folds": 1}, {"folds": -2}, {"folds": 2, "repeats": 0}])
def test_impossible_numbers_are_errors(wrong):
    with pytest.raises(UserError, match="expected 0 folds or at least 2"):
        CrossValidation(**wrong)


def test_a_task_of_numbers_is_an_error(tmp_path):
    with pytest.raises(UserError, match="task 'age' has none"):
        cross_validate(Study((), tmp_path), Experiment(tasks=("age",)), pd.DataFrame(), CrossValidation(2))


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return rendered(write_faces(tmp_path_factory.mktemp("faces") / "set", UTKFACE, 24, seed=3, size=32))


@pytest.mark.slow
def test_folds_of_one_network_and_of_two_are_written_and_resumed(faces, tmp_path, capsys):
    how = CrossValidation(2, stop_on_fold=True)
    cross_validate(Study((), tmp_path), TINY, faces, how)
    rows = pd.read_csv(tmp_path / "folds.csv")
    assert rows["networks"].tolist() == [ONE, SEVERAL] * 2 and rows["fold"].tolist() == [1, 1, 2, 2]
    assert rows.groupby("networks")["images"].sum().tolist() == [24, 24]
    one, several = (rows[rows["networks"] == name]["parameters"].iloc[0] for name in (ONE, SEVERAL))
    assert several - one == 320
    # Hundreds of models would fill the disk.
    assert not list((tmp_path / "models").glob("*/model.keras"))
    capsys.readouterr()
    seen = []
    resumed = Study((), tmp_path, resume=True)
    cross_validate(resumed, TINY, faces, how, lambda: seen.append(len(pd.read_csv(tmp_path / "folds.csv"))))
    assert seen == [2, 4]
    assert capsys.readouterr().out.count("finished before") == 6
    assert pd.read_csv(tmp_path / "folds.csv").equals(rows)
    text = "\n".join(fold_lines(rows, how))
    assert "1 x 2 folds, early stopping by the fold's own loss" in text and "| validation accuracy, % |" in text
    assert "1 x 2 folds (1 of 2 so far), early" in "\n".join(fold_lines(rows[:2], how))


def test_folds_of_one_source_measure_the_tasks_that_it_labels(tmp_path):
    faces = rendered(write_faces(tmp_path / "set", UTKFACE, 120, seed=3, size=32))
    table = faces.assign(source="others", smile=None)
    table.loc[:59, "source"] = "smiles"
    table.loc[:59, "smile"] = np.resize(SMILE.classes, 60)
    table.loc[:59, "gender"] = None
    tasks = replace(TINY, tasks=("gender", "smile"))
    cross_validate(Study((), tmp_path), tasks, table, CrossValidation(2, fold_source="smiles"))
    rows = pd.read_csv(tmp_path / "folds.csv")
    assert rows["images"].tolist() == [30] * 4 and "gender.accuracy" not in rows
    assert rows["networks"].tolist() == [ONE, SEVERAL] * 2
    # One network of one task stands for the others, which the folds do not touch.
    assert len(list((tmp_path / "checkpoints").iterdir())) == 4
    one = rows[rows["networks"] == ONE].iloc[0]
    history = pd.read_csv(next((tmp_path / "checkpoints").glob("*-gender-smile-*fold-1-*")) / "history.csv")
    assert one["validation_loss"] == pytest.approx(history["val_smile_loss"].iloc[0])


@pytest.mark.parametrize(
    ("missing", "stop_on_fold", "message"),
    [
        (("gender", "eyeglasses"), False, "it labels none of gender, eyeglasses"),
        (("gender",), True, "stop on a fold that labels only eyeglasses of gender, eyeglasses"),
    ],
)
def test_a_source_without_labels_of_the_tasks_is_refused(faces, tmp_path, missing, stop_on_fold, message):
    how = CrossValidation(2, fold_source=str(faces["source"].iloc[0]), stop_on_fold=stop_on_fold)
    with pytest.raises(UserError, match=message):
        cross_validate(Study((), tmp_path), TINY, faces.assign(**dict.fromkeys(missing)), how)


@pytest.mark.parametrize("stop_on_fold", [True, False])
def test_no_network_is_fitted_to_the_fold_that_it_is_measured_on(faces, tmp_path, monkeypatch, stop_on_fold):
    trained = []

    def fake(study, settings):
        trained.append(settings.refit)
        return run(settings.tasks[0], [0.9, 0.4])

    monkeypatch.setattr("mtl_keras.studies.cross_validation.of_one_fold", fake)
    refitted = replace(TINY, tasks=("gender",), refit=True)
    cross_validate(Study((), tmp_path), refitted, faces, CrossValidation(2, stop_on_fold=stop_on_fold))
    assert trained == [not stop_on_fold] * 2


def test_with_a_source_the_other_rows_train_and_a_part_of_them_validates(faces, tmp_path):
    other = faces.assign(source="other", group=faces["group"] + 10**6)
    table = pd.concat([faces, other], ignore_index=True)
    cross_validate(Study((), tmp_path), replace(TINY, tasks=("gender",)), table, CrossValidation(2, 1, "other"))
    rows = pd.read_csv(tmp_path / "folds.csv")
    assert rows["networks"].tolist() == [ONE, ONE] and rows["images"].sum() == 24
    history = pd.read_csv(next(tmp_path.glob("checkpoints/*fold-1-*/history.csv")))
    assert history["val_gender_accuracy"].notna().all()
