"""Measure whether a model's answers are right more often where faces seem to show enough: selective accuracy.

python experiments/reliability.py MODEL --dataset fairface --data FairFace

    A few minutes for 2,000 photos with MTCNN. Of each photo the largest face is answered.

Writes runs/reliability/reliability.md and reliability.csv (the figures of all faces, of the reliable ones, of all
others, and of those of each reason of `mtl_keras.serving.reliability`) and run.json. Expect the reliable ones to be
right more often than the others; a reason that only a few faces have says little.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from tqdm import tqdm
from tyro.conf import Positional

from mtl_keras.boxes import refuse_boxes
from mtl_keras.commands.data import read
from mtl_keras.commands.evaluate import labelled_tasks
from mtl_keras.data.derive import derived
from mtl_keras.data.table import complete, write_table
from mtl_keras.errors import UserError, guarded
from mtl_keras.evaluation.metrics import metrics_with_intervals
from mtl_keras.evaluation.predictions import with_predictions
from mtl_keras.files import replacing
from mtl_keras.kinds import metric_of
from mtl_keras.owner import owned
from mtl_keras.serving.predictor import MANY, Predictor
from mtl_keras.serving.reliability import REASONS
from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.provenance import data_fingerprint, write_run_json
from mtl_keras.studies.results import figure_columns, heading
from mtl_keras.tasks import Task

BATCH = 64


def answered(predictor: Predictor, photos: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the photos in which a face was found, with the answers about the largest, and its `reason`."""
    found = {}
    starts = range(0, len(photos), BATCH)
    for start in tqdm(starts, desc="answering", unit="batch", disable=len(photos) < MANY):
        several = predictor(list(photos["path"][start : start + BATCH]))
        found |= {start + number: people[0] for number, people in enumerate(several) if people}
    if not found:
        raise UserError(f"no face was found in any of {len(photos)} photos; expected photos of people")
    everyone = found.values()
    outputs = {task.name: np.stack([person.outputs[task.name] for person in everyone]) for task in predictor.tasks}
    faces = with_predictions(photos.iloc[[*found]], predictor.tasks, outputs)
    return faces.assign(reason=[person.reason for person in everyone])


def groups(faces: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give each group of faces with its name; a face of several reasons is in the group of each."""
    yield "all", faces
    yield "reliable", faces[faces["reason"] == ""]
    yield "not reliable", faces[faces["reason"] != ""]
    for reason in REASONS:
        yield reason, faces[faces["reason"].str.contains(reason)]


def measured(faces: pd.DataFrame, tasks: list[Task]) -> pd.DataFrame:
    """Return a row a group: its number of faces, their share of all, and every figure with its interval."""
    rows = []
    for name, group in groups(faces):
        figures = metrics_with_intervals(group, tasks) if len(group) else {}
        rows.append({"faces": name, "n": len(group), "share": len(group) / len(faces), **figures})
    return pd.DataFrame(rows)


def write_markdown(rows: pd.DataFrame, tasks: list[Task], path: Path) -> None:
    """Write a line a group: its share of the faces, and the main figures of each task with their 95 % intervals."""
    # Of ages that are labelled as intervals there is no error in years.
    columns, lines = [column for column in figure_columns(tasks) if rows[column].notna().any()], []
    for row in rows.to_dict("records"):
        cells = []
        for column in columns:
            value, low, high = (metric_of(column).factor * row[column + end] for end in ("", ".low", ".high"))
            cells.append("–" if np.isnan(value) else f"{value:.1f} [{low:.1f}, {high:.1f}]")
        lines.append([row["faces"], f"{row['n']:,}", f"{100 * row['share']:.1f}", *cells])
    heads = ["faces", "images", "% of all", *map(heading, columns)]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(table_lines(heads, lines)) + "\n", encoding="utf-8")


def main(
    model: Positional[Path], dataset: str, data: Path, detector: str = "mtcnn", out: Path = Path("runs/reliability")
) -> None:
    """Answer about the photos of a data set, and write the figures of reliable and other faces."""
    start = time.perf_counter()
    with owned(out):
        predictor = Predictor(model, detector=detector)
        photos = derived(complete(read(dataset, data)), predictor.tasks)
        refuse_boxes(photos)
        tasks = labelled_tasks(photos, predictor.tasks, f"{data}:")
        faces = answered(predictor, photos)
        print(f"{dataset}: a face in {len(faces)} of {len(photos)} photos", file=sys.stderr)
        rows = measured(faces, tasks)
        write_table(rows, out / "reliability.csv")
        write_markdown(rows, tasks, out / "reliability.md")
        about = {"dataset": dataset, "photos": len(photos), "faces": len(faces), "detector": detector}
        settings = {"settings": about, "data_fingerprint": data_fingerprint(photos)}
        write_run_json(out, {"seconds": time.perf_counter() - start, **settings})
        print((out / "reliability.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    guarded(lambda: tyro.cli(main, description=__doc__))
