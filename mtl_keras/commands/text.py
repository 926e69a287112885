"""What commands print and write as JSON."""

import json
import shutil
from pathlib import Path

import pandas as pd

from mtl_keras.errors import UserError, printable
from mtl_keras.evaluation.metrics import as_table
from mtl_keras.files import check_writable, plain, replacing
from mtl_keras.kinds import SCORES, metric_of
from mtl_keras.kinds.kind import WITHIN_INTERVAL
from mtl_keras.serving.drawing import describe
from mtl_keras.studies.results import MISSING, heading


def by_box_alone(crops: pd.DataFrame) -> str:
    """Return, for the end of a line, how many crops show no face that was found, but what lies in the box given."""
    alone = int((crops["confidence"] == 0).sum())
    wrong = "; are they x, y, width and height in pixels?" if 2 * alone > len(crops) else ""
    return f"; {alone} cut by the `box` alone, since no face was found in it{wrong}" if alone else ""


def figures_as_text(found: dict[str, float]) -> str:
    """Return what `mtl_keras.evaluation.metrics` gives as lines of name, number of labels, figure and 95 % interval."""
    rows = []
    for name, row in as_table(found).iterrows():
        value, low, high = metric_of(name).factor * row[["value", "low", "high"]]
        rows.append((heading(name), int(row["n"]), f"{value:.2f}", f"[{low:.2f}, {high:.2f}]"))
    return fitted(pd.DataFrame(rows, columns=["figure", "n", "value", "95 % interval"]), 1)


def scores_as_text(table: pd.DataFrame, keys: list[str]) -> str:
    """Return the most important figures of a table as lines, each with the cells of these columns before them."""
    numbers = {
        heading(name): [MISSING if pd.isna(cell) else f"{metric_of(name).factor * cell:.2f}" for cell in table[name]]
        for name in table
        if name.rpartition(".")[2] in {*SCORES, WITHIN_INTERVAL.name}
    }
    return fitted(pd.concat([table[keys], pd.DataFrame(numbers, index=table.index)], axis=1), len(keys))


def fitted(table: pd.DataFrame, keys: int) -> str:
    """Return a table as lines that the screen has room for; a file or a pipe counts as 80 columns wide.

    Where it is too wide it comes in blocks one below the other, each of which begins with the first `keys` columns.
    """
    width, columns, blocks = shutil.get_terminal_size().columns, list(range(keys, table.shape[1])), []
    while columns or not blocks:
        for count in range(len(columns), -1, -1):
            block = table.iloc[:, [*range(keys), *columns[:count]]].to_string(index=False)
            if count <= 1 or max(map(len, block.splitlines())) <= width:
                break
        blocks.append(block)
        columns = columns[count:]
    return "\n\n".join(blocks)


def as_lines(result: dict) -> list[str]:
    """Return one object of `Predictor.predict` as lines, one a person."""
    # A name may have a line break.
    path = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in printable(result["path"]))
    if result["error"]:
        return [f"{path}: error: {result['error']}"]
    if not result["people"]:
        return [f"{path}: no face found"]
    places = [",".join(str(number) for number in person["box"]) for person in result["people"]]
    words = ["; ".join(describe(person)) for person in result["people"]]
    return [f"{path}: [{place}] {word}" for place, word in zip(places, words, strict=True)]


def check_json(path: Path | None) -> None:
    """Refuse a place for a JSON file that cannot be written, or where something other than JSON would be lost."""
    if path is None:
        return
    check_writable(path)
    if path.is_file():
        with path.open("rb") as file:
            if file.read(1) not in (b"", b"{", b"["):
                raise UserError(f"{path}: holds something other than JSON; name another file for the figures")


def write_json(value: object, path: Path) -> None:
    """Write a JSON file; an old one stays whole until the new one is complete."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(plain(value), indent=2) + "\n", encoding="utf-8")
