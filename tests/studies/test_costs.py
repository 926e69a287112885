"""What one network costs against several: parameters add up, and more networks take longer."""

import pandas as pd
import pytest

from mtl_keras.studies.costs import compare_costs, cost_lines, milliseconds
from mtl_keras.tasks import EYEGLASSES, GENDER
from mtl_keras.training.model import MultiTaskModel

# What is measured is what a user waits for.
pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture(scope="module")
def models():
    return {
        names: MultiTaskModel([task for task in (GENDER, EYEGLASSES) if task.name in names], "gender_eyeglasses")
        for names in ("gender", "eyeglasses", "gender eyeglasses")
    }


def test_costs_of_one_network_and_two(models, tmp_path):
    assert cost_lines(tmp_path) == []
    compare_costs(models["gender eyeglasses"], [models["gender"], models["eyeglasses"]], tmp_path)
    table = pd.read_csv(tmp_path / "costs.csv")
    assert table["parameters"].tolist() == [1_524_740, 1_525_060, 1_525_060 / 2]
    assert (table[["milliseconds_alone", "milliseconds_in_batches"]] > 0).all(axis=None)
    lines = cost_lines(tmp_path)
    assert "2 networks of one task" in lines[-4] and lines[-3].startswith(
        "| a network of one task, the mean of these | 0.76 |"
    )
    assert lines[-2].startswith("| one takes, of several | 100% |")
    assert lines[-1].startswith("| one takes, of one of one task | 200% |")


def test_five_networks_take_longer_than_one(models):
    one, five = milliseconds([[models["gender"]], [models["gender"]] * 5], 8, rounds=7)
    assert five > 2 * one
