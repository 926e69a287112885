"""Training runs on disk: where each lies, its settings, its learning curve, where it stopped, and what came of it.

A run has a folder of its own below `checkpoints/`, named by what is trained and a hash of the settings, such as
`bknet-age-gender-trained-1a2b3c4d`: a run with other settings leaves it alone. Its model lies in `models/`, under the
name without the hash if it is the newest of that name; the model's `model.json` says which run it is of.
"""

import hashlib
import json
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.data.table import write_table
from mtl_keras.errors import UserError
from mtl_keras.files import remove, replacing
from mtl_keras.kinds import ANSWERS, CLASSES
from mtl_keras.models.weights import sha256
from mtl_keras.state_files import CELL, DamagedFileError, read_csv, read_json, read_or_none
from mtl_keras.training import model_folder
from mtl_keras.training.resume import BACKUP, HISTORY

SETTINGS, ROW, PREDICTIONS = "settings.json", "row.json", "predictions.csv"
# What is asked of a finished run's model only afterwards: its outputs for two parts of the split, of its features, and
# its figures on other sets.
OUTPUTS, SOURCES = {"validation": "outputs-validation.npz", "test": "outputs-test.npz"}, "sources.csv"
ELSEWHERE = "elsewhere.json"
HASH_LENGTH = 8
# A row's cells, and beside them the checksum of the answers that its figures are of.
CHECKSUM = "predictions_sha256"
ROW_SCHEMA = {str: (*CELL, [CELL])}
MEND = "remove its folder to train this run anew, or copy it again"


@dataclass
class Run:
    """A finished run: its row for runs.csv, its answers on the test split, its learning curve, its folders.

    `outputs` {task: (N, K)} are what its heads gave for all test rows, of a run that has just been trained.
    """

    row: dict
    predictions: pd.DataFrame
    history: pd.DataFrame
    model: Path | None = None
    folder: Path | None = None
    outputs: dict[str, np.ndarray] | None = None


# === Where a run lies ===


def find_folder(checkpoints: Path, name: str, settings: dict, defaults: dict | None = None) -> Path | None:
    """Return the folder of the run of this name with these settings, finished or not; None if there is none.

    A setting that a run does not know of, because it is newer than the run, is taken to have had its value of
    `defaults`.
    """
    wanted = json.loads(_text(settings))
    newer = json.loads(_text({key: value for key, value in (defaults or {}).items() if key in settings}))
    for folder in sorted(checkpoints.glob(f"{name}-*")):
        own = re.fullmatch(rf"{re.escape(name)}-[0-9a-f]{{{HASH_LENGTH}}}", folder.name)
        if own and (noted := _noted(folder / SETTINGS)) and {**newer, **noted} == wanted:
            return folder
    return None


def start_run(checkpoints: Path, name: str, settings: dict, known: Path | None, resume: bool) -> Path:
    """Return a folder to train in: the `known` one with these settings, emptied unless it goes on, or a new one."""
    if known and resume:
        # Of an earlier model, if it was finished before.
        for name in (*OUTPUTS.values(), SOURCES, ELSEWHERE):
            (known / name).unlink(missing_ok=True)
        return known
    text = _text(settings)
    folder = known or checkpoints / f"{name}-{fingerprint(text)[:HASH_LENGTH]}"
    if not known and folder.exists():
        # Of these settings by its name, but its note is damaged: whoever looks into it may still want it.
        aside = folder.with_name(f"{folder.name}-damaged-{time.strftime('%Y%m%d%H%M%S')}")
        print(f"{folder}: {SETTINGS} is missing or damaged; moved to {aside.name}, and trained anew")
        os.replace(folder, aside)
    remove(folder)
    with replacing(folder / SETTINGS) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return folder


def find_model(folder: Path) -> Path | None:
    """Return the folder of the model of the run in this folder; None where there is none (any more)."""
    models = folder.parents[1] / "models"
    for place in (models / folder.name, models / plain_name(folder)):
        if place.is_dir() and _run_of(place, folder.name) == folder.name:
            return place
    return None


def place_for_model(folder: Path) -> Path:
    """Return where the model of the run in this folder is to be saved: a model of another run there is moved aside."""
    place = folder.parents[1] / "models" / plain_name(folder)
    owner = _run_of(place, "") if place.is_dir() else folder.name
    if owner != folder.name:
        # A model that does not say its run is of an earlier version.
        aside = place.with_name(owner or f"{place.name}-earlier")
        remove(aside)
        os.replace(place, aside)
    remove(place.with_name(folder.name))
    return place


def plain_name(folder: Path) -> str:
    """Return the name of a run's folder without the hash."""
    return folder.name[: -HASH_LENGTH - 1]


def _run_of(model: Path, unknown: str) -> str:
    """Return the name of the run that a model is of; `unknown` for a model that does not say it."""
    try:
        return model_folder.read_sidecar(model).get("run", unknown)
    except UserError:
        return ""


def _text(settings: dict) -> str:
    return json.dumps(settings, indent=2, sort_keys=True, default=str)


def _noted(path: Path) -> dict:
    """Return the settings that a run noted; none where there is no such file, or a damaged one."""
    return read_or_none(read_json, path, {}, lost="not taken for a run") or {}


# === What came of it ===


def read_run(folder: Path, table: pd.DataFrame) -> Run | None:
    """Return the finished run of this folder with its answers on the rows of `table`, or None if it is not finished.

    Rows that it was not asked about are left out.
    """
    noted, answers = folder / ROW, folder / PREDICTIONS
    if not (noted.is_file() and answers.is_file()):
        return None
    row = read_json(noted, ROW_SCHEMA, MEND)
    # An older version noted no checksum.
    if row.pop(CHECKSUM, None) not in (None, sha256(answers)):
        raise DamagedFileError(answers, f"its sha256 is not the one in {ROW}", MEND)
    labels = table[[column for column in table if not column.endswith(ANSWERS)]]
    # A class may be called 1 or NA.
    names = [name for name in read_csv(answers, ("image",), as_text=True, mend=MEND) if name.endswith(CLASSES)]
    kept = read_csv(answers, ("image", *names), ("number",), mend=MEND).set_index(["image", "number"])
    curve = read_history(folder) if (folder / HISTORY).is_file() else pd.DataFrame()
    return Run(
        row,
        labels.assign(**_keys(labels)).join(kept, on=list(kept.index.names), how="inner")[[*labels, *kept]],
        curve,
        find_model(folder),
        folder,
    )


def count_answers(folder: Path) -> int:
    """Return on how many test images the finished run of this folder was measured."""
    return len(read_csv(folder / PREDICTIONS, ("image",), as_text=True, mend=MEND))


def read_history(folder: Path) -> pd.DataFrame:
    """Read the learning curve of the run in this folder, a row an epoch."""
    curve = read_csv(folder / HISTORY, (), ("epoch", "loss"), mend=MEND)
    if not len(curve) or curve["epoch"].tolist() != [*range(len(curve))]:
        raise DamagedFileError(folder / HISTORY, "its epochs do not follow each other", MEND)
    return curve


def images_per_second(folder: Path, seen: int) -> float | None:
    """Return the number of images a second of training, by the median epoch; None where that is not known."""
    seconds = read_history(folder).get("seconds") if seen and (folder / HISTORY).is_file() else None
    return None if seconds is None else round(seen / seconds.median(), 1)


def write_run(folder: Path, row: dict, predictions: pd.DataFrame) -> Run:
    """Note that the run of this folder is finished, drop what only served to resume it, and return it.

    Neither labels nor names of images are noted, so that what is left can be published with the results.
    """
    answers = predictions[[column for column in predictions if column.endswith(ANSWERS)]]
    answers = pd.DataFrame(_keys(predictions)).join(answers.reset_index(drop=True).round(6))
    write_table(answers, folder / PREDICTIONS)
    with replacing(folder / ROW) as temporary:
        noted = {**row, CHECKSUM: sha256(folder / PREDICTIONS)}
        temporary.write_text(json.dumps(noted, indent=2) + "\n", encoding="utf-8")
    for name in (BACKUP, "refit"):
        with suppress(UserError):  # What is left of a finished run is not gone on with.
            remove(folder / name)
    return read_run(folder, predictions)


def _keys(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return what finds a row's answers again on another machine: a hash of its set and file name, and which of these.

    Two files of one name in different folders are told apart by their order.
    """
    names = [f"{source}/{Path(path).name}" for source, path in zip(table["source"], table["path"], strict=True)]
    images = pd.Series([hashlib.sha256(os.fsencode(name)).hexdigest()[:12] for name in names], dtype=object)
    return {"image": images.to_numpy(), "number": images.groupby(images).cumcount().to_numpy()}


def fingerprint(*parts: str) -> str:
    """Return a short sha256 of texts, to tell runs of other data or weights apart."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
