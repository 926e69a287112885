"""Selective accuracy is measured on the right faces: the reliable ones, and those of each reason."""

import runpy
from pathlib import Path

import pandas as pd
import pytest

from mtl_keras.tasks import AGE, GENDER

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "experiments" / "reliability.py"))


def test_each_group_has_the_figures_of_its_faces(tmp_path):
    faces = pd.DataFrame(
        {
            "gender": ["male", "female", "female", "male", None],
            "gender.class": ["male", "female", "male", "female", "male"],
            "age": [20.0, 30.0, 40.0, None, None],
            "age.value": [21.0, 30.0, 50.0, 1.0, 1.0],
            "reason": ["", "", "blurred", "too small, blurred", "cut off"],
        }
    )
    rows = SCRIPT["measured"](faces, [GENDER, AGE]).set_index("faces")
    assert rows["n"].to_dict() == {
        "all": 5, "reliable": 2, "not reliable": 3, "too small": 1, "turned away": 0, "cut off": 1, "blurred": 2
    }  # fmt: skip
    accuracy, error = rows["gender.accuracy"], rows["age.mae"]
    assert (accuracy["all"], accuracy["reliable"], accuracy["not reliable"]) == (0.5, 1.0, 0.0)
    assert error["all"] == pytest.approx(11 / 3) and error["reliable"] == 0.5 and error["blurred"] == 10
    SCRIPT["write_markdown"](rows.reset_index(), [GENDER, AGE], tmp_path / "reliability.md")
    lines = (tmp_path / "reliability.md").read_text().splitlines()
    assert lines[0].startswith("| faces | images | % of all | gender % | age RMSE |") and len(lines) == 9
    assert lines[3].startswith("| reliable | 2 | 40.0 | 100.0 [100.0, 100.0] |")
    assert lines[6] == "| turned away | 0 | 0.0 | – | – | – |"
