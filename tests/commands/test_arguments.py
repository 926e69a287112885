"""The defaults that a command line is parsed over: those of the preset it names, for real or for drawn faces."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mtl_keras.commands.arguments import Arguments, default_train
from mtl_keras.errors import UserError
from mtl_keras.studies.presets import PRESETS
from mtl_keras.studies.presets.plain import PLAIN


@pytest.mark.parametrize(
    ("words", "preset", "out"),
    [
        (["--preset", "facenet_utk"], PRESETS["facenet_utk"].drawn, "runs/facenet_utk_rendered"),
        (["--preset=facenet_utk", "--data=x"], PRESETS["facenet_utk"].real, "runs/facenet_utk"),
        (
            ["--preset", "facenet_utk", "--preset", "gender_eyeglasses"],
            PRESETS["gender_eyeglasses"].drawn,
            "runs/gender_eyeglasses_rendered",
        ),
        (["--data", "x"], PLAIN.real, "runs/train"),
        (["--preset", "None"], PLAIN.drawn, "runs/train_rendered"),
    ],
)
def test_a_preset_on_the_command_line_sets_the_defaults(monkeypatch, words, preset, out):
    monkeypatch.setattr(sys, "argv", ["mtl-keras", "train", *words])
    default = default_train()
    assert (default.experiment, default.comparison, str(default.out)) == (preset.experiment, preset.comparison, out)


def test_an_unknown_preset_is_one_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["mtl-keras", "train", "--preset", "facenet_utkface"])
    with pytest.raises(UserError, match="unknown preset 'facenet_utkface'.*did you mean facenet_utk"):
        default_train()


def test_who_writes_to_a_stand_in_for_the_results_folder_shows_tensorboard_nothing():
    arguments = Arguments(out=Path("out"), tensorboard=Path("logs"))
    assert arguments.into(Path("out")) == arguments
    assert arguments.into(Path("own")) == Arguments(out=Path("own"))


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (["--backbone", "facenet"], {}),
        (["--backbone", "facenet_small"], {}),
        # The same command line names it, and the weights.
        (["--backbone", "keras_applications/EfficientNetB0", "--weights", "imagenet"], {}),
        (
            ["--backbone=bknet"],
            {"backbone": "bknet", "weights": None, "border": 0, "frozen_epochs": 0, "trunk_rate": 1},
        ),
    ],
)
def test_another_trunk_that_begins_at_random_has_nothing_that_goes_with_weights(monkeypatch, words, changes):
    usual = PRESETS["customer_characteristics"].real.experiment
    monkeypatch.setattr(sys, "argv", ["mtl-keras", "train", "--preset", "customer_characteristics", "--data=x", *words])
    assert default_train().experiment == replace(usual, **changes)
