"""The tuned baseline: chosen on validation figures alone, one step after the other."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mtl_keras.studies.diverged import DivergedRun
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.tuning import REGULARIZATION, tune, validation_scores
from mtl_keras.training.divergence import Diverged

USUAL = Experiment(tasks=("age", "gender"), frozen_epochs=0, dropout=0.1, weight_decay=0.05)


def run(mae: float, accuracy: float, epochs: int = 1) -> SimpleNamespace:
    """A run whose last epoch was its best."""
    history = pd.DataFrame({"epoch": range(epochs), "val_loss": np.arange(epochs, 0, -1.0)})
    history["val_age_mae"], history["val_gender_accuracy"] = 50.0, 0.1
    history.loc[epochs - 1, ["val_age_mae", "val_gender_accuracy"]] = mae, accuracy
    # A test figure that would decide otherwise.
    return SimpleNamespace(history=history, row={"age.mae": 100 - mae, "gender.accuracy": 1 - accuracy})


def test_validation_figures_are_those_of_the_epoch_that_was_kept():
    assert validation_scores(run(5.0, 0.8, epochs=3), USUAL).tolist() == [5.0, 0.8]
    worse_at_the_end = run(5.0, 0.8, epochs=3)
    worse_at_the_end.history.loc[0, "val_loss"] = 0.5
    assert validation_scores(worse_at_the_end, USUAL).tolist() == [50.0, 0.1]


def test_first_weights_are_chosen_then_regularization_with_the_best_of_them():
    asked = []

    def train(settings):
        asked.append(settings)
        better = (settings.loss_weights == (1.0, 3.0)) + 2 * (settings.l2 > 0)
        return run(5.0 - better, 0.8)

    best, trials = tune(train, USUAL)
    assert [settings.loss_weights for settings in asked[1:5]] == [(3.0, 1.0), (0.333, 1.0), (1.0, 3.0), (1.0, 0.333)]
    assert all(settings.loss_weights == (1.0, 3.0) for settings in asked[5:]) and len(asked) == 5 + len(REGULARIZATION)
    assert (
        best.name == "gender x 3, l2 0.0001" and best.settings.l2 == 1e-4 and best.settings.loss_weights == (1.0, 3.0)
    )
    # Age: 5 years to 2, which is 60 % of one of two tasks.
    assert best.worth == pytest.approx(30) and best in trials and len(trials) == len(asked)
    assert len({settings.variant for settings in asked}) == len(asked), "each has a folder of its own"


def test_where_nothing_is_better_the_settings_stay_as_they_were():
    best, trials = tune(lambda settings: run(5.0, 0.8), USUAL)
    assert best.settings is USUAL and best.name == "as given" and trials[0] is best


def test_a_trial_that_diverges_is_worth_nothing_and_settings_that_change_nothing_are_not_tried(capsys):
    def train(settings):
        if settings.loss_weights == (3.0, 1.0):
            raise DivergedRun(settings, Diverged("the loss became NaN"))
        return run(5.0, 0.8)

    _, trials = tune(train, Experiment(tasks=("age", "gender"), frozen_epochs=0, dropout=0.5))
    assert "the loss became NaN" in capsys.readouterr().out
    assert [trial.name for trial in trials if trial.worth == -np.inf] == ["age x 3"]
    assert len(trials) == 5 + len(REGULARIZATION) - 1
