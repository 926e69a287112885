"""How a study finds its runs, and what it computes once."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtl_keras.datasets.rendered import rendered
from mtl_keras.errors import UserError
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.portraits.writer import UTKFACE, write_faces
from mtl_keras.studies import study as study_module
from mtl_keras.studies.network import build
from mtl_keras.studies.runs import place_for_model, plain_name, write_run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import Study, run
from mtl_keras.tasks import GENDER, HEAD_POSE, TASKS, Task
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel

ROWS = pd.DataFrame({"path": ["a", "b"], "source": "celeba", "gender": ["male", None]})
GENDER_ALONE = Experiment(tasks=("gender",), frozen_epochs=0)


def finished(study, settings=GENDER_ALONE):
    """Note a finished run of these settings, without a model, and return its folder and its answers."""
    answers = ROWS[:1].assign(**{"gender.class": ["female"], "gender.probability": [0.75]})
    folder = study.start_run(settings)
    write_run(folder, {"run": "a"}, answers)
    return folder, answers


def test_a_finished_run_counts_without_its_model_unless_that_is_needed(tmp_path):
    study = Study((ROWS, ROWS, ROWS), tmp_path, resume=True)
    assert study.find_run(GENDER_ALONE) is None
    folder, answers = finished(study)
    # Of the rows only those that its task labels were asked about.
    assert study.find_run(GENDER_ALONE).predictions.equals(answers)
    assert study.find_run(GENDER_ALONE, needs_model=True) is None
    model = MultiTaskModel([GENDER], "features", image_size=5, shared_units=(4,), head_units=(3,))
    model_folder.save(model, place_for_model(folder), run=folder.name)
    known = study.find_run(GENDER_ALONE, needs_model=True)
    assert known.model == tmp_path / "models" / plain_name(folder)


def test_without_resume_only_runs_of_the_study_itself_are_taken_and_nothing_is_deleted(tmp_path):
    first = Study((ROWS, ROWS, ROWS), tmp_path)
    folder, answers = finished(first)
    assert first.find_run(GENDER_ALONE) and first.is_new(first.find_run(GENDER_ALONE))
    second = Study((ROWS, ROWS, ROWS), tmp_path)
    assert second.find_run(GENDER_ALONE) is None
    resumed = Study((ROWS, ROWS, ROWS), tmp_path, resume=True)
    known = resumed.find_run(GENDER_ALONE)
    assert known.predictions.equals(answers) and not resumed.is_new(known)
    changed = replace(GENDER_ALONE, learning_rate=1e-4)
    assert resumed.find_run(changed) is None
    assert resumed.start_run(changed) != folder and resumed.find_run(GENDER_ALONE)


def test_a_run_that_was_broken_off_goes_on_in_its_folder_only_with_resume(tmp_path):
    resumed = Study((ROWS, ROWS, ROWS), tmp_path, resume=True)
    folder = resumed.start_run(GENDER_ALONE)
    (folder / "backup").mkdir()
    assert resumed.start_run(GENDER_ALONE) == folder and (folder / "backup").exists()
    assert Study((ROWS, ROWS, ROWS), tmp_path).start_run(GENDER_ALONE) == folder and not (folder / "backup").exists()


def test_other_labels_are_another_run_and_rows_of_other_tasks_are_none(tmp_path):
    finished(Study((ROWS, ROWS, ROWS), tmp_path, resume=True))
    smiles = pd.DataFrame({"path": ["c"], "source": "genki4k", "smile": "smiling"})
    more = pd.concat([ROWS, smiles], ignore_index=True)
    assert Study((more, ROWS, ROWS), tmp_path, resume=True).find_run(GENDER_ALONE)
    other = ROWS.assign(gender=["female", None])
    for parts in ((other, ROWS, ROWS), (ROWS, other, ROWS), (ROWS, ROWS, other)):
        assert Study(parts, tmp_path, resume=True).find_run(GENDER_ALONE) is None


def test_what_only_the_second_stage_uses_does_not_change_the_first(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(Study, "_finished", lambda study, settings, *rest: asked.append(settings))
    study, both = Study((ROWS, ROWS, ROWS), tmp_path), replace(GENDER_ALONE, frozen_epochs=2)
    others = {"epochs": 9, "refit": True, "trunk_rate": 0.1, "freeze_stem": False, "augment": False, "ema": 0.5}
    others |= {"batch_size": 3, "composition": "celeba=2", "learning_rate": 0.1, "schedule": "constant", "gray": 0.5}
    for change in ({}, *({name: value} for name, value in others.items())):
        study.run(replace(both, **change))
    frozen, tuned = asked[::2], asked[1::2]
    assert [settings.epochs for settings in frozen] == [0] * 12 and len({*frozen}) == 1
    assert len({*tuned}) == 12
    study.run(replace(both, dropout=0.1))
    assert asked[-2] != frozen[0]


def test_what_is_the_same_for_all_runs_is_computed_once(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(study_module, "data_fingerprint", lambda part: seen.append("data") or "0")
    monkeypatch.setattr(study_module, "sha256", lambda path: seen.append("weights") or "1")
    facenet = replace(BACKBONES["facenet"], find_weights=lambda name: name)
    monkeypatch.setitem(BACKBONES, "facenet", facenet)
    study = Study((ROWS, ROWS, ROWS), tmp_path)
    for epochs in range(1, 5):
        settings = replace(GENDER_ALONE, epochs=epochs, weights="file.h5")
        study.find_run(settings)
        study.on((ROWS, ROWS, ROWS)).weights_of(settings)
    assert seen == ["weights", "data", "data", "data"]


@pytest.mark.parametrize("number", ["METHOD", "READING"])
def test_a_run_of_an_earlier_method_or_reading_is_another_one(number, tmp_path, monkeypatch):
    finished(Study((ROWS, ROWS, ROWS), tmp_path))
    study = Study((ROWS, ROWS, ROWS), tmp_path, resume=True)
    assert study.find_run(GENDER_ALONE)
    monkeypatch.setattr(study_module, number, 0)
    assert study.find_run(GENDER_ALONE) is None


def test_one_task_of_an_experiment_is_its_single_task_baseline(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(Study, "run", lambda study, settings: seen.append(settings) or [])
    several = Experiment(tasks=["age", "gender"], loss_weights=[1.0, 2.0], frozen_epochs=0, seed=3)
    table = pd.DataFrame({"path": [f"{i}.jpg" for i in range(20)], "age": 3.0})
    assert run(several, table, tmp_path, tasks=["age"]) == []
    assert seen == [Experiment(tasks=("age",), frozen_epochs=0, seed=3)]
    with pytest.raises(UserError, match="task 'smile': expected some of the experiment's: age, gender"):
        run(several, table, tmp_path, tasks=["smile"])


def test_a_task_that_no_training_image_labels_is_refused(faces, tmp_path):
    smiling = faces.assign(smile="smiling")
    with pytest.raises(UserError, match="no training image has a label of smile; add a set that has"):
        Study((faces.drop(columns="smile", errors="ignore"), smiling, smiling), tmp_path).run(
            Experiment(tasks=("gender", "smile"), frozen_epochs=0)
        )


def test_the_definition_of_a_task_of_ones_own_tells_runs_apart(tmp_path, no_new_tasks):
    table = pd.DataFrame({"path": ["a"], "source": "mine", "mood": 0.5, "smile": "smiling"})

    def noted(*tasks):
        return Study((table,) * 3, tmp_path).noted(Experiment(tasks=tasks))

    first = noted("smile", Task("mood", "regression", scale=0.5))
    del TASKS["mood"]
    second = noted("smile", Task("mood", "regression", scale=0.25))
    assert [each["own_tasks"][0].pop("scale") for each in (first, second)] == [0.5, 0.25]
    assert first == second and len(first["own_tasks"]) == 1
    assert "own_tasks" not in noted("smile")


def test_head_poses_learned_in_other_units_are_other_runs(tmp_path, monkeypatch):
    angles = {f"head_pose.{name}": 0.0 for name in HEAD_POSE.outputs}
    table = pd.DataFrame({"path": ["a"], "source": "mine", **angles})
    study, settings = Study((table,) * 3, tmp_path), Experiment(tasks=("head_pose",))
    first = study.noted(settings)
    monkeypatch.setitem(TASKS, "head_pose", replace(HEAD_POSE, scale=30.0))
    assert first != study.noted(settings)


def test_refit_trains_as_long_as_was_best_on_the_validation_rows_as_well(tmp_path, monkeypatch):
    calls = []

    def recorded(model, training, validation, folder, epochs, patience):
        rows = sum(int(images.shape[0]) for images, *_ in training(0))
        calls.append((rows, validation is not None, epochs, folder.name))
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"epoch": [0, 1, 2], "loss": 1.0, "val_loss": [0.9, 0.4, 0.7], "seconds": 1.0}).to_csv(
            folder / "history.csv", index=False
        )

    monkeypatch.setattr("mtl_keras.studies.network.fit", recorded)
    faces = rendered(write_faces(tmp_path / "set", UTKFACE, 24, seed=3, size=32))
    parts = tuple(faces.iloc[rows].reset_index(drop=True) for rows in (range(12), range(12, 20), range(20, 24)))
    tiny = Experiment(
        tasks=("gender",), backbone="gender_eyeglasses", image_size=12, frozen_epochs=0, epochs=9, refit=True
    )
    found = Study(parts, tmp_path).run(tiny)[0]
    assert calls == [(12, True, 9, found.folder.name), (20, False, 2, "refit")]
    assert found.row["gender.accuracy"] >= 0 and len(found.predictions) == 4
    # What served to train it is gone, its curve is that of the training that was validated.
    assert len(found.history) == 3 and not list(tmp_path.glob("checkpoints/*/refit"))


def test_heads_with_branches_are_trained_on_the_frozen_trunk_and_then_with_it(faces, tmp_path):
    parts = tuple(faces.iloc[rows].reset_index(drop=True) for rows in (range(16), range(16, 24), range(24, 30)))
    tiny = Experiment(tasks=("gender", "age"), backbone="gender_eyeglasses", image_size=16, frozen_epochs=2, epochs=1)
    frozen, tuned = Study(parts, tmp_path).run(tiny, needs_model=True)
    assert frozen.row["stage"] == "frozen" and tuned.row["stage"] == "fine-tuned"
    start, trained = build(tiny), model_folder.load(frozen.model)
    trunk = {id(variable) for variable in start.trunks[0].weights}
    for old, new in zip(start.weights, trained.weights, strict=True):
        assert np.array_equal(old, new) == (id(old) in trunk), new.path


def test_a_way_of_sharing_without_common_features_has_no_frozen_stage(faces, tmp_path):
    stitched = Experiment(tasks=("gender", "age"), backbone="bknet", sharing="cross_stitch", image_size=16)
    with pytest.raises(UserError, match="'cross_stitch' has no stage with a frozen trunk: set frozen_epochs to 0"):
        Study((faces, faces, faces), tmp_path).run(stitched)


def test_ages_become_the_groups_that_a_run_asks_for(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(Study, "run", lambda study, settings: seen.append(study.parts) or [])
    table = pd.DataFrame({"path": [f"{age}.jpg" for age in range(1, 81)], "age": range(1, 81)})
    run(Experiment(tasks=("age_group",), backbone="bknet", frozen_epochs=0), table, tmp_path)
    rows = pd.concat(seen[0])
    assert rows["age_group"].notna().all() and rows["age_group"].nunique() == 5


def test_what_is_odd_in_the_table_is_said_before_the_training(tmp_path, capsys):
    table = ROWS.assign(gender="male")
    table.attrs["deviations"] = [{"path": "list.csv", "reason": "columns that are not read: 'x'"}]
    with pytest.raises(UserError, match="too few"):
        run(GENDER_ALONE, table, tmp_path)
    said = capsys.readouterr().err
    assert said.count("list.csv: columns that are not read: 'x'\n") == 1
    assert said.count("celeba: all 2 labels of gender are male") == 1
