"""The constant baseline and the paired differences of a results table."""

import numpy as np
import pandas as pd
import pytest

from mtl_keras.checkpoints import Run
from mtl_keras.comparison import against, majority
from mtl_keras.evaluate import answered
from mtl_keras.tasks import AGE, AGE_REGRESSION, GENDER


@pytest.fixture
def parts():
    train = pd.DataFrame(
        {
            "path": list("abcde"),
            "age": [10.0, 20, 30, 40, np.nan],
            "gender": ["female", "female", "male", None, "female"],
        }
    )
    test = pd.DataFrame({"path": list("fgh"), "age": [20.0, 30, np.nan], "gender": ["female", "male", "female"]})
    return train, train, test


@pytest.mark.parametrize("age", [AGE, AGE_REGRESSION])
def test_majority_answers_the_training_median_and_class(parts, age):
    row = majority(parts, [age, GENDER])
    # The median of 10, 20, 30, 40 is 25: five years from both labelled test ages.
    assert row["age.mae"] == pytest.approx(5, abs=0.01) and row["age.n"] == 2
    assert row["gender.accuracy"] == pytest.approx(2 / 3) and row["stage"] == "baseline"
    assert row["gender.accuracy.low"] <= row["gender.accuracy"] <= row["gender.accuracy.high"]


def run(stage, name, test, female):
    outputs = {"gender": np.stack([1 - np.array(female), female], axis=-1)}
    return Run({"run": name, "stage": stage}, answered(test, [GENDER], outputs), pd.DataFrame())


def test_differences_pair_runs_of_one_stage(parts):
    test = parts[2]
    multi = [run("frozen", "all frozen", test, [0.9, 0.2, 0.8]), run("fine-tuned", "all", test, [0.9, 0.1, 0.9])]
    alone = [run("frozen", "gender alone", test, [0.9, 0.8, 0.1])]
    rows = against(multi, alone, GENDER)
    assert [(row["run"], row["baseline"]) for row in rows] == [("all frozen", "gender alone")]
    assert rows[0]["metric"] == "gender.accuracy"
    assert rows[0]["difference"] == pytest.approx(2 / 3) and rows[0]["low"] <= 2 / 3 <= rows[0]["high"]
