"""Labels that training rows lack come from a trained model, and no other label changes."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mtl_keras.data.table import encode
from mtl_keras.evaluation.predictions import outputs_of, predictions
from mtl_keras.studies import teacher
from mtl_keras.studies.comparison import compare
from mtl_keras.studies.plan import Comparison
from mtl_keras.studies.settings import Experiment, with_tasks
from mtl_keras.studies.study import Study, run
from mtl_keras.studies.teacher import taught
from mtl_keras.tasks import AGE, GENDER, SMILE, Task, add_task
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel

TASKS = ("age", "gender", "head_pose", "smile")


@pytest.fixture
def settings(tiny_folder) -> Experiment:
    return Experiment(tasks=TASKS, teacher=str(tiny_folder))


@pytest.fixture
def half(faces):
    """Rows of which some have an age, an interval of ages, a gender, or a head pose but for its roll."""
    half = faces.copy()
    half["age"] = half["age"].where(np.arange(30) < 10)
    half["age.low"] = np.where((np.arange(30) >= 10) & (np.arange(30) < 20), 20.0, np.nan)
    half["gender"] = half["gender"].where(np.arange(30) % 2 == 0)
    half["head_pose.roll"] = np.nan
    return half


def test_blanks_become_answers_and_labels_stay(settings, half, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(teacher, "SURE", 0.6)
    answers, found = predictions(tiny_model, half), taught(settings, half, tmp_path)
    sure = (np.arange(30) % 2 == 1) & (answers["gender.probability"] >= 0.6)
    assert 0 < sure.sum() < 15
    assert found["gender"].equals(half["gender"].mask(sure, answers["gender.class"]))
    np.testing.assert_allclose(found["age"][20:], answers["age.value"][20:], rtol=1e-5)
    assert found["age"][:10].equals(half["age"][:10]) and found["age"][10:20].isna().all()
    assert found["age.low"].equals(half["age.low"])
    assert found["head_pose.yaw"].equals(half["head_pose.yaw"]) and found["head_pose.pitch"].equals(
        half["head_pose.pitch"]
    )
    np.testing.assert_allclose(found["head_pose.roll"], answers["head_pose.roll.value"], 1e-5)
    assert not encode(found, SMILE)[1].any() or found["smile"].equals(half["smile"])  # which the teacher does not know


def test_a_task_that_no_row_is_labelled_with_is_learned_from_the_teacher_alone(settings, faces, tmp_path):
    found = taught(settings, faces.drop(columns=["age"]), tmp_path)
    assert encode(found, AGE)[1].all()


def test_answers_are_asked_for_once(settings, half, tmp_path, monkeypatch):
    first = taught(settings, half, tmp_path)
    monkeypatch.setattr(teacher, "outputs_of", lambda *_: pytest.fail("asked again"))
    assert taught(settings, half, tmp_path).equals(first)


def test_of_several_workers_the_chief_asks_and_tells_the_others(settings, half, tmp_path, monkeypatch):
    answers = taught(settings, half, tmp_path / "chief")
    (file,) = tmp_path.glob("chief/answers-*.npz")
    monkeypatch.setattr(teacher.distribute, "joins_workers", lambda name: True)
    monkeypatch.setattr(teacher.distribute, "strategy", lambda name: None)
    monkeypatch.setattr(teacher, "read_cluster", lambda: SimpleNamespace(is_chief=False))
    monkeypatch.setattr(teacher, "outputs_of", lambda *_: pytest.fail("asked by another worker"))
    monkeypatch.setattr(teacher, "told_by_chief", lambda strategy, own: file.read_bytes() if own == b"" else own)
    assert taught(settings, half, tmp_path / "other").equals(answers)


def test_without_a_teacher_rows_stay_as_they_are(half, tmp_path):
    assert taught(Experiment(tasks=TASKS), half, tmp_path) is half


def test_a_teacher_that_answers_none_of_the_tasks_or_another_one_is_an_error(settings, half, tmp_path, one_line):
    with one_line("expected one of the tasks to learn", "teacher "):
        run(replace(settings, tasks=("smile",)), half, tmp_path / "out")
    other = MultiTaskModel([replace(GENDER, classes=("a", "b"))], "features", image_size=4)
    folder = model_folder.save(other, tmp_path / "other")
    with one_line("its task 'gender' has other classes, outputs or units", "teacher "):
        run(replace(settings, teacher=str(folder)), half, tmp_path / "out")
    assert not (tmp_path / "out/checkpoints").exists()


@pytest.mark.usefixtures("no_new_tasks")
def test_numbers_of_another_unit_are_told_or_refused_and_others_come_into_the_range(half, tmp_path, capsys, one_line):
    def taught_by(center: float, unit: str = "") -> Experiment:
        task = Task("height", "regression", center=center, scale=0.01 * center, unit=unit)
        model = MultiTaskModel([task], "small_cnn", image_size=8)
        folder = model_folder.save(model, tmp_path / f"of {center} {unit}")
        return replace(Experiment(tasks=("height",), frozen_epochs=0), teacher=str(folder))

    add_task(Task("height", "regression", range=(1.0, 1.66)))
    rows = half.assign(height=np.where(np.arange(30) < 20, np.linspace(1.5, 1.66, 30), np.nan))
    taught(taught_by(167.0), rows, tmp_path)
    told = capsys.readouterr().out
    assert "its error is 165, that of the labels' median 0.02" in told and told.strip().endswith("such images?")
    with one_line("its task 'height' has other classes, outputs or units", "teacher "):
        taught(taught_by(1.67, "m"), rows, tmp_path)
    found = taught(taught_by(1.67), rows, tmp_path)["height"]
    assert found[:20].equals(rows["height"][:20]) and found[20:].between(1.6, 1.66).all() and (found == 1.66).any()
    own = taught(near := taught_by(1.55), rows.assign(height=np.nan), tmp_path)["height"]
    assert capsys.readouterr().out.endswith("the teacher labels 30 of 30 training images\n")
    taught(near, rows.assign(height=own.where(np.arange(30) < 20)), tmp_path)
    told = capsys.readouterr().out.strip().split("\n")[-1]
    assert "labels 10 of 30 training images; on labelled ones its error is " in told and "?" not in told


def test_of_single_tasks_only_those_that_it_answers_have_the_teacher(settings):
    alone = {name: with_tasks(settings, (name,)).teacher for name in TASKS}
    assert alone == {"age": settings.teacher, "gender": settings.teacher, "head_pose": settings.teacher, "smile": None}


def test_runs_of_other_teachers_are_other_runs_and_a_moved_one_is_the_same(settings, half, tmp_path):
    study = Study((half, half, half), tmp_path)
    moved = replace(settings, teacher=str(shutil.copytree(settings.teacher, tmp_path / "moved")))
    assert study.noted(settings)["teacher"] == study.noted(moved)["teacher"] != study.noted(Experiment())["teacher"]


def test_the_first_network_of_a_table_teaches_the_others(half, tmp_path, monkeypatch, capsys, one_line):
    first = Experiment(
        tasks=("age", "gender"), backbone="small_cnn", image_size=8, frozen_epochs=0, epochs=1, precision="float32"
    )
    variants = {"alone": {"seed": 1}, "taught": {"seed": 1, "teacher": "first"}}
    asked = []
    monkeypatch.setattr(teacher, "outputs_of", lambda *given: asked.append(given[0]) or outputs_of(*given))
    parts = [half.assign(split=part) for part in ("train", "validation", "test")]
    table = pd.concat(parts, ignore_index=True)
    compare(first, Comparison(single_task="none"), (table, None), tmp_path / "out", variants=variants)
    assert len(asked) == 1 and "taught: training, run 3 of 3" in capsys.readouterr().out
    (run,) = tmp_path.glob("out/checkpoints/*trained-taught-*")
    (alone,) = tmp_path.glob("out/checkpoints/*trained-alone-*")
    (of_all,) = {*tmp_path.glob("out/checkpoints/*trained-????????")} - {run, alone}
    assert json.loads((run / "settings.json").read_text())["teacher"] == of_all.name
    assert json.loads((alone / "settings.json").read_text())["teacher"] is None
    # Where its model was not kept, rows that are finished need none, and others say what is missing.
    shutil.rmtree(tmp_path / "out/models")
    compare(first, Comparison(single_task="none"), (table, None), tmp_path / "out", True, variants=variants)
    assert len(asked) == 1 and ": training" not in capsys.readouterr().out
    more = {**variants, "more": {"seed": 2, "teacher": "first"}}
    with one_line("the model of this run is not there; name a folder below models/"):
        compare(first, Comparison(single_task="none"), (table, None), tmp_path / "out", True, variants=more)
    losses = [pd.read_csv(folder / "history.csv")["loss"][0] for folder in (run, alone)]
    assert losses[0] != losses[1]


def test_a_teacher_that_is_not_there_is_told_of_before_anything_is_trained(faces, tmp_path, one_line):
    for given, said in (("first", "for the other rows of a table"), (str(tmp_path / "none"), "none")):
        with one_line(said):
            compare(Experiment(teacher=given), Comparison(), (faces, None), tmp_path / "out")
    assert not (tmp_path / "out").exists()
