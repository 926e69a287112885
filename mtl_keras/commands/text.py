"""What commands print and write as JSON."""

import json
from pathlib import Path

import pandas as pd

from mtl_keras.errors import printable
from mtl_keras.evaluation.metrics import as_table
from mtl_keras.files import plain, replacing
from mtl_keras.kinds import SCORES, metric_of
from mtl_keras.serving.drawing import describe
from mtl_keras.studies.results import MISSING, heading


def figures_as_text(found: dict[str, float]) -> str:
    """Return what `mtl_keras.evaluation.metrics` gives as lines of name, number of labels, figure and 95 % interval."""
    rows = []
    for name, row in as_table(found).iterrows():
        value, low, high = metric_of(name).factor * row[["value", "low", "high"]]
        rows.append((heading(name), int(row["n"]), f"{value:.2f}", f"[{low:.2f}, {high:.2f}]"))
    return pd.DataFrame(rows, columns=["figure", "n", "value", "95 % interval"]).to_string(index=False)


def groups_as_text(group: pd.DataFrame) -> str:
    """Return the most important figures of `mtl_keras.evaluation.groups.by_group` as lines, one a group."""
    shown_columns = [name for name in group if name.rpartition(".")[2] in SCORES]
    numbers = {
        heading(name): [MISSING if pd.isna(cell) else f"{metric_of(name).factor * cell:.2f}" for cell in group[name]]
        for name in shown_columns
    }
    labels = group[[name for name in group if "." not in name]]
    return pd.concat([labels, pd.DataFrame(numbers, index=group.index)], axis=1).to_string(index=False)


def as_lines(result: dict) -> list[str]:
    """Return one object of `Predictor.predict` as lines, one a person."""
    path = printable(result["path"])
    if result["error"]:
        return [f"{path}: error: {result['error']}"]
    if not result["people"]:
        return [f"{path}: no face found"]
    places = [",".join(str(number) for number in person["box"]) for person in result["people"]]
    words = ["; ".join(describe(person)) for person in result["people"]]
    return [f"{path}: [{place}] {word}" for place, word in zip(places, words, strict=True)]


def write_json(value: object, path: Path) -> None:
    """Write a JSON file; an old one stays whole until the new one is complete."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(plain(value), indent=2) + "\n", encoding="utf-8")
