"""What a training step costs under each weighting, beside equal weights: time and peak memory."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mtl_keras.choices import name_of
from mtl_keras.errors import UserError
from mtl_keras.files import write_rows
from mtl_keras.state_files import read_csv
from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.timing import check_memory, costs_beside, in_fresh_process

COLUMNS = ("library", "weighting", "gradients_at", "needs", "ms", "ratio", "peak_mb")
FILE = "step_costs.csv"


class Step(NamedTuple):
    """The network and the batch of a step, all labels given; images have the backbone's usual side by default."""

    backbone: str = "facenet"
    batch_size: int = 32
    tasks: tuple[str, ...] = ("age", "gender", "ethnicity")
    sharing: str = "hard"
    image_size: int | None = None


def step_costs(
    step: Step, weightings: list[str], repeats: int = 5, told: Callable[[dict], None] = lambda row: None
) -> list[dict]:
    """Return a row for each weighting and each place where its gradients can be taken, with the COLUMNS as keys.

    Each has a fresh process, in which steps of it and of equal weights take turns: `ms` is the median of its `repeats`
    steps, and `ratio` that of their times divided by those of equal weights. `peak_mb` is how far the process' memory
    rises in its first two steps, in MiB above that with the model built. `told` is called with every row when it is
    there. A row of "equal" shows by its ratio how exact all of them are.
    """
    check_memory()
    if repeats < 1 or step.batch_size < 1:
        raise UserError(f"repeats {repeats}, batch size {step.batch_size}: expected at least 1 of each")
    rows = []
    # All are looked up first: a name that is wrong should not be found after an hour.
    for weighting, needs, places in [(each, *needs_and_places(each, step.tasks)) for each in weightings]:
        for place in places:
            known = {"library": "mtl_keras", "weighting": weighting, "gradients_at": place, "needs": needs}
            try:
                found = in_fresh_process(measured, step, weighting, place, repeats)
            except UserError as error:
                print(f"left out: {weighting} at {place or 'parameters'}, since {error}")
                continue
            rows.append({**known, **found})
            told(rows[-1])
    return rows


def needs_and_places(weighting: str, tasks: tuple[str, ...]) -> tuple[str, list[str]]:
    """Return what a weighting needs, and where its gradients can be taken; [""] where it needs none."""
    # Here, since it brings TensorFlow along, which takes seconds.
    from mtl_keras.training.weightings import WEIGHTINGS, find

    needs = find(weighting, list(tasks), lambda: 1).needs
    if needs == "losses":
        return needs, [""]
    # One that keeps a state of the shared parameters has no use of features.
    only = "size" in inspect.signature(WEIGHTINGS[name_of(weighting)]).parameters
    return needs, ["parameters"] if only else ["features", "parameters"]


def measured(step: Step, weighting: str, place: str, repeats: int) -> dict:
    """Return the `ms`, `ratio` and `peak_mb` of a weighting's step, measured in this process."""
    return costs_beside(
        lambda: training_step(step, weighting, place or "parameters"),
        lambda: training_step(step, "equal", "parameters"),
        repeats,
    )


def training_step(step: Step, weighting: str, place: str) -> Callable[[], object]:
    """Return what trains a new network of random weights on the same made-up batch whenever it is called."""
    import keras

    from mtl_keras.kinds import kind_of
    from mtl_keras.training.model import MultiTaskModel

    keras.utils.set_random_seed(0)
    model = MultiTaskModel(list(step.tasks), step.backbone, step.sharing, step.image_size)
    model.compile("adam", weighting=weighting, gradients_at=place)
    model.optimizer.build(model.trainable_variables)
    random, shape = np.random.default_rng(0), (step.batch_size, *model.inputs[0].shape[1:])
    images = random.integers(0, 256, shape).astype(model.inputs[0].dtype)
    labels = {}
    for task in model.tasks:
        made = random.integers(0, task.size, (step.batch_size, task.size) if task.outputs else step.batch_size)
        labels[task.name] = made.astype("int32" if kind_of(task).names else "float32")
    return lambda: model.train_on_batch(images, labels)


def write_costs(rows: list[dict], folder: Path) -> None:
    """Write rows to `step_costs.csv` in a folder, beside those of other libraries that stand there already."""
    path, library = folder / FILE, rows[0]["library"]
    kept = [] if not path.exists() else read_csv(path, COLUMNS[:4], as_text=True).to_dict("records")
    write_rows([row for row in kept if row["library"] != library] + rows, list(COLUMNS), path)


def cost_lines(folder: Path) -> list[str]:
    """Return the lines of a Markdown table of `step_costs.csv` in this folder; none where there is no such file."""
    if not (folder / FILE).exists():
        return []
    table = read_csv(folder / FILE, COLUMNS[:4], COLUMNS[4:])
    rows = [
        (*names, f"{ms:.0f}", f"{ratio:.2f}", f"{peak:.0f}")
        for *names, ms, ratio, peak in table[list(COLUMNS)].fillna("").values
    ]
    heads = ("library", "weighting", "gradients at", "needs", "ms a step", "of equal weights", "peak memory (MiB)")
    return table_lines(heads, rows, text=(0, 1, 2, 3))
