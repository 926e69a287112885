"""What an experiment refuses, and how its runs are called."""

from dataclasses import replace

import pytest

from mtl_keras.errors import UserError
from mtl_keras.studies.settings import Experiment, check, label_of, name_of, precision, whole_stage


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tasks": ("age", "height")}, "unknown task 'height'.*gender"),
        ({"tasks": ("age", "age")}, "only once"),
        ({"tasks": ()}, "at least one"),
        ({"backbone": "resnet"}, "unknown backbone 'resnet'.*facenet"),
        ({"age": "median"}, "median.*expectation"),
        ({"loss_weights": (1.0,)}, "one for each of the tasks"),
        ({"epochs": -1}, "epochs is -1"),
        ({"epochs": 0, "frozen_epochs": 0}, "nothing to train"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"border": -1}, "border is -1"),
        ({"age_error_weight": -0.1}, "age_error_weight is -0.1"),
        ({"ema": 1.0}, "below 1"),
        ({"l2": -1e-4}, "l2 is -0.0001"),
        ({"balance": "genki4k=ten"}, "is not SOURCE=TIMES"),
        ({"learning_rate": 0.0}, "learning_rate above 0"),
    ],
)
def test_impossible_settings_are_one_line(change, says):
    with pytest.raises(UserError, match=says) as caught:
        check(replace(Experiment(), **change))
    assert "\n" not in str(caught.value)


def test_default_settings_are_possible():
    check(Experiment())


def test_age_comes_in_the_form_that_was_asked_for():
    kinds = {
        age: Experiment(age=age, age_label_std=3.0).chosen_tasks()[0] for age in ("expectation", "argmax", "regression")
    }
    assert [task.kind for task in kinds.values()] == ["expectation", "expectation", "regression"]
    assert kinds["expectation"].label_std == 3.0 and kinds["argmax"].readout == "argmax"
    assert kinds["expectation"].error_weight > 0 and kinds["argmax"].error_weight == 0
    assert [task.name for task in Experiment(tasks=("gender", "age")).chosen_tasks()] == ["gender", "age"]


def test_loss_weights_take_the_place_of_the_weighting():
    assert Experiment().chosen_weighting() == "equal"
    weights = Experiment(tasks=("gender", "age"), loss_weights=(2, 0.5)).chosen_weighting()
    assert weights == {"gender": 2, "age": 0.5}


def test_names_of_runs_differ_where_runs_differ():
    alone = Experiment(tasks=("age",))
    assert name_of(alone, "frozen") == "facenet-age-frozen"
    assert label_of(alone, "frozen") == "facenet, age alone, frozen"
    assert label_of(Experiment(), "fine-tuned") == "facenet, fine-tuned"
    variant = Experiment(tasks=("age", "gender"), variant="no border")
    assert name_of(variant, "frozen") == "facenet-age-gender-frozen-no-border"
    assert label_of(variant, "frozen") == "facenet, frozen, no border"


def test_precision_is_taken_by_its_name():
    assert precision("float32") == "float32"
    assert precision("auto") in ("float32", "mixed_bfloat16")


def test_a_fresh_network_is_trained_and_a_known_one_fine_tuned():
    assert whole_stage(Experiment()) == "fine-tuned"
    assert whole_stage(Experiment(frozen_epochs=0)) == "trained"
    assert whole_stage(Experiment(frozen_epochs=0, weights="20180408-102900")) == "fine-tuned"
