"""Whether the probabilities of classes are true: of answers with a probability of 0.8, four of five should be right."""

from collections.abc import Mapping

import keras
import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from mtl_keras.data.table import encode
from mtl_keras.errors import UserError
from mtl_keras.evaluation.predictions import outputs_of
from mtl_keras.kinds import kind_of
from mtl_keras.kinds.categorical import SMALLEST_PROBABILITY
from mtl_keras.tasks import Task
from mtl_keras.training.model import MultiTaskModel

# Of equal width, as in the articles.
BINS = 15
# Between these a temperature is looked for.
LOWEST, HIGHEST = 0.05, 20.0


def reliability(task: Task, labels: np.ndarray, outputs: np.ndarray) -> pd.DataFrame:
    """Return a row a bin of probability: answers in it `n`, their mean `confidence`, their `accuracy`.

    Labels are class indices (N,), outputs probabilities (N, K). Bins without answers are left out; the index is the
    bin's number, of 15.
    """
    answers = keras.ops.convert_to_numpy(kind_of(task).answers(outputs)).astype(int)
    confidence = np.take_along_axis(np.asarray(outputs, np.float64), answers[:, None], axis=-1)[:, 0]
    bins = np.minimum((BINS * confidence).astype(int), BINS - 1)
    rows = pd.DataFrame({"bin": bins, "confidence": confidence, "accuracy": answers == labels}).groupby("bin")
    return rows.agg(n=("confidence", "size"), confidence=("confidence", "mean"), accuracy=("accuracy", "mean"))


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Return the mean distance of confidence and accuracy over the answers in the bins of `reliability`.

    Source: Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, 2015.
    """
    return float(np.average((bins["confidence"] - bins["accuracy"]).abs(), weights=bins["n"]))


def negative_log_likelihood(labels: np.ndarray, outputs: np.ndarray) -> float:
    """Return the mean of minus the logarithm of the labelled class' probability: labels (N,), outputs (N, K)."""
    given = np.take_along_axis(np.asarray(outputs, np.float64), labels[:, None], axis=-1)
    return float(-np.log(np.maximum(given, SMALLEST_PROBABILITY)).mean())


def fit_temperature(task: Task, labels: np.ndarray, outputs: np.ndarray) -> float:
    """Return the temperature at which labels (N,) are most likely, the scores behind outputs (N, K) divided by it.

    Where all answers are right, or there are none, it is 1: to be ever surer would be best.
    Source: Guo et al., On calibration of modern neural networks, 2017.
    """
    kind = kind_of(task)
    if (keras.ops.convert_to_numpy(kind.answers(outputs)) == labels).all():
        return 1.0

    def loss(logarithm):
        return negative_log_likelihood(labels, kind.tempered(outputs, np.exp(logarithm)))

    return float(np.exp(minimize_scalar(loss, bounds=np.log([LOWEST, HIGHEST]), method="bounded").x))


def temperatures_of(tasks: list[Task], table: pd.DataFrame, outputs: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the temperature of each task of classes, fitted on the labelled rows of a table and {task: (N, K)}."""
    found = {}
    for task in tasks:
        if kind_of(task).names:
            labels, mask = encode(table, task)
            found[task.name] = fit_temperature(task, labels[mask > 0], outputs[task.name][mask > 0])
            if not 1.01 * LOWEST < found[task.name] < HIGHEST / 1.01:
                print(
                    f"{task.name}: no temperature from {LOWEST:g} to {HIGHEST:g} makes its probabilities true; "
                    f"{found[task.name]:.3g} comes nearest, and they say little of how sure an answer is",
                    flush=True,
                )
    return found


def divide_scores(model: MultiTaskModel, temperatures: Mapping[str, float]) -> None:
    """Divide the scores of these tasks {name: temperature} in the model's weights, so that every format has it."""
    for task in model.tasks:
        if task.name in temperatures:
            kind_of(task).divide_scores(model, temperatures[task.name])


def calibrate(model: MultiTaskModel, validation: pd.DataFrame) -> dict[str, float]:
    """Make the probabilities of a model's classes true, and return the temperature of each task of classes.

    It is fitted on rows that the model was not trained on, and the last weights of the task's head are divided by it:
    no answer changes its class. Other tasks stay as they are.
    """
    asked = [task for task in model.tasks if kind_of(task).names]
    if asked and not any((encode(validation, task)[1] > 0).any() for task in asked):
        names = ", ".join(task.name for task in asked)
        raise UserError(f"no row has a label of {names}; expected some to calibrate the model on")
    temperatures = temperatures_of(model.tasks, validation, outputs_of(model, validation))
    divide_scores(model, temperatures)
    return temperatures
