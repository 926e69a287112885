"""The constant baseline and the paired differences of a results table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtl_keras.errors import UserError
from mtl_keras.evaluation.predictions import with_predictions
from mtl_keras.studies.comparison import (
    check_labels,
    check_sampling,
    chosen_variants,
    compare,
    notes_on,
    paired_differences,
    single_task_settings,
    usable,
)
from mtl_keras.studies.constant import majority
from mtl_keras.studies.plan import Comparison, CrossValidation
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.tasks import AGE, AGE_REGRESSION, GENDER, HEAD_POSE, Task


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


@pytest.mark.parametrize(
    ("tasks", "name"),
    [
        ([AGE, GENDER], "most frequent class, median age"),
        ([GENDER, AGE, Task("mood", "regression")], "most frequent class, median age, median mood"),
        ([GENDER], "most frequent class"),
        ([HEAD_POSE], "median head pose"),
    ],
)
def test_majority_is_named_by_what_its_tasks_get(parts, tasks, name):
    more = dict.fromkeys(["mood", *HEAD_POSE.columns], 1.0)
    assert majority(tuple(part.assign(**more) for part in parts), tasks)["run"] == name


def run(stage, name, test, female):
    outputs = {"gender": np.stack([1 - np.array(female), female], axis=-1)}
    return Run({"run": name, "stage": stage}, with_predictions(test, [GENDER], outputs), pd.DataFrame())


def test_differences_pair_runs_of_one_stage(parts):
    test = parts[2]
    multi = [run("frozen", "all frozen", test, [0.9, 0.2, 0.8]), run("fine-tuned", "all", test, [0.9, 0.1, 0.9])]
    alone = [run("frozen", "gender alone", test, [0.9, 0.8, 0.1])]
    rows = paired_differences(multi, alone, GENDER)
    assert [(row["run"], row["baseline"]) for row in rows] == [("all frozen", "gender alone")]
    assert rows[0]["metric"] == "gender.accuracy"
    assert rows[0]["difference"] == pytest.approx(2 / 3) and rows[0]["low"] <= 2 / 3 <= rows[0]["high"]


def test_differences_leave_out_what_has_no_label_of_the_task(parts):
    test = parts[2]
    multi = run("frozen", "all", test, [0.9, 0.2, 0.8])
    # The other run has seen another set's rows as well, without a label of this task.
    more = pd.concat([test, pd.DataFrame({"path": ["x"], "age": [3.0], "gender": [None]})], ignore_index=True)
    alone_run = run("frozen", "gender alone", more, [0.9, 0.2, 0.8, 0.1])
    assert paired_differences([multi], [alone_run], GENDER)[0]["difference"] == 0


def test_each_task_alone_has_the_settings_of_all_together(capsys):
    several = Experiment(tasks=("age", "gender"), frozen_epochs=3, epochs=5, loss_weights=(1.0, 2.0))
    assert [(s.tasks, s.epochs, s.loss_weights) for s in single_task_settings(several, Comparison("frozen"))] == [
        (("age",), 0, ()),
        (("gender",), 0, ()),
    ]
    assert [s.epochs for s in single_task_settings(several, Comparison("both"))] == [5, 5]
    assert single_task_settings(several, Comparison("none")) == []
    assert single_task_settings(Experiment(tasks=("age",)), Comparison("both")) == []
    assert "left out" not in capsys.readouterr().out
    assert single_task_settings(Experiment(frozen_epochs=0), Comparison("frozen")) == []
    assert "left out: each task alone on a frozen trunk, of which there is no stage" in capsys.readouterr().out


def test_a_variant_without_labels_or_without_a_change_is_left_out(parts, capsys):
    experiment = Experiment(tasks=("age", "gender"), frozen_epochs=0, epochs=2)
    variants = {"smaller": {"batch_size": 8}, "same": {"epochs": 2}, "smiles": {"tasks": ("age", "smile")}}
    found = usable(experiment, variants, parts[0])
    assert [(settings.variant, settings.batch_size) for settings in found] == [("smaller", 8)]
    assert "left out: smiles, since no training image has a label of smile" in capsys.readouterr().out


def test_weights_of_losses_that_were_tuned_for_other_tasks_are_left_out(parts, capsys):
    variants = {"tuned": {"tasks": ("gender", "age"), "loss_weights": (1.0, 0.3), "epochs": 5}}
    [found] = usable(Experiment(tasks=("age", "gender"), frozen_epochs=0), variants, parts[0])
    # In their own order, whatever the experiment's is.
    assert found.chosen_weighting(found.tasks) == {"gender": 1.0, "age": 0.3}
    assert usable(Experiment(tasks=("age",), frozen_epochs=0), variants, parts[0]) == []
    assert "left out: tuned, since its loss weights are for gender, age" in capsys.readouterr().out


def test_only_the_variants_that_are_named_are_tried():
    variants = {"small": {"epochs": 1}, "large": {"epochs": 9}}
    assert chosen_variants(Comparison(), variants) == variants
    assert chosen_variants(Comparison(only=("large",)), variants) == {"large": {"epochs": 9}}
    assert chosen_variants(Comparison(variants=False), variants) == {}
    with pytest.raises(UserError, match="only 'large': no variants are to be trained; leave out --no-variants"):
        chosen_variants(Comparison(variants=False, only=("large",)), variants)
    with pytest.raises(UserError, match="only 'larg': expected some of small, large"):
        chosen_variants(Comparison(only=("larg",)), variants)


def test_with_a_variant_each_task_is_trained_alone_where_that_is_asked(faces, tmp_path):
    first = Experiment(
        tasks=("age", "gender"), backbone="small_cnn", image_size=8, frozen_epochs=0, epochs=1, precision="float32"
    )
    long = {"batch_size": 32, "precision": "mixed_bfloat16"}
    variants = {"short": {"batch_size": 16, "weighting": "uncertainty"}, "long": long}
    table = pd.concat([faces.assign(split=part) for part in ("train", "validation", "test")], ignore_index=True)
    compare(first, Comparison("none", alone=("short",)), (table, None), tmp_path, variants=variants)
    table = pd.read_csv(tmp_path / "runs.csv").set_index("run")
    rows, devices = table["tasks"], table["device"]
    assert [*rows.index[4:]] == [
        "small_cnn, trained, short",
        "small_cnn, age alone, trained, short",
        "small_cnn, gender alone, trained, short",
        "small_cnn, trained, long",
    ]
    assert rows["small_cnn, gender alone, trained, short"] == "gender"
    assert devices["small_cnn, trained, long"] == devices["small_cnn, trained, short"] + " in bfloat16"
    found = pd.read_csv(tmp_path / "differences.csv")
    assert {*found["run"]} == {"small_cnn, trained, short"}
    assert [*dict.fromkeys(found["baseline"])] == [*rows.index[5:7]]


def test_a_variant_to_train_alone_is_one_to_be_trained():
    variants = {"small": {"epochs": 1}, "large": {"epochs": 9}}
    assert chosen_variants(Comparison(alone=("large",)), variants) == variants
    with pytest.raises(UserError, match="alone 'larg': expected some of those to be trained: small, large"):
        chosen_variants(Comparison(alone=("larg",)), variants)
    with pytest.raises(UserError, match="alone 'large': expected some of those to be trained: small"):
        chosen_variants(Comparison(only=("small",), alone=("large",)), variants)
    with pytest.raises(UserError, match="alone 'large': expected some of those to be trained: none"):
        chosen_variants(Comparison(variants=False, alone=("large",)), variants)


def test_a_variant_trains_its_heads_alone_where_it_has_such_a_stage(parts):
    experiment = Experiment(tasks=("age",), frozen_epochs=3, epochs=2)
    other = {"backbone": "small_cnn", "frozen_epochs": 0, "epochs": 5}
    found = usable(experiment, {"more dropout": {"dropout": 0.7}, "another network": other}, parts[0])
    assert [(settings.frozen_epochs, settings.epochs) for settings in found] == [(3, 0), (0, 5)]


def test_a_composition_of_unknown_sources_is_refused(parts):
    table = parts[0].assign(source="utkface")
    check_sampling(Experiment(tasks=("age",), composition="utkface=4"), table)
    for composition in ("utkface=4,genki4k=2", "utkface=0", "genki4k=4"):
        with pytest.raises(UserError, match="composition: no source 'genki4k'; the table has utkface|not all 0"):
            check_sampling(Experiment(tasks=("age",), composition=composition), table)


def test_a_variant_that_balances_another_set_is_left_out(parts, capsys):
    table = parts[0].assign(source="utkface")
    variants = {"smiles often": {"balance": "genki4k=10"}, "ages often": {"balance": "utkface=2"}}
    found = usable(Experiment(tasks=("age",), frozen_epochs=0), variants, table)
    assert [settings.variant for settings in found] == ["ages often"]
    assert "left out: smiles often, since balance: no source 'genki4k'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tasks", "how", "message"),
    [
        (("gender",), {"fold_source": "genki"}, "no source 'genki'; the table has utkface"),
        (("gender",), {"folds": 9}, "9 folds: expected 2 to 3"),
        (("gender", "age"), {}, "task 'age' has none: choose tasks of classes"),
        (("gender", "smile"), {}, "no image of utkface has a label of smile; .* --tasks gender"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(monkeypatch, tmp_path, tasks, how, message):
    def never(*args):
        raise AssertionError("trained")

    monkeypatch.setattr("mtl_keras.studies.study.Study.run", never)
    labels = {"source": "utkface", "gender": ["male", "female", "male"], "age": [1.0, 2, 3], "group": range(3)}
    comparison = Comparison(cross_validation=CrossValidation(**{"folds": 2, **how}))
    with pytest.raises(UserError, match=message):
        compare(
            Experiment(tasks=tasks), comparison, (pd.DataFrame({"path": list("abc"), **labels}), None), tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_what_a_head_pose_lacks_is_told():
    table = pd.DataFrame({"path": ["a"], "source": "mine", "gender": ["male"], "head_pose.yaw": [3.0]})
    with pytest.raises(UserError, match=r"of head_pose \(without head_pose.pitch, head_pose.roll\); add"):
        check_labels(Experiment(tasks=("gender", "head_pose")), table)


def test_the_note_counts_the_images_of_the_tasks(parts):
    def first(*tasks):
        return notes_on(Experiment(tasks=tasks), parts)[0]

    taught = [replace(Experiment(), variant=name, teacher="first") for name in ("a", "b")]
    assert notes_on(Experiment(), parts, [*taught, Experiment(variant="c")])[-1].startswith("a, b: where training")
    assert first("age", "gender").startswith("5 training, 5 validation and 3 test images; ")
    assert "4 validation and 3 test images (5, 5 and 3 with those of other tasks); " in first("gender")


def test_the_note_says_where_copies_are(parts):
    def told(*images):
        numbered = zip(parts, ("train", "validation", "test"), images, strict=True)
        rows = tuple(part.assign(split=name, image=numbers[: len(part)]) for part, name, numbers in numbered)
        return notes_on(Experiment(tasks=("age",)), rows)[0].split("; ")[1]

    assert notes_on(Experiment(tasks=("age",)), parts)[0].endswith("copies of one photo were not looked for")
    assert told([0, 0, 1, 2, 3], [4, 5, 6, 7, 8], [9, 9, 10]) == "all copies of one photo are in one part"
    assert ", but for 2 photos that the sets" in told([0, 0, 1, 2, 3], [4, 5, 6, 7, 8], [0, 9, 8])
