"""The command `mtl-keras`."""

import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
import tyro
from tqdm import tqdm
from tyro.conf import FlagCreatePairsOff, Positional, arg

from mtl_keras.commands import data
from mtl_keras.data.audit import check_images
from mtl_keras.data.derive import derived
from mtl_keras.data.table import complete, encode
from mtl_keras.datasets import DATASETS, PHOTOS
from mtl_keras.errors import UserError, guarded, shown
from mtl_keras.evaluation.groups import GROUPS, by_group
from mtl_keras.evaluation.metrics import as_table, metrics_with_intervals
from mtl_keras.evaluation.predictions import VIEWS, predictions
from mtl_keras.faces.cut import settings_for
from mtl_keras.files import plain, replacing
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.sharing import SHARING
from mtl_keras.serving.drawing import describe, drawings, write_drawing
from mtl_keras.serving.predictor import MANY, Predictor, find_images
from mtl_keras.studies.results import MISSING, heading, metric_of
from mtl_keras.tasks import HEAD_POSE, TASKS, Task
from mtl_keras.training import model_folder
from mtl_keras.training.trainer import MultiTaskModel
from mtl_keras.training.weightings import WEIGHTINGS

NAMES = {
    "datasets": DATASETS,
    "tasks": TASKS,
    # A trunk without channels takes no images, and serves training inside the package only.
    "backbones": [name for name, backbone in BACKBONES.items() if backbone.channels],
    "sharing": SHARING,
    "weightings": WEIGHTINGS,
    "formats": model_folder.FORMATS,
}
File = Annotated[Path | None, arg(metavar="FILE")]
Folder = Annotated[Path | None, arg(metavar="DIR")]


@dataclass(frozen=True)
class List:
    """Print the names of what there is to choose from, one a line.

    Example: mtl-keras list tasks
    """

    # What to list.
    what: Positional[Literal[tuple(NAMES)]]

    def run(self) -> None:
        """Print the names."""
        print("\n".join(NAMES[self.what]))


@dataclass(frozen=True, kw_only=True)
class Evaluate(data.Reads):
    """Measure a trained model on a data set: every task that the data labels, with 95 % intervals, and by group.

    Example: mtl-keras evaluate results/facenet_utk/models/NAME --dataset utkface --data UTKFace --json figures.json
    """

    # Folder of a trained model.
    model: Positional[Path]
    # File for the figures; the screen shows only the most important ones.
    json: File = None
    # Answer with the mean over each image and its mirror image, or over six views: a little better, in 2 or 6 times the
    # time.
    views: Literal[tuple(VIEWS)] = "one"
    # Photos in which faces are to be found, or images that are crops of one face each, such as UTKFace's; "auto" is
    # "detect" for sets of whole photos, such as GENKI-4K, and "crop" for all others.
    faces: Literal["auto", "detect", "crop"] = "auto"
    # Folder that keeps the faces cut out of photos, for the next call; without one they are cut out at each call.
    crops: Folder = None

    def run(self) -> None:
        """Measure, print a table and write the JSON file."""
        data.check_name(self.dataset)
        detect = self.faces == "detect" or (self.faces == "auto" and self.dataset in PHOTOS)
        if self.crops and not detect:
            whole = f"--crops {self.crops}: the images of {self.dataset} are taken as crops of one face each"
            raise UserError(f"{whole}, so none are cut out; leave out --crops, or add --faces detect for photos")
        model = model_folder.load(self.model)
        table = derived(complete(data.read(self.dataset, self.data, self.strict)), model.tasks)
        # Now already, since to look for faces takes long.
        labelled_tasks(table, model.tasks, f"{self.data}:")
        if not detect:
            self.measure(model, check_images(table))
            return
        settings = settings_for(model.tasks, model_folder.read_sidecar(self.model)["crop"])
        if not settings.keep_roll:
            # A head that is turned upright has no longer the roll that its label says.
            table = table.drop(columns=list(HEAD_POSE.columns), errors="ignore")
        with data.faces_cut_out(table, self.crops, settings) as crops:
            print(f"{self.dataset}: {len(crops)} faces cut out of {len(table)} photos; photos without one are skipped")
            self.measure(model, check_images(crops))

    def measure(self, model: MultiTaskModel, table: pd.DataFrame) -> None:
        """Measure a model on a table of face crops, print the figures and write the JSON file."""
        tasks = labelled_tasks(table, model.tasks, f"{self.data}: what can be used of it")
        # Keras draws its progress bar where the figures are to stand alone.
        with redirect_stdout(sys.stderr):
            answers = predictions(model, table, views=self.views)
        found, skipped = metrics_with_intervals(answers, tasks), table.attrs.get("skipped", [])
        groups = {" x ".join(keys): by_group(answers, tasks, keys) for keys in grouped_by(answers)}
        for item in skipped:
            print(f"skipped {shown(item['path'])}: {item['reason']}", file=sys.stderr)
        print(f"{self.dataset}: {len(table)} images, {len(skipped)} skipped\n")
        print(figures_as_text(found))
        for name, group in groups.items():
            if " x " not in name:
                print(f"\n{groups_as_text(group)}")
        if self.json:
            about = {"dataset": self.dataset, "images": len(table), "skipped": len(skipped)}
            by_name = {name: group.to_dict("records") for name, group in groups.items()}
            write_json({**about, "tasks": nested(found), "groups": by_name}, self.json)


@dataclass(frozen=True)
class Predict:
    """Find the people in images and print what the model answers about each, one line a person.

    Example: mtl-keras predict results/facenet_utk/models/NAME photos/ --json people.json --draw drawn/
    """

    # Folder of a trained model.
    model: Positional[Path]
    # Images, or folders of images at any depth.
    paths: Positional[tuple[Path, ...]]
    # File for everything that was found: a list with one object an image.
    json: File = None
    # Folder for copies of the images with boxes and answers drawn on them.
    draw: Folder = None
    # Photos in which faces are to be found, or images that are crops of one face each, such as UTKFace's.
    faces: Literal["detect", "crop"] = "detect"

    def run(self) -> None:
        """Predict, print a line a person, and write the JSON file and the drawings."""
        if not self.paths:
            raise UserError("no images given; expected at least one image or folder behind the model")
        paths = find_images(self.paths)
        targets = drawings(paths, self.draw) if self.draw else {}
        results = Predictor(self.model, self.faces).predict(paths)
        for result in results:
            print("\n".join(as_lines(result)))
        if self.json:
            write_json(results, self.json)
        wrong = [result for result in results if result["error"]]
        todo = [result for result in results if self.draw and not result["error"]]
        for result in tqdm(todo, desc="drawing", unit="image", disable=len(todo) < MANY):
            write_drawing(result, targets[result["path"]])
        if len(wrong) == len(results):
            first = f"{wrong[0]['path']}: {wrong[0]['error']}"
            several = f"none of {len(wrong)} images can be used; the first is "
            raise UserError(shown(first if len(wrong) == 1 else several + first))


COMMANDS = {"list": List, "evaluate": Evaluate, "predict": Predict} | data.COMMANDS


def main() -> None:
    """Run the command line's command."""
    guarded(lambda: parse().run())


def parse():
    """Return the command that the command line asks for; `--help` and what cannot be understood end the program."""
    description = "Use networks that tell several things about a face. `mtl-keras COMMAND --help` shows an example."
    return tyro.extras.subcommand_cli_from_dict(
        COMMANDS, prog="mtl-keras", description=description, config=(FlagCreatePairsOff,)
    )


# === What is printed ===


def figures_as_text(found: dict[str, float]) -> str:
    """Return what `mtl_keras.evaluation.metrics` gives as lines of name, number of labels, figure and 95 % interval."""
    rows = []
    for name, row in as_table(found).iterrows():
        value, low, high = metric_of(name).factor * row[["value", "low", "high"]]
        rows.append((heading(name), int(row["n"]), f"{value:.2f}", f"[{low:.2f}, {high:.2f}]"))
    return pd.DataFrame(rows, columns=["figure", "n", "value", "95 % interval"]).to_string(index=False)


def groups_as_text(group: pd.DataFrame) -> str:
    """Return the most important figures of `mtl_keras.evaluate.by_group` as lines, one a group."""
    shown_columns = [name for name in group if name.rpartition(".")[2] in ("accuracy", "mae")]
    numbers = {
        heading(name): [MISSING if pd.isna(cell) else f"{metric_of(name).factor * cell:.2f}" for cell in group[name]]
        for name in shown_columns
    }
    labels = group[[name for name in group if "." not in name]]
    return pd.concat([labels, pd.DataFrame(numbers, index=group.index)], axis=1).to_string(index=False)


def as_lines(result: dict) -> list[str]:
    """Return one object of `Predictor.predict` as lines, one a person."""
    path = shown(result["path"])
    if result["error"]:
        return [f"{path}: error: {result['error']}"]
    if not result["people"]:
        return [f"{path}: no face found"]
    places = [",".join(str(number) for number in person["box"]) for person in result["people"]]
    words = ["; ".join(describe(person)) for person in result["people"]]
    return [f"{path}: [{place}] {word}" for place, word in zip(places, words, strict=True)]


# === What is measured and written ===


def labelled_tasks(table: pd.DataFrame, tasks: list[Task], where: str) -> list[Task]:
    """Return those of the tasks that a table has labels of; where there are none is an error that says `where`."""
    found = [task for task in tasks if encode(table, task)[1].any()]
    if not found:
        names = ", ".join(task.name for task in tasks)
        raise UserError(f"{where} labels none of the model's tasks ({names}); choose other data")
    return found


def grouped_by(answers: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the labels to group figures by: each that the table has, and all of them together."""
    columns = {"age_band": "age"}
    keys = [key for key in GROUPS if answers.get(columns.get(key, key), pd.Series(dtype=object)).notna().any()]
    return [(key,) for key in keys] + ([tuple(keys)] if len(keys) > 1 else [])


def nested(found: dict[str, float]) -> dict[str, dict]:
    """Return what `mtl_keras.evaluation.metrics` gives by task: {"age": {"n", "mae", "ci95": {"mae": [low, high]}}}."""
    tasks: dict[str, dict] = {}
    for name, value in found.items():
        task, metric, *bound = name.split(".")
        if not bound:
            tasks.setdefault(task, {})[metric] = value
    for task, metrics in tasks.items():
        metrics["ci95"] = {
            metric: [found[f"{task}.{metric}.{bound}"] for bound in ("low", "high")]
            for metric in metrics
            if metric != "n"
        }
    return tasks


def write_json(value: object, path: Path) -> None:
    """Write a JSON file; an old one stays whole until the new one is complete."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(plain(value), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
