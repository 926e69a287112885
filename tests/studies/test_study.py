"""How an experiment's parts fit together."""

import json

import numpy as np
import pandas as pd
import pytest

from mtl_keras.datasets.rendered import rendered
from mtl_keras.errors import UserError
from mtl_keras.portraits.writer import write_utkface
from mtl_keras.studies.runs import write_run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import build, labelled, opened, train, used, with_balance
from mtl_keras.tasks import HEAD_POSE, SMILE, TASKS, Task
from mtl_keras.training import model_folder


def test_a_task_alone_sees_its_rows_as_often_and_a_wrong_source_is_an_error():
    table = pd.DataFrame(
        {"path": list("abc"), "source": ["utkface", "genki4k", "genki4k"], "smile": [None, "smiling", None]}
    )
    rows = labelled(with_balance(Experiment(balance="genki4k=10"), table), [SMILE])
    assert rows["path"].tolist() == ["b"] and rows["times"].tolist() == [10]
    assert "times" not in with_balance(Experiment(), table)
    with pytest.raises(UserError, match="no source 'genki'"):
        with_balance(Experiment(balance="genki=10"), table)


def test_a_finished_run_counts_without_its_model_unless_that_is_needed(tmp_path):
    rows = pd.DataFrame({"path": ["a", "b"], "source": "celeba", "gender": ["male", None]})
    experiment, parts = Experiment(tasks=("gender",), frozen_epochs=0), (rows, rows, rows)
    folder, known = opened(experiment, "trained", parts, tmp_path, True, needed=False)
    assert known is None
    answers = rows[:1].assign(**{"gender.class": ["female"], "gender.probability": [0.75]})
    write_run(folder, {"run": "a"}, answers)

    def again(resume=True, needed=False):
        return opened(experiment, "trained", parts, tmp_path, resume, needed)[1]

    # Of the rows only those that its task labels were asked about.
    assert again().predictions.equals(answers)
    assert again(needed=True) is None
    (tmp_path / "models" / folder.name).mkdir(parents=True)
    assert again(needed=True).model == tmp_path / "models" / folder.name
    assert again(resume=False) is None and again() is None


def test_the_definition_of_a_task_of_ones_own_tells_runs_apart(tmp_path, no_new_tasks):
    table = pd.DataFrame({"path": ["a"], "source": "mine", "mood": 0.5, "smile": "smiling"})

    def settings(*tasks):
        folder, _ = opened(Experiment(tasks=tasks), "trained", (table,) * 3, tmp_path, True, False)
        return json.loads((folder / "settings.json").read_text())

    first = settings("smile", Task("mood", "regression", scale=0.5))
    del TASKS["mood"]
    second = settings("smile", Task("mood", "regression", scale=0.25))
    assert [noted["own_tasks"][0].pop("scale") for noted in (first, second)] == [0.5, 0.25]
    assert first == second and len(first["own_tasks"]) == 1
    assert "own_tasks" not in settings("smile")


def test_angles_of_heads_tell_only_runs_apart_that_learn_them():
    table = pd.DataFrame({"path": ["a"], "source": "genki4k", "smile": "smiling", "head_pose.yaw": 1.5})
    table[["head_pose.pitch", "head_pose.roll"]] = 0.5
    assert used(table, [SMILE]).columns.tolist() == ["path", "source", "smile"]
    assert used(table, [SMILE, HEAD_POSE]).equals(table)


def test_refit_trains_as_long_as_was_best_on_the_validation_rows_as_well(tmp_path, monkeypatch):
    calls = []

    def recorded(model, training, validation, folder, epochs, patience):
        rows = sum(int(images.shape[0]) for images, *_ in training(0))
        calls.append((rows, validation is not None, epochs, folder.name))
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"val_loss": [0.9, 0.4, 0.7], "seconds": 1.0}).to_csv(folder / "history.csv", index=False)

    monkeypatch.setattr("mtl_keras.studies.study.fit", recorded)
    faces = rendered(write_utkface(tmp_path / "set", 24, seed=3, size=32))
    parts = tuple(faces.iloc[rows].reset_index(drop=True) for rows in (range(12), range(12, 20), range(20, 24)))
    tiny = Experiment(
        tasks=("gender",), backbone="gender_eyeglasses", image_size=12, frozen_epochs=0, epochs=9, refit=True
    )
    found = train(tiny, parts, tmp_path)[0]
    assert calls == [(12, True, 9, "gender_eyeglasses-gender-trained"), (20, False, 2, "refit")]
    assert found.row["gender.accuracy"] >= 0 and len(found.predictions) == 4
    # What served to train it is gone, its curve is that of the training that was validated.
    assert len(found.history) == 3 and not list(tmp_path.glob("checkpoints/*/refit"))


@pytest.mark.parametrize("backbone", ["bknet", "gender_eyeglasses"])
def test_heads_with_branches_are_trained_on_the_frozen_trunk_and_then_with_it(backbone, faces, tmp_path):
    parts = tuple(faces.iloc[rows].reset_index(drop=True) for rows in (range(16), range(16, 24), range(24, 30)))
    tiny = Experiment(tasks=("gender", "age"), backbone=backbone, image_size=16, frozen_epochs=2, epochs=1)
    frozen, tuned = train(tiny, parts, tmp_path, model=True)
    assert frozen.row["stage"] == "frozen" and tuned.row["stage"] == "fine-tuned"
    start, trained = build(tiny), model_folder.load(frozen.model)
    trunk = {id(variable) for variable in start.trunks[0].weights}
    for old, new in zip(start.weights, trained.weights, strict=True):
        assert np.array_equal(old, new) == (id(old) in trunk), new.path


def test_a_way_of_sharing_without_common_features_has_no_frozen_stage(faces, tmp_path):
    stitched = Experiment(tasks=("gender", "age"), backbone="bknet", sharing="cross_stitch", image_size=16)
    with pytest.raises(UserError, match="'cross_stitch' has no stage with a frozen trunk: set frozen_epochs to 0"):
        train(stitched, (faces, faces, faces), tmp_path)
