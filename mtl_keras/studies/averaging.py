"""The mean of a network's weights before and after fine-tuning, as a run of its own."""

import time
from dataclasses import replace

from mtl_keras.evaluation.predictions import outputs_of
from mtl_keras.models.weights import set_weights
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.study import Study
from mtl_keras.studies.temperatures import calibrated, load_uncalibrated

# The share of the weights after fine-tuning: 0.75 was best of 0.5, 0.75 and 1 on the validation split.
TUNED_SHARE = 0.75
AVERAGED = "averaged weights"


def first_network(experiment: Experiment) -> Experiment:
    """Return the settings of the network of all tasks whose answers are drawn, after two stages the averaged one."""
    return replace(experiment, variant=AVERAGED) if experiment.frozen_epochs and experiment.epochs else experiment


def average_weights(study: Study, experiment: Experiment, multi: list[Run], needs_model: bool) -> Run:
    """Measure the mean of the weights before and after fine-tuning, and keep it as a model of its own.

    `multi` are the experiment's runs of both stages.
    Source: Wortsman et al., Robust fine-tuning of zero-shot models, 2022, https://arxiv.org/abs/2109.01903.
    """
    settings = replace(experiment, variant=AVERAGED)
    known = study.find_run(settings, needs_model)
    if known and not study.is_new(*multi):
        return known
    folder, started = study.start_run(settings), time.time()
    before, after = (load_uncalibrated(run.model, run.folder) for run in multi)
    pairs = zip(before.get_weights(), after.get_weights(), strict=True)
    set_weights(after, [(1 - TUNED_SHARE) * old + TUNED_SHARE * new for old, new in pairs])
    after = calibrated(settings, after, study.parts[1], folder)
    return study.save_and_measure(settings, after, outputs_of(after, study.parts[2]), folder, started)
