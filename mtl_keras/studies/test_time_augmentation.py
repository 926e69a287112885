"""Test-time augmentation: answers that are means over several views of each image, kept as runs of their own.

They outlive the model.
"""

from dataclasses import replace

from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.studies import results, runs
from mtl_keras.studies.rows import labelled_rows
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment, label_of, last_stage
from mtl_keras.studies.study import Study
from mtl_keras.training import model_folder

# {views: what they are called in tables}.
NAMES = {"mirror": "with mirror image", "six": "six views"}


def augment_tests(study: Study, experiment: Experiment, best: Run) -> list[Run]:
    """Return the runs of a trained network's answers over each kind of views; its model is asked for what is new."""
    found, model = [], None
    for views, settings in _settings(experiment).items():
        known = study.find_run(settings)
        if not known or study.is_new(best):
            model = model or model_folder.load(best.model)
            answers = predictions(model, study.parts[2], views=views)
            row = {
                **described(best, label_of(settings, last_stage(settings))),
                **metrics_with_intervals(answers, model.tasks),
            }
            known = runs.write_run(study.start_run(settings), row, labelled_rows(answers, model.tasks))
        found.append(known)
    return found


def all_augmented(study: Study, experiment: Experiment) -> bool:
    """Return whether all kinds of views were measured before, with the same settings and data."""
    return all(study.find_run(settings) for settings in _settings(experiment).values())


def described(run: Run, name: str) -> dict:
    """Return what a row of another measurement of a run's model says of it, without figures and training times."""
    untimed = {"run": name, "seconds": None, "images_per_second": None}
    return {column: run.row.get(column) for column in results.RUN_COLUMNS} | untimed


def _settings(experiment: Experiment) -> dict[str, Experiment]:
    """Return {views: the settings of the run that has them}."""
    joined = {views: ", ".join(filter(None, [experiment.variant, name])) for views, name in NAMES.items()}
    return {views: replace(experiment, variant=variant) for views, variant in joined.items()}
