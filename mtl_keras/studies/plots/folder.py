"""All figures of a results folder, drawn from what its runs left on disk."""

from pathlib import Path

import keras

from mtl_keras.colors import COLORS
from mtl_keras.data.derive import derived
from mtl_keras.data.images import read_image
from mtl_keras.data.pipeline import InputSpec, batches
from mtl_keras.data.table import write_table
from mtl_keras.datasets.rendered import rendered
from mtl_keras.evaluation.groups import by_group
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.kinds import kind_of
from mtl_keras.models.sharing.relationship import task_covariance
from mtl_keras.portraits import LAYOUTS
from mtl_keras.portraits.writer import write_faces
from mtl_keras.studies import plots, results
from mtl_keras.studies.plots.style import FEW
from mtl_keras.studies.runs import Run
from mtl_keras.studies.settings import Experiment
from mtl_keras.training import model_folder

GRID, FACES = 12, "faces.png"
# How the faces of the grid are drawn: as the network's own are cut.
LAYOUT_OF = {"utkface": "utkface", "celeba": "celeba_crops"}


def draw(runs: dict[str, Run], best: Run, experiment: Experiment, out: Path) -> None:
    """Draw the figures of a results folder; faces are only ever drawn from rendered ones.

    Those that need the run's model stay as they are where it is not there any more.
    """
    tasks = experiment.chosen_tasks()
    # Only runs of all tasks: a loss of fewer tasks is another quantity, and a dozen curves are too many to tell apart.
    whole = {name: run.history for name, run in runs.items() if run.row["tasks"] == best.row["tasks"]}
    plots.learning_curves(dict(list(whole.items())[: len(COLORS)]), out / "learning_curves.png")
    plots.compare_runs(results.read_runs(out), out / "runs.png")
    if "age" in experiment.tasks:
        plots.age_scatter(best.predictions, out / "age.png")
    classified = [task for task in tasks if kind_of(task).names]
    if classified:
        plots.confusion_matrices(best.predictions, classified, out / "confusion.png")
    write_table(by_group(best.predictions, tasks), out / "fairness.csv")
    plots.fairness(by_group(best.predictions, tasks, at_least=FEW), out / "fairness.png")
    if not best.model:
        return
    # Other faces than any that a default run trains on: another seed.
    layout = LAYOUTS[LAYOUT_OF[experiment.crop]]
    folder = out / "data" / f"rendered-{layout.name}-{GRID}-seed-1000"
    faces = derived(rendered(write_faces(folder, layout, GRID, seed=1000)), tasks)
    model = model_folder.load(best.model)
    answers = predictions(model, faces)
    captions, heads = plots.face_captions(answers, tasks), plots.head_axes(answers, tasks)
    note = plots.note_on(captions, tasks)
    plots.face_grid([read_image(path) for path in faces["path"]], captions, out / FACES, note, heads)
    images, _, _ = next(iter(batches(faces, InputSpec([], model.image_size, model.resize_method), GRID)))
    if found := model.first_maps(images):
        seen, maps = map(keras.ops.convert_to_numpy, found)
        plots.feature_maps(seen, maps, out / "feature_maps.png")
    if related := task_covariance(model):
        plots.task_correlations(*related, out / "task_correlations.png")


def all_drawn(out: Path) -> bool:
    """Return whether the figures are there for which a model is needed."""
    return (out / FACES).exists()
