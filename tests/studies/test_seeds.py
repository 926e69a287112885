"""Mean and standard deviation over seeds."""

from mtl_keras.studies.seeds import seed_statistics


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


def test_without_a_second_seed_there_is_no_table():
    assert seed_statistics([{"run": "once", "age.mae": 1.0}], ["age.mae"]) == [] == seed_statistics([], ["age.mae"])
