"""A trained network put into the package: exported, measured as it is given, with its model card."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from tyro.conf import arg

from mtl_keras.commands.arguments import Arguments
from mtl_keras.commands.experiment import checked, joined, read_folder, with_faces
from mtl_keras.data.audit import resolve_conflicts
from mtl_keras.data.leaks import resolve_leaks
from mtl_keras.data.split import split
from mtl_keras.datasets.recognition import read_any, split_name
from mtl_keras.datasets.rendered import MANIFEST
from mtl_keras.errors import UserError
from mtl_keras.evaluation.predictions import outputs_of, with_predictions
from mtl_keras.files import check_writable, replacing_folder
from mtl_keras.serving.bundled import CARD, FOLDER, MOST_MEGABYTES
from mtl_keras.serving.export import export
from mtl_keras.serving.exported import read_exported, sums
from mtl_keras.serving.runtime import ALL, Runtime, open_runtime
from mtl_keras.state_files import read_json
from mtl_keras.studies.confidence import calibration_rows
from mtl_keras.studies.model_card import DRAWN, Card, model_card
from mtl_keras.studies.provenance import machine
from mtl_keras.studies.rows import labelled_rows
from mtl_keras.studies.runs import SETTINGS, Run, count_answers, read_run
from mtl_keras.studies.settings import Experiment
from mtl_keras.studies.temperatures import temperatures_noted, told
from mtl_keras.studies.timing import milliseconds_in_turns
from mtl_keras.training import model_folder
from mtl_keras.training.model import known_tasks

# What is read of a note on how runs came about.
NOTE = {"settings": {"seed": int, "tasks": [str]}, "command?": str}
# In the base install TensorFlow's own interpreter runs it, and weights of eight bits make it a quarter as large.
FORMAT, PRECISION = "litert", "int8"
BATCH, REPEATS = 32, 20


@dataclass(frozen=True)
class Bundle:
    """Put a trained network of a results folder into the package, as the model that answers where none is named.

    Its figures in the model card are measured here, on the test images of the data that it was trained on.

    Example: python experiments/model_in_the_box.py --results runs/customer_characteristics --data UTKFace RAF-DB
    FER2013 GENKI-4K FairFace
    """

    # Results folder of an experiment.
    results: Path
    # All folders that the experiment was given as --data, in any order.
    data: tuple[Path, ...]
    # Name of a folder in models/ of the results; by default the smallest of those that answer the most.
    model: str | None = None
    # Tasks that are answered only for who asks for them.
    on_request: Annotated[tuple[str, ...], arg(metavar="NAME...")] = ("ethnicity",)
    # What the experiment did with copies of one photo that have different labels.
    conflicts: Literal["keep", "drop", "blank"] = "keep"
    # What the experiment did with photos that stand in several of a set's own parts.
    leaks: Literal["keep", "drop"] = "keep"
    # Folder to write; by default that in the package.
    out: Annotated[Path, arg(metavar="DIR")] = FOLDER


def bundle(options: Bundle) -> None:
    """Export, measure, write the card, and replace what was there before; print where it is and how large."""
    check_writable(options.out, folder=True)
    folder = chosen(options.results, options.model)
    about = model_folder.read_sidecar(folder)
    names = [each["name"] for each in about["tasks"]]
    if unknown := [name for name in options.on_request if name not in {*names, "ethnicity"}]:
        raise UserError(f"on_request {unknown[0]!r}: expected some of what the model answers: {', '.join(names)}")
    run = read_json(options.results / "run.json", NOTE, "expected that of a finished experiment")
    train, test, trained = parts_of(options, about, run)
    settings = read_json(trained.folder / SETTINGS, {})
    with tempfile.TemporaryDirectory() as temporary:
        place = export(folder, FORMAT, PRECISION, list(test["path"]), Path(temporary) / "network")
        write_about(place, on_request=[name for name in names if name in options.on_request])
        runtime = open_runtime(place, (ALL,))
        outputs = outputs_of(runtime, test)
        calibration, _ = calibration_rows(runtime.tasks, test, told(runtime.tasks, outputs))
        card = Card(
            runtime.tasks,
            read_exported(place),
            run,
            train["source"].value_counts().to_dict(),
            with_predictions(test, runtime.tasks, outputs),
            model_folder.megabytes(place),
            milliseconds(runtime),
            processor(),
            str(settings.get("weights", "random")),
            calibration,
            temperatures_noted(trained.folder),
            str(settings.get("teacher") or ""),
        )
        (place / CARD).write_text(model_card(card), encoding="utf-8")
        write_about(place)
        check_size(place)
        with replacing_folder(options.out) as new:
            shutil.copytree(place, new, dirs_exist_ok=True)
    print(f"{options.out}: {model_folder.megabytes(options.out):.2f} MB; the card: {options.out / CARD}")


def chosen(results: Path, name: str | None) -> Path:
    """Return the folder of a model of a results folder: of this name, or the smallest of those that answer the most."""
    found = {path.parent.name: path.parent for path in sorted((results / "models").glob(f"*/{model_folder.SIDECAR}"))}
    if not found:
        raise UserError(f"{results}: no models in it; expected the results folder of an experiment, with its models/")
    if name is not None and name not in found:
        raise UserError(f"{results}: no model {name!r}; expected one of {', '.join(found)}")
    if name is None:
        answered = {each: len(model_folder.read_sidecar(folder)["tasks"]) for each, folder in found.items()}
        most = [each for each in found if answered[each] == max(answered.values())]
        sizes = {each: round(model_folder.megabytes(found[each]), 1) for each in most}
        smallest = [each for each in most if sizes[each] == min(sizes.values())]
        if len(smallest) > 1:
            raise UserError(f"{results}: several models are the smallest; name one of {', '.join(smallest)} by --model")
        (name,) = smallest
    return found[name]


def parts_of(options: Bundle, about: dict, run: dict) -> tuple[pd.DataFrame, pd.DataFrame, Run]:
    """Return the rows that a model was trained on, its test rows, and its run, read anew from the data.

    A test image that was none of the run's is an error: the network may have seen it. The `source` of drawn faces is
    "rendered", whatever set's layout they are in.
    """
    noted = run["settings"]
    tasks = known_tasks(about["tasks"])
    # All that the experiment learned, since it says how faces are cut out.
    settings = Experiment(tasks=tuple(noted["tasks"]), crop=about["crop"].kind)
    arguments = Arguments(out=options.results, experiment=settings)
    tables = with_faces([read_folder(folder, read_any, arguments) for folder in options.data], arguments)
    table = checked(joined(tables, arguments), arguments)
    table = resolve_leaks(resolve_conflicts(table, options.conflicts), options.leaks)
    train, _, test = (labelled_rows(part, tasks) for part in split(table, seed=noted["seed"]))
    trained = read_run(options.results / "checkpoints" / about.get("run", "unknown"), test)
    if trained is None:
        raise UserError(f"{options.results}: no finished run of the model in checkpoints/; copy the folder whole")
    if strange := len(test) - len(trained.predictions):
        raise UserError(
            f"{strange} of {len(test)} test images were none of the run's, so it may have learned from them; name the "
            f"same --data, --conflicts and --leaks as its command did: {run.get('command', '')}"
        )
    if missing := count_answers(trained.folder) - len(test):
        raise UserError(
            f"{missing} test images of the run are not among the data named, so the card would leave out what they are "
            f"of; name all the folders of its command's --data: {run.get('command', '')}"
        )
    drawn = {
        path for place, each in zip(options.data, tables, strict=True) if _is_drawn(place) for path in each["path"]
    }
    train, test = (part.assign(source=part["source"].mask(part["path"].isin(drawn), DRAWN)) for part in (train, test))
    return train, test, trained


def _is_drawn(place: Path) -> bool:
    return (split_name(place)[1] / MANIFEST).is_file()


def write_about(folder: Path, **changes: object) -> None:
    """Write the sidecar of an exported network anew, with these changes and the sums that its files have now."""
    path = folder / model_folder.SIDECAR
    about = {**read_json(path, {"export": {}}), **changes}
    about["export"]["files"] = sums(folder)
    path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def milliseconds(runtime: Runtime) -> dict[str, float]:
    """Return the median milliseconds a face, {"alone", "batch"}, the latter in batches of 32."""
    side = runtime.image_size
    crops = np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3), dtype=np.uint8)
    steps = [lambda: runtime.run(crops[:1]), lambda: runtime.run(crops)]
    for step in steps:
        step()
    alone, batch = np.median(milliseconds_in_turns(steps, REPEATS), axis=0)
    return {"alone": float(alone), "batch": float(batch) / BATCH}


def processor() -> str:
    """Return what this computer's processor is called, and how many cores there are."""
    here = machine()
    return f"{here['processor'] or 'an unknown processor'}, {here['cores']} cores"


def check_size(folder: Path) -> None:
    """Refuse a network that is too large to come with the package."""
    if (size := model_folder.megabytes(folder)) > MOST_MEGABYTES:
        raise UserError(
            f"the exported network has {size:.1f} MB, expected at most {MOST_MEGABYTES}; name a smaller one by --model"
        )
