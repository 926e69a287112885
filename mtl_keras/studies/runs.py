"""One training run on disk: its settings, its learning curve, where it stopped, and what came of it."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.data.table import write_table
from mtl_keras.files import replacing
from mtl_keras.kinds import ANSWERS


@dataclass
class Run:
    """A finished run: its row for runs.csv, its answers on the test split, its learning curve, its model's folder."""

    row: dict
    predictions: pd.DataFrame
    history: pd.DataFrame
    model: Path | None = None


def prepare(folder: Path, settings: dict, resume: bool, defaults: dict | None = None) -> Path:
    """Make a run's folder ready and return it: emptied, unless a run with the same settings is to be resumed.

    A setting that a run does not know of, because it is newer than the run, is taken to have had its value of
    `defaults`.
    """
    text = json.dumps(settings, indent=2, sort_keys=True, default=str)
    noted = folder / "settings.json"
    newer = {name: value for name, value in (defaults or {}).items() if name in settings}
    if not (resume and {**_as_read(newer), **_noted(noted)} == json.loads(text)):
        shutil.rmtree(folder, ignore_errors=True)
        with replacing(noted) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return folder


def _as_read(settings: dict) -> dict:
    """Return settings as JSON gives them back."""
    return json.loads(json.dumps(settings, default=str))


def _noted(path: Path) -> dict:
    """Return the settings that a run noted; none where there is no such file, or a damaged one."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def read_run(folder: Path, table: pd.DataFrame) -> Run | None:
    """Return the finished run of this folder with its answers on the rows of `table`, or None if it is not finished.

    Rows that it was not asked about are left out.
    """
    noted, answers = folder / "row.json", folder / "predictions.csv"
    if not (noted.is_file() and answers.is_file()):
        return None
    labels = table[[column for column in table if not column.endswith(ANSWERS)]]
    kept = pd.read_csv(answers, dtype={"image": str}).set_index(["image", "number"])
    history = folder / "history.csv"
    curve = pd.read_csv(history) if history.is_file() else pd.DataFrame()
    model = folder.parents[1] / "models" / folder.name
    return Run(
        json.loads(noted.read_text(encoding="utf-8")),
        labels.assign(**_keys(labels)).join(kept, on=list(kept.index.names), how="inner")[[*labels, *kept]],
        curve,
        model if model.is_dir() else None,
    )


def write_run(folder: Path, row: dict, predictions: pd.DataFrame) -> Run:
    """Note that the run of this folder is finished, drop what only served to resume it, and return it.

    Neither labels nor names of images are noted, so that what is left can be published with the results.
    """
    answers = predictions[[column for column in predictions if column.endswith(ANSWERS)]]
    answers = pd.DataFrame(_keys(predictions)).join(answers.reset_index(drop=True).round(6))
    write_table(answers, folder / "predictions.csv")
    with replacing(folder / "row.json") as temporary:
        temporary.write_text(json.dumps(row, indent=2) + "\n", encoding="utf-8")
    for name in ("backup", "refit"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "best.weights.h5").unlink(missing_ok=True)
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
