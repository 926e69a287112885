"""Mean and standard deviation over seeds."""

from types import SimpleNamespace

from mtl_keras.studies.seeds import more_seeds, seed_statistics
from mtl_keras.studies.settings import Experiment, label_of


def test_runs_of_several_seeds_have_a_line_with_mean_and_deviation():
    rows = [
        {"run": "both", "age.mae": 4.0, "gender.accuracy": 0.9},
        {"run": "both", "age.mae": 6.0, "gender.accuracy": 0.92},
        {"run": "age alone", "age.mae": 5.0},
        {"run": "age alone", "age.mae": 5.5},
        {"run": "once", "age.mae": 1.0, "gender.accuracy": 1.0},
    ]
    lines = seed_statistics(rows, ["age.mae", "gender.accuracy"])
    assert lines[-4:] == [
        "| run | seeds | age MAE | gender % |",
        "|---|---:|---:|---:|",
        "| both | 2 | 5.00 ± 1.41 | 91.00 ± 1.41 |",
        "| age alone | 2 | 5.25 ± 0.35 | – |",
    ]


def test_each_of_several_settings_is_trained_with_each_seed():
    asked = []

    class Recorded:
        def run(self, settings):
            asked.append((settings.tasks, settings.seed, settings.variant))
            return [SimpleNamespace(row={"run": label_of(settings, "trained"), "seed": settings.seed})]

    several = [Experiment(tasks=("age", "gender"), seed=4), Experiment(tasks=("age",), seed=4)]
    rows = list(more_seeds(Recorded(), several, 2))
    assert asked == [
        (("age", "gender"), 4, ""), (("age", "gender"), 5, "seed 5"), (("age",), 4, ""), (("age",), 5, "seed 5"),
    ]  # fmt: skip
    assert [(row["run"], row["seed"]) for row in rows] == [
        ("facenet, trained", 4), ("facenet, trained", 5),
        ("facenet, age alone, trained", 4), ("facenet, age alone, trained", 5),
    ]  # fmt: skip


def test_without_a_second_seed_there_is_no_table():
    assert seed_statistics([{"run": "once", "age.mae": 1.0}], ["age.mae"]) == [] == seed_statistics([], ["age.mae"])
