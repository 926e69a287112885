"""A figure over several data sets is told of each set too."""

import numpy as np
import pandas as pd
import pytest

from mtl_keras.state_files import read_csv
from mtl_keras.studies import results
from mtl_keras.studies.plan import CrossValidation
from mtl_keras.studies.report import Report
from mtl_keras.studies.runs import Run
from mtl_keras.studies.sets import set_lines, set_rows
from mtl_keras.studies.study import Study
from mtl_keras.tasks import AGE, GENDER, SMILE

TASKS = [AGE, GENDER, SMILE]


def answered(tasks: str = "age, gender") -> Run:
    """A run that errs by one year in one set and by three in the other; gender is labelled in the first alone."""
    table = pd.DataFrame({"path": list("abcdef"), "source": ["utkface"] * 4 + ["lagenda"] * 2})
    table["age"] = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    table["age.value"] = table["age"] + [1, -1, 1, -1, 3, 3]
    table["gender"] = ["male", "female", "male", "female", None, None]
    table["gender.class"] = ["male", "female", "male", "male", "male", "male"]
    return Run({"run": "both", "tasks": tasks}, table, pd.DataFrame())


def test_each_set_has_the_figures_of_its_own_images():
    rows = {row["source"]: row for row in set_rows(answered(), TASKS)}
    assert {source: row["images"] for source, row in rows.items()} == {"utkface": 4, "lagenda": 2}
    assert rows["utkface"]["age.mae"] == pytest.approx(1) and rows["lagenda"]["age.mae"] == pytest.approx(3)
    assert rows["utkface"]["gender.accuracy"] == 0.75 and "gender.accuracy" not in rows["lagenda"]
    assert not any(name.startswith("smile") for row in rows.values() for name in row)
    assert all("gender.accuracy" not in row for row in set_rows(answered("age"), TASKS))


def test_a_set_whose_labels_are_intervals_has_the_share_of_answers_within(tmp_path):
    run = answered()
    ends = {"age": [10.0, 20.0, 30.0, 40.0, None, None], "age.low": [None] * 4 + [50.0, 50.0], "age.high": 59.0}
    run.predictions = run.predictions.assign(**ends)
    run.predictions.loc[:3, "age.high"] = None
    rows = set_rows(run, TASKS)
    # Answers are 53 and 63.
    assert [row.get("age.within_interval") for row in rows] == [0.5, None]
    results.write_sets(rows, tmp_path)
    lines = set_lines(tmp_path, TASKS)
    assert "| age MAE | age within the interval, % | gender % |" in lines[3]
    assert lines[5].startswith("| both | lagenda | 2 | – | – | 50.00 [0.00, 100.00] |")


def test_one_set_alone_needs_no_second_table(tmp_path):
    run = answered()
    run.predictions = run.predictions[run.predictions["source"] == "utkface"]
    assert set_rows(run, TASKS) == [] and set_lines(tmp_path, TASKS) == []


def test_the_table_shows_a_line_a_run_and_set_and_a_run_anew_takes_its_place(tmp_path):
    results.write_sets(set_rows(answered(), TASKS), tmp_path)
    again = answered()
    again.predictions["age.value"] = again.predictions["age"]
    results.write_sets(set_rows(again, TASKS), tmp_path)
    table = read_csv(tmp_path / results.SETS, results.SET_COLUMNS[:2])
    assert table["source"].tolist() == ["lagenda", "utkface"] and np.allclose(table["age.mae"], 0)
    lines = set_lines(tmp_path, TASKS)
    assert lines[3].startswith("| run | set | images | age RMSE | age MAE | gender % |")
    assert lines[5:] == [
        "| both | lagenda | 2 | 0.00 [0.00, 0.00] | 0.00 [0.00, 0.00] | – |",
        "| both | utkface | 4 | 0.00 [0.00, 0.00] | 0.00 [0.00, 0.00] | 75.00 [25.00, 100.00] |",
    ]


def test_every_run_is_told_of_each_set_also_one_whose_curves_are_not_drawn(tmp_path):
    report = Report(Study((pd.DataFrame(),) * 3, tmp_path), TASKS, [], CrossValidation())
    run = answered()
    run.row |= {"backbone": "tiny", "stage": "trained"}
    report.add([run], drawn=False)
    assert read_csv(tmp_path / results.SETS, results.SET_COLUMNS[:2])["run"].tolist() == ["both", "both"]
    assert report.runs == {} and "| both | lagenda | 2 | 3.00" in (tmp_path / "table.md").read_text()
