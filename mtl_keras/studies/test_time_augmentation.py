"""Test-time augmentation: answers that are means over several views of each image, kept as runs of their own.

They outlive the model.
"""

from dataclasses import replace

from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.evaluation.predictions import predictions_over
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
    several = _settings(experiment)
    found = {views: study.find_run(settings) for views, settings in several.items()}
    new = [views for views, known in found.items() if not known or study.is_new(best)]
    if new:
        model = model_folder.load(best.model)
        for views, answers in predictions_over(model, study.parts[2], new).items():
            row = {
                **described(best, label_of(several[views], last_stage(several[views]))),
                **metrics_with_intervals(answers, model.tasks),
            }
            folder = study.start_run(several[views])
            found[views] = runs.write_run(folder, row, labelled_rows(answers, model.tasks))
    return list(found.values())


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
