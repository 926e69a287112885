"""Figures of runs on rows of other sets: they are kept with the run, and taken only for the rows that they are of."""

import shutil

import pandas as pd
import pytest

from mtl_keras.studies.elsewhere import kept_figures, tested_elsewhere
from mtl_keras.studies.runs import ELSEWHERE, Run
from mtl_keras.tasks import AGE, GENDER, SMILE
from mtl_keras.training import model_folder

TASKS = (AGE, GENDER, SMILE)


@pytest.fixture
def run(tiny_model, tmp_path) -> Run:
    """A run with a model and a folder."""
    (folder := tmp_path / "checkpoints" / "tiny-1a2b3c4d").mkdir(parents=True)
    row = {"run": "tiny", "tasks": ", ".join(task.name for task in tiny_model.tasks)}
    return Run(row, pd.DataFrame(), pd.DataFrame(), model_folder.save(tiny_model, tmp_path / "models" / "tiny"), folder)


def test_figures_outlive_the_model(run, faces):
    rows = faces.assign(source=["here", "there"] * (len(faces) // 2) + ["here"] * (len(faces) % 2))
    assert kept_figures(run, rows, TASKS) is None and kept_figures(None, rows, TASKS) is None
    figures = tested_elsewhere(run, rows, TASKS)
    assert {*figures} == {"here", "there"} and figures["here"]["age.n"] == rows["age"][rows["source"] == "here"].count()
    shutil.rmtree(run.model)
    run.model = None
    assert tested_elsewhere(run, rows[::-1].reset_index(drop=True), TASKS) == figures, "their order does not matter"
    # Also where other networks of the table learn more, a label of which is no business of this one.
    assert tested_elsewhere(run, rows.assign(smile="smiling"), TASKS) == figures


@pytest.mark.parametrize("change", ["rows", "labels", "source", "damaged"])
def test_figures_of_other_rows_are_not_taken(run, faces, capsys, change):
    tested_elsewhere(run, faces, TASKS)
    changed = {
        "rows": faces[1:].reset_index(drop=True),
        "labels": faces.assign(age=[*faces["age"][:-1], 99]),
        "source": faces.assign(source="another name"),
    }
    if change == "damaged":
        (run.folder / ELSEWHERE).write_text('{"rows": 1}')
    rows = changed.get(change, faces)
    assert kept_figures(run, rows, TASKS) is None
    assert ("damaged" in capsys.readouterr().err) == (change == "damaged")
    figures = tested_elsewhere(run, rows, TASKS)
    assert kept_figures(run, rows, TASKS) == figures and {*figures} == {*rows["source"]}
