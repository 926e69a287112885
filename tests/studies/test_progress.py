"""The line that says which run of a table is trained, and about how long all that are left will take."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtl_keras.studies import study as module
from mtl_keras.studies.cross_validation import networks_of_fold, plan_folds
from mtl_keras.studies.plan import CrossValidation
from mtl_keras.studies.progress import Progress, in_words
from mtl_keras.studies.runs import write_run
from mtl_keras.studies.seeds import more_seeds, with_seeds
from mtl_keras.studies.settings import Experiment, with_tasks
from mtl_keras.studies.study import Study
from mtl_keras.training import backup

BOTH = Experiment(tasks=("gender", "smile"), backbone="bknet", frozen_epochs=0, epochs=10)
ALONE = [with_tasks(BOTH, (name,)) for name in BOTH.tasks]
# Every second row has no smile.
ROWS = pd.DataFrame(
    {
        "path": [f"{number}.jpg" for number in range(8)],
        "source": "faces",
        "gender": ["female", "male"] * 4,
        "smile": ["smiling", None] * 4,
    }
)


@pytest.fixture
def clock(monkeypatch):
    """A clock that only training moves: half a second an image."""
    now = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])

    def train(self, settings, folder):
        labelled = np.any([ROWS[name].notna() for name in settings.tasks], axis=0).sum()
        seconds = 0.5 * int(labelled) * (settings.epochs or settings.frozen_epochs)
        now[0] += seconds
        return write_run(folder, {"run": folder.name, "seconds": seconds}, ROWS.assign(**{"gender.class": "male"}))

    monkeypatch.setattr(Study, "_fine_tune", train)
    monkeypatch.setattr(Study, "_train_frozen", train)


def lines(capsys) -> list[str]:
    return [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()]


def test_the_time_that_is_left_follows_rows_and_epochs_of_what_is_left(tmp_path, capsys, clock):
    study = Study((ROWS, ROWS, ROWS), tmp_path)
    long = replace(BOTH, epochs=100, variant="long")
    study.plan([BOTH, *ALONE, long])
    for settings in (BOTH, *ALONE, long):
        study.run(settings)
    # In half a second an image: 8 rows x 10 epochs, 4 rows with a smile x 10, 8 rows x 100.
    assert lines(capsys) == [
        "training, run 1 of 4",
        "training, run 2 of 4, about 8 minutes left",  # 40 + 20 + 400 s
        "training, run 3 of 4, about 7 minutes left",  # 20 + 400 s
        "training, run 4 of 4, about 7 minutes left",
    ]


def test_finished_runs_cost_nothing_and_tell_how_fast_the_others_will_be(tmp_path, capsys, clock):
    first = Study((ROWS, ROWS, ROWS), tmp_path)
    # The last one is finished, as where single-task networks are asked for only later.
    first.run(BOTH)
    last = replace(BOTH, epochs=1000, variant="last")
    first.run(last)
    capsys.readouterr()
    study = Study((ROWS, ROWS, ROWS), tmp_path, resume=True)
    study.plan([BOTH, *ALONE, last])
    for settings in (BOTH, *ALONE, last):
        study.run(settings)
    assert lines(capsys) == [
        "finished before",
        "training, run 3 of 4, about 1 minute left",  # 40 + 20 s
        "training, run 4 of 4, less than a minute left",
        "finished before",
    ]


def test_a_broken_off_run_costs_only_the_epochs_that_are_left(tmp_path, capsys, clock):
    first = Study((ROWS, ROWS, ROWS), tmp_path)
    first.run(BOTH)
    long = replace(BOTH, epochs=100, variant="long")
    backup.write(first.start_run(long) / "backup", 75, [])
    capsys.readouterr()
    study = Study((ROWS, ROWS, ROWS), tmp_path, resume=True)
    study.plan([BOTH, long])
    study.run(long)
    assert lines(capsys) == ["training, run 2 of 2, about 2 minutes left"]  # a quarter of 400 s
    assert [*study.progress._speeds.values()][-1] == pytest.approx(0.5), "four times as fast only seemingly"


def test_heads_alone_do_not_tell_how_long_a_whole_network_takes(tmp_path, capsys, clock):
    study = Study((ROWS, ROWS, ROWS), tmp_path)
    small = replace(BOTH, backbone="facenet_small", frozen_epochs=20)
    study.plan([replace(BOTH, frozen_epochs=20), small])
    for settings in study.progress.planned:
        stage = settings.epochs and "whole" or "heads"
        print(f"{stage}: {study.progress.words(settings)}")
        study.progress.finished(settings, 60.0)
    # Of another network only the time of this one is known.
    assert lines(capsys) == [
        ", run 1 of 4", ", run 2 of 4", ", run 3 of 4, about 2 minutes left", ", run 4 of 4, about 1 minute left",
    ]  # fmt: skip


def test_a_run_takes_as_long_as_the_finished_one_that_is_most_like_it():
    progress = Progress()
    soft, large, other = (
        replace(BOTH, **{name: value})
        for name, value in (("sharing", "soft"), ("image_size", 96), ("backbone", "alexnet"))
    )
    again = [replace(each, variant="again") for each in (BOTH, soft, large, other)]
    for settings in (BOTH, soft, large, other, *again):
        progress.plan(settings, 100.0)
    for settings, minutes in ((BOTH, 2), (soft, 20), (large, 5), (other, 3)):
        progress.finished(settings, 60 * minutes)
    for settings, minutes in zip(again, (30, 28, 8, 3), strict=True):
        assert progress.words(settings).endswith(f"about {minutes} minutes left")
        progress.finished(settings, None)


def test_a_taught_network_sees_also_the_rows_that_have_no_label(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("mtl_keras.studies.study.identity", lambda teacher: teacher)
    study = Study((ROWS, ROWS, ROWS), tmp_path)
    alone = replace(ALONE[1], variant="taught", teacher="somebody")
    study.plan([*ALONE, alone])
    assert sorted(study.progress.planned.values()) == [40, 80, 80]


def test_seeds_and_folds_are_counted_once(tmp_path, capsys, clock):
    study = Study((ROWS[:4], ROWS, ROWS), tmp_path)
    how = CrossValidation(folds=4, stop_on_fold=True)
    study.plan(with_seeds([BOTH, *ALONE], 2))
    plan_folds(study, BOTH, ROWS, how)
    assert len(study.progress.planned) == 3 * 2 + 4 * 3
    for settings in (BOTH, *ALONE):
        study.run(settings)
    list(more_seeds(study, [BOTH, *ALONE], 2))
    assert len(study.progress.left) == 4 * 3
    (one,), alone = networks_of_fold(BOTH, ["gender", "smile"], how, 0, 0).values()
    # 3 of 4 rows of all 8, of which the study's training rows are a half.
    assert study.progress.planned[one] == 10 * 6 and len(alone) == 2
    for fold in range(4):
        for members in networks_of_fold(BOTH, ["gender", "smile"], how, 0, fold).values():
            for settings in members:
                study.on((ROWS[:6], ROWS, ROWS)).run(settings)
    told = lines(capsys)
    assert told[0] == "training, run 1 of 18" and told[-1].startswith("training, run 18 of 18, ")
    assert told.count("finished before") == 3, "each seed's first run"
    assert not study.progress.left


def test_what_is_not_planned_has_no_place():
    progress = Progress()
    assert progress.words(BOTH) == ""
    progress.finished(BOTH, 3.0)
    progress.plan(ALONE[0], 10)
    assert progress.words(ALONE[0]) == ", run 1 of 1"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a minute"),
        (59, "less than a minute"),
        (61, "about 1 minute"),
        (100, "about 2 minutes"),
        (3600, "about 60 minutes"),
        (5400, "about 1.5 hours"),
    ],
)
def test_times_in_words(seconds, words):
    assert in_words(seconds) == words
