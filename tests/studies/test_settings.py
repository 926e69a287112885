"""What an experiment refuses, and how its runs are called."""

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import keras
import pandas as pd
import pytest

import mtl_keras
from mtl_keras.errors import UserError
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.studies.settings import (
    Data,
    Experiment,
    Network,
    Training,
    Weighting,
    check,
    label_of,
    last_stage,
    name_of,
    whole_stage,
    with_tasks,
)
from mtl_keras.studies.stages import Stage
from mtl_keras.studies.study import Study
from mtl_keras.tasks import Task


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
        ({"seed": -1}, "seed is -1; expected at least 0"),
        ({"batch_size": 8.5}, "batch_size is 8.5; expected a whole number"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; expected a number above 0"),
        ({"epochs": 0, "frozen_epochs": 0}, "nothing to train"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"border": -1}, "border is -1"),
        ({"age_error_weight": -0.1}, "age_error_weight is -0.1"),
        ({"ema": 1.0}, "ema is 1.0; expected a number below 1"),
        ({"gray": 1.5}, "gray is 1.5; expected a share of the images, from 0 to 1"),
        ({"gray": -0.5}, "gray is -0.5; expected at least 0"),
        ({"gray": 0.5, "augment": False}, "gray 0.5: no image is changed without augment; leave it, or add --augment"),
        ({"balance": "nonsense"}, "balance 'nonsense': expected SOURCE=TIMES, sources"),
        ({"dropout": 1.0}, "dropout is 1.0; expected a number below 1"),
        ({"balance": "temperature=hot"}, "expected temperature=T"),
        ({"l2": -1e-4}, "l2 is -0.0001"),
        ({"balance": "genki4k=ten"}, "is not SOURCE=TIMES"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; expected a number above 0"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"composition": "genki4k=1.5"}, "composition .* is not SOURCE=ROWS"),
        ({"schedule": "linear"}, "schedule 'linear': expected one of cosine, constant, harmonic"),
        ({"crop": "fairface"}, "crop 'fairface': expected one of utkface, celeba"),
        ({"weighting": "best"}, "unknown weighting 'best'; expected one of equal"),
        ({"sharing": "none"}, "unknown way of sharing 'none'; expected one of hard"),
        ({"backbone": "keras_applications/ResNet5"}, "did you mean keras_applications/ResNet50"),
        ({"backbone": "bknet", "image_size": 8}, "image size 8 is too small"),
        ({"backbone": "bknet", "border": 24}, "border 24"),
        ({"backbone": "bknet", "sharing": "cross_stitch"}, "no stage with a frozen trunk: set frozen_epochs to 0"),
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
    assert Experiment().chosen_weighting(("age",)) == "equal"
    weights = Experiment(loss_weights=(2, 0.5)).chosen_weighting(("gender", "age"))
    assert weights == {"gender": 2, "age": 0.5}


def test_names_of_runs_differ_where_runs_differ():
    alone = Experiment(tasks=("age",))
    assert name_of(alone, "frozen") == "facenet-age-frozen"
    assert label_of(alone, "frozen") == "facenet, age alone, frozen"
    assert label_of(Experiment(), "fine-tuned") == "facenet, fine-tuned"
    variant = Experiment(tasks=("age", "gender"), variant="no border")
    assert name_of(variant, "frozen") == "facenet-age-gender-frozen-no-border"
    assert label_of(variant, "frozen") == "facenet, frozen, no border"


def test_a_fresh_network_is_trained_and_a_known_one_fine_tuned():
    assert whole_stage(Experiment()) == "fine-tuned"
    assert whole_stage(Experiment(frozen_epochs=0)) == "trained"
    assert whole_stage(Experiment(frozen_epochs=0, weights="20180408-102900")) == "fine-tuned"
    assert last_stage(Experiment(epochs=0)) == "frozen" and last_stage(Experiment(frozen_epochs=0)) == "trained"


def test_lists_serve_as_well_and_an_unknown_setting_is_an_error():
    lists = Experiment(tasks=["age", "gender"], loss_weights=[1.0, 2.0])
    assert lists == Experiment(tasks=("age", "gender"), loss_weights=(1.0, 2.0)) and hash(lists)
    with pytest.raises(TypeError, match="learning_rates"):
        Experiment(learning_rates=0.1)
    with pytest.raises(TypeError, match="learning_rates"):
        replace(Experiment(), learning_rates=0.1)


def test_every_setting_belongs_to_one_documented_part():
    parts = (Network, Training, Weighting, Data)
    own = [field.name for part in parts for field in fields(part)]
    assert sorted([*own, "variant"]) == sorted(field.name for field in fields(Experiment)) and len(own) == len({*own})
    assert all(part.__doc__ for part in parts)


def test_some_tasks_of_an_experiment_keep_their_weights():
    several = Experiment(tasks=("age", "gender", "smile"), loss_weights=(1.0, 2.0, 3.0))
    assert with_tasks(several, ("smile", "age")) == replace(several, tasks=("smile", "age"), loss_weights=(3.0, 1.0))
    assert with_tasks(several, ("age",)) == replace(several, tasks=("age",), loss_weights=())
    assert with_tasks(Experiment(), ("age", "gender")).loss_weights == ()


def test_settings_bring_no_tensorflow_along():
    # The package itself may: here only what this module asks for is imported.
    code = f"""
import sys, types
package = types.ModuleType("mtl_keras")
package.__path__ = [{str(Path(mtl_keras.__file__).parent)!r}]
sys.modules["mtl_keras"] = package
import mtl_keras.studies.settings
sys.exit(" ".join({{"tensorflow", "keras"}} & {{*sys.modules}}) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("tasks", "says"),
    [("age", "expected several, in a list or tuple, such as"), ([mtl_keras.AGE_ARGMAX], "set `age` to another form")],
)
def test_tasks_that_are_meant_otherwise_are_refused(tasks, says):
    with pytest.raises(UserError, match=says):
        Experiment(tasks=tasks)


def test_a_name_of_many_tasks_or_of_keras_applications_is_that_of_a_folder(no_new_tasks):
    several = [Task(f"symbol_{number}", "categorical", classes=("0", "1")) for number in range(30)]
    many = Experiment(tasks=several, backbone="keras_applications/MobileNetV3Small")
    assert name_of(many, Stage.TRAINED) == "keras_applications-MobileNetV3Small-30-tasks-trained"
    ten = replace(many, tasks=many.tasks[:10], backbone="bknet")
    assert name_of(ten, Stage.TRAINED) == f"bknet-{'-'.join(many.tasks[:10])}-trained"


def test_a_keras_model_is_a_backbone_under_its_own_name(monkeypatch):
    def own(width):
        inputs = keras.Input((8, 8, 3))
        return keras.Model(inputs, keras.layers.Conv2D(width, 3)(inputs), name="own")

    monkeypatch.setitem(BACKBONES, "own", None)  # so that it is removed afterwards
    del BACKBONES["own"]
    trunk = own(2)
    experiment = Experiment(tasks=("age",), backbone=trunk, frozen_epochs=0)
    assert experiment.backbone == "own" and replace(experiment, backbone=trunk) == experiment
    check(experiment)
    study = Study((pd.DataFrame(),) * 3, "nowhere")
    first = study.weights_of(experiment)
    # As a cell of a notebook that is run again.
    Experiment(backbone=own(2))
    # The same layers with other random weights are another trunk.
    assert len(first) == 64 and Study((pd.DataFrame(),) * 3, "nowhere").weights_of(experiment) != first
    with pytest.raises(UserError, match="one of the library is called so"):
        Experiment(backbone=keras.Model(trunk.inputs, trunk.outputs, name="bknet"))
    with pytest.raises(UserError, match="backbone 3: expected a name"):
        Experiment(backbone=3)
