"""The command `mtl-keras evaluate`."""

import sys
from contextlib import redirect_stdout
from pathlib import Path

import pandas as pd

from mtl_keras.boxes import has_boxes, refuse_boxes
from mtl_keras.commands.asked_model import model_or_bundled
from mtl_keras.commands.data import check_name, faces_cut_out, read, refuse_failed, tell_skipped
from mtl_keras.commands.options import Evaluate
from mtl_keras.commands.text import by_box_alone, check_json, figures_as_text, scores_as_text, write_json
from mtl_keras.data.audit import check_images
from mtl_keras.data.derive import derived
from mtl_keras.data.table import complete, encode_intervals
from mtl_keras.datasets import PHOTOS
from mtl_keras.errors import UserError
from mtl_keras.evaluation.groups import by_group, known_keys
from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.faces.cut import settings_for
from mtl_keras.faces.detectors import find_detector
from mtl_keras.faces.geometry import CropGeometry
from mtl_keras.files import check_writable
from mtl_keras.serving.exported import read_exported
from mtl_keras.serving.runtime import ALL, Runtime, open_runtime
from mtl_keras.tasks import TASKS, Task
from mtl_keras.training import model_folder
from mtl_keras.training.model import MultiTaskModel


def evaluate(options: Evaluate) -> None:
    """Measure a model on a data set, write the JSON file and print a table."""
    check_name(options.dataset)
    detector = find_detector(options.detector)
    check_json(options.json)
    if options.crops:
        check_writable(options.crops, folder=True)
    model, crop = opened(model_or_bundled(options.model))
    table = derived(complete(read(options.dataset, options.data, options.strict, options.task_file)), model.tasks)
    photos = options.dataset in PHOTOS or has_boxes(table)
    detect = options.faces == "detect" or (options.faces == "auto" and photos)
    if options.crops and not detect:
        whole = f"--crops {options.crops}: the images of {options.dataset} are taken as crops of one face each"
        raise UserError(f"{whole}, so none are cut out; leave out --crops, or add --faces detect for photos")
    # Now already, since to look for faces takes long.
    labelled_tasks(table, model.tasks, f"{options.data}:")
    if not detect:
        refuse_boxes(table)
        measure(options, model, table, check_images(table))
        return
    settings = settings_for(crop)
    if not settings.keep_roll:
        # Of a head that is turned upright such a label is no longer true.
        oriented = [column for task in TASKS.values() if task.oriented for column in task.columns]
        table = table.drop(columns=oriented, errors="ignore")
    with faces_cut_out(table, options.crops, settings, detector) as crops:
        found = f"{len(crops)} faces cut out of {table['path'].nunique()} photos; photos without one are skipped"
        found += by_box_alone(crops)
        print(f"{options.dataset}: {found}", file=sys.stderr)
        measure(options, model, table, check_images(crops))


def opened(folder: Path) -> tuple[MultiTaskModel | Runtime, CropGeometry]:
    """Return what answers all tasks of a model, trained or exported, and how faces are cut out for it."""
    if read_exported(folder):
        runtime = open_runtime(folder, (ALL,))
        return runtime, runtime.crop
    return model_folder.load(folder), model_folder.read_sidecar(folder)["crop"]


def measure(options: Evaluate, model: MultiTaskModel | Runtime, images: pd.DataFrame, table: pd.DataFrame) -> None:
    """Measure a model on the face crops that are left of a table of images, write the JSON file, print the figures."""
    tasks = labelled_tasks(table, model.tasks, f"{options.data}: what can be used of it")
    # Keras draws its progress bar where the figures are to stand alone.
    with redirect_stdout(sys.stderr):
        answers = predictions(model, table, views=options.views)
    found, skipped = metrics_with_intervals(answers, tasks), table.attrs.get("skipped", [])
    groups = {" x ".join(keys): by_group(answers, tasks, keys) for keys in grouped_by(answers)}
    tell_skipped(table)
    if learned := int((table["split"] == "train").sum()):
        note = f"{learned} of {len(table)} images are the set's own training images"
        print(f"{options.dataset}: {note}; figures flatter a network that has seen them", file=sys.stderr)
    try:
        if options.json:
            about = {"dataset": options.dataset, "images": len(table), "skipped": len(skipped)}
            by_name = {name: group.to_dict("records") for name, group in groups.items()}
            write_json({**about, "tasks": nested(found), "groups": by_name}, options.json)
    finally:
        print(f"{options.dataset}: {len(table)} images, {len(skipped)} skipped\n")
        print(figures_as_text(found))
        for name, group in groups.items():
            if " x " not in name:
                print(f"\n{scores_as_text(group, [name, 'n'])}")
    refuse_failed(images, table)


def labelled_tasks(table: pd.DataFrame, tasks: list[Task], where: str) -> list[Task]:
    """Return those of the tasks that a table has labels of; where there are none is an error that says `where`."""
    found = [task for task in tasks if encode_intervals(table, task)[1].any()]
    if not found:
        names = ", ".join(task.name for task in tasks)
        raise UserError(f"{where} labels none of the model's tasks ({names}); choose other data")
    return found


def grouped_by(answers: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the labels to group figures by: each that the table has, and all of them together."""
    keys = known_keys(answers)
    return [(key,) for key in keys] + ([tuple(keys)] if len(keys) > 1 else [])


def nested(found: dict[str, float]) -> dict[str, dict]:
    """Return what `mtl_keras.evaluation.metrics` gives by task: {"age": {"n", "mae", "ci95": {"mae": [low, high]}}}."""
    tasks: dict[str, dict] = {}
    for name, value in found.items():
        task, metric, *part = name.split(".")
        if part in ([], ["n"]):
            tasks.setdefault(task, {})["_".join([metric, *part])] = value
    for task, metrics in tasks.items():
        metrics["ci95"] = {
            metric: [found[f"{task}.{metric}.{bound}"] for bound in ("low", "high")]
            for metric in metrics
            if f"{task}.{metric}.low" in found
        }
    return tasks
