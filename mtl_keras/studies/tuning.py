"""The baseline that a method has to beat: fixed weights of the losses and regularization, tuned on validation alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mtl_keras.kinds import kind_of
from mtl_keras.studies.diverged import DivergedRun
from mtl_keras.studies.method_scores import improvement
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment

# What a task's loss is multiplied by, one task at a time.
FACTORS = (3.0, 1 / 3)
REGULARIZATION = ({"dropout": 0.3}, {"dropout": 0.5}, {"weight_decay": 0.2}, {"l2": 1e-4})


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, what of the usual ones they change, and what they are worth on validation images.

    `worth` is the improvement on the usual settings in percent, as that on single tasks is measured.
    """

    name: str
    settings: Experiment
    worth: float


def tune(train: Callable[[Experiment], Run], usual: Experiment) -> tuple[Trial, list[Trial]]:
    """Return the best trial, and all: first of the weights of the losses, then of regularization with the best of them.

    `train` gives the run of settings. A trial that diverges is worth nothing. No figure of a test image counts.
    """
    start = validation_scores(train(usual), usual)
    lower = [kind_of(task).SCORE.lower_is_better for task in usual.chosen_tasks()]
    best = Trial("as given", usual, 0.0)
    trials = [best]
    for several in (_weights(usual), REGULARIZATION):
        kept = best
        for changes in several:
            if replace(kept.settings, **changes) == kept.settings:
                continue
            name = ", ".join([*([kept.name] if kept.settings != usual else []), _named(changes, usual)])
            settings = replace(kept.settings, **changes, variant=f"tuning {name}")
            try:
                worth = float(improvement(validation_scores(train(settings), settings), start, lower))
            except DivergedRun as error:
                print(error)
                worth = -np.inf
            trials.append(Trial(name, settings, worth))
            best = max(best, trials[-1], key=lambda trial: trial.worth)
    return best, trials


def validation_scores(run: Run, settings: Experiment) -> np.ndarray:
    """Return each task's figure (T,) on the validation images, of the epoch whose weights were kept."""
    epoch = run.history.loc[run.history["val_loss"].idxmin()]
    names = [f"val_{task.name}_{kind_of(task).SCORE.name}" for task in settings.chosen_tasks()]
    return epoch.reindex(names).to_numpy(float)


def _weights(usual: Experiment) -> list[dict]:
    """Return the changes of the losses' weights that are tried: one task more, or less, than the others."""
    tasks = range(len(usual.tasks))
    return [
        {"loss_weights": tuple(round(factor, 3) if task == other else 1.0 for other in tasks)}
        for task in tasks
        for factor in FACTORS
    ]


def _named(changes: dict, usual: Experiment) -> str:
    """Return the changes in words, such as `gender x 3` or `dropout 0.3`."""
    if weights := changes.get("loss_weights"):
        return ", ".join(f"{task} x {w:g}" for task, w in zip(usual.tasks, weights, strict=True) if w != 1)
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in changes.items())
