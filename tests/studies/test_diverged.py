"""A run that diverges is no finished one: it says so in the table, the others go on, and resuming trains it anew."""

from dataclasses import replace

import pandas as pd
import pytest

from mtl_keras.studies import network, results
from mtl_keras.studies.comparison import train_multi_task
from mtl_keras.studies.diverged import DivergedRun
from mtl_keras.studies.plan import CrossValidation
from mtl_keras.studies.report import Report
from mtl_keras.studies.seeds import more_seeds
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import Study
from mtl_keras.tasks import GENDER


@pytest.fixture
def good(tiny_backbone) -> Experiment:
    return Experiment(
        tasks=("gender",), backbone=tiny_backbone, frozen_epochs=1, epochs=1, batch_size=4, ema=0.0, augment=False,
        schedule="constant", strategy="one", precision="float32",
    )  # fmt: skip


@pytest.fixture
def wild(good) -> Experiment:
    """Its fine-tuning diverges; its frozen stage, which has a learning rate of its own, does not."""
    return replace(good, learning_rate=3e38)


@pytest.fixture
def study(faces, tmp_path) -> Study:
    rows = (range(12), range(12, 20), range(20, 30))
    return Study(tuple(faces.iloc[part].reset_index(drop=True) for part in rows), tmp_path)


@pytest.fixture
def report(study) -> Report:
    return Report(study, [GENDER], ["a note"], CrossValidation())


def test_it_is_not_finished_and_another_study_trains_it_anew(study, wild, monkeypatch):
    with pytest.raises(DivergedRun, match="^tiny, gender alone, fine-tuned: the loss of gender was .*, so tra") as said:
        study.run(wild)
    assert "\n" not in str(said.value) and [run.row["stage"] for run in said.value.finished] == ["frozen"]
    assert study.find_run(wild) is None and not list(study.out.glob("models/*fine-tuned"))
    fitted = []
    fit = network.fit
    monkeypatch.setattr(network, "fit", lambda *arguments: fitted.append(1) or fit(*arguments))
    with pytest.raises(DivergedRun):
        study.run(wild)
    assert not fitted
    resumed = Study(study.parts, study.out, resume=True)
    with pytest.raises(DivergedRun):
        resumed.run(wild)
    assert len(fitted) == 1 and [*resumed.diverged] == [*study.diverged]


def test_the_table_says_so_and_the_other_runs_go_on(study, report, good, wild, capsys):
    report.start([])
    assert [run.row["stage"] for run in report.train(replace(wild, variant="faster"))] == ["frozen"]
    assert "tiny, gender alone, fine-tuned, faster: the loss of gender was" in capsys.readouterr().out
    report.train(replace(good, frozen_epochs=0))
    rows = pd.read_csv(study.out / "runs.csv").set_index("run")
    assert rows["stage"].to_dict() == {
        "tiny, gender alone, frozen, faster": "frozen",
        "tiny, gender alone, fine-tuned, faster": "diverged",
        "tiny, gender alone, trained": "trained",
    }
    assert rows["gender.accuracy"].isna().tolist() == [name.endswith("tuned, faster") for name in rows.index]
    table = (study.out / "table.md").read_text()
    assert "| tiny, gender alone, fine-tuned, faster (diverged) | gender | – |" in table
    assert table.count("(diverged)") == 1 and "- diverged: tiny, gender alone, fine-tuned, faster: the loss of" in table


def test_a_first_run_that_diverges_begins_a_new_table(study, report, wild):
    results.write_runs([{"run": "of another model", "stage": "trained"}], study.out)
    with pytest.raises(DivergedRun):
        train_multi_task(report, wild, [], None)
    assert results.read_runs(study.out)["stage"].tolist() == ["baseline", "frozen", "diverged"]


def test_a_seed_that_diverges_counts_as_one_without_figures(study, wild):
    rows = list(more_seeds(study, [replace(wild, frozen_epochs=0)], 2))
    assert [(row["run"], row["stage"], row["seed"]) for row in rows] == [
        ("tiny, gender alone, trained", "diverged", 0), ("tiny, gender alone, trained", "diverged", 1),
    ]  # fmt: skip
