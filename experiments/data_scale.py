"""Time and memory from files to a first batch, by the number of rows: both should grow no faster than the rows.

python experiments/data_scale.py

    10,000 to a million made-up UTKFace names, all links to one tiny image: about a minute on two cores, and 0.7 GiB.
    --rows 10000 100000 1000000 5000000 takes several minutes, and about 3.5 GiB.

Writes runs/data_scale/table.md, runs.csv, rows.png and run.json. Expect exponents (of a straight line through the
logarithms) of about 1 at most; below 1 where a cost that does not depend on the rows, such as building TensorFlow's
graph, outweighs the rest. Nothing looks at the images beforehand, so no audit is in these figures. Linux only.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import tyro
from PIL import Image

from mtl_keras.colors import COLORS, GRAY
from mtl_keras.data.pipeline import batches
from mtl_keras.data.sampling import balanced
from mtl_keras.data.split import split
from mtl_keras.data.table import combine, write_table
from mtl_keras.datasets import csv_file, utkface
from mtl_keras.errors import UserError, guarded, kept_if_interrupted
from mtl_keras.files import replacing
from mtl_keras.owner import owned
from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.plots.style import canvas, panels
from mtl_keras.studies.provenance import write_run_json
from mtl_keras.studies.timing import CLEAR, check_memory, in_fresh_process, memory
from mtl_keras.tasks import AGE, GENDER

# Images too large for those of a training set to be kept in memory: they are read batch by batch at any number of rows.
MODEL = SimpleNamespace(tasks=[AGE, GENDER], image_size=224, resize_method="bilinear")
WARM_UP = 100  # rows
FILES_A_FOLDER = 10_000  # an ext4 file can have 65,000 links
LABELS = {"seconds": "Time (seconds)", "peak_mib": "Peak memory above that of the imports (MiB)"}


def make_faces(folder: Path, rows: int) -> Path:
    """Fill a folder with links to one image under made-up UTKFace names, and `labels.csv` with labels of these."""
    lines, random = ["path,age,gender"], np.random.default_rng(0)
    labels = random.integers([117, 2, 5], size=(rows, 3)).tolist()
    for number, (age, gender, race) in enumerate(labels):
        part = folder / f"{number // FILES_A_FOLDER:04d}"
        if number % FILES_A_FOLDER == 0:
            part.mkdir(parents=True)
            Image.new("RGB", (64, 64), "tan").save(part / ".face.jpg")  # hidden, so that readers pass over it
        name = f"{age}_{gender}_{race}_20170101{number:09d}.jpg"
        os.link(part / ".face.jpg", part / name)
        lines.append(f"{part.name}/{name},{age},{GENDER.classes[gender]}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def steps(folder: Path) -> Iterator[str]:
    """Go from files to a first batch, and give the name of each step when it is done."""
    csv_file(folder / "labels.csv")
    yield "read a CSV file"
    table = utkface(folder)
    yield "read a folder"
    table = combine([table])
    yield "combine"
    train = split(table)[0]
    yield "split"
    next(iter(batches(train, MODEL, shuffle=True)))
    yield "first batch"
    next(iter(batches(balanced(train, "gender"), MODEL, shuffle=True)))
    yield "first batch, balanced"


def measure(folder: Path, small: Path) -> list[dict]:
    """Return the seconds of each step and its peak memory, in MiB above that of this process after a small folder."""
    list(steps(small))  # what is loaded at its first use should not count
    before, found = memory("VmRSS"), []
    CLEAR.write_text("5")  # the peak counts from here
    start = time.perf_counter()
    for step in steps(folder):
        # Where it had room left, a step may well add nothing; a little more than that has a logarithm.
        seconds, peak = time.perf_counter() - start, max(0.1, memory("VmHWM") - before)
        found.append({"step": step, "seconds": seconds, "peak_mib": peak})
        CLEAR.write_text("5")
        start = time.perf_counter()
    total = {"seconds": sum(row["seconds"] for row in found), "peak_mib": max(row["peak_mib"] for row in found)}
    return [*found, {"step": "all steps", **total}]


def write_markdown(runs: pd.DataFrame, path: Path) -> None:
    """Write a line for each step and number of rows, the exponents of its time and memory behind the largest."""
    heads = ["step", "rows", "seconds", "rows a second", "peak memory (MiB)", "bytes a row", "time a row, first = 1"]
    heads += ["exponent of time", "of memory"]
    lines = []
    for step, part in runs.groupby("step", sort=False):
        first = part["seconds"].iloc[0] / part["rows"].iloc[0]
        logs = np.log(part[["rows", "seconds", "peak_mib"]])
        exponents = [f"{np.polyfit(logs['rows'], logs[cost], 1)[0]:.2f}" for cost in ("seconds", "peak_mib")]
        for rows, seconds, peak in part[["rows", "seconds", "peak_mib"]].itertuples(index=False):
            numbers = f"{rows:,} {seconds:.2f} {rows / seconds:,.0f} {peak:,.0f} {peak * 2**20 / rows:,.0f}".split()
            growth = exponents if rows == part["rows"].max() else ["", ""]
            lines.append([step, *numbers, f"{seconds / rows / first:.2f}", *growth])
    with replacing(path) as temporary:
        temporary.write_text("\n".join(table_lines(heads, lines)) + "\n", encoding="utf-8")


def draw(runs: pd.DataFrame, path: Path) -> None:
    """Draw the seconds and the peak memory of each step by the number of rows, on logarithmic scales."""
    with canvas(path, 12, 5.5) as figure:
        for axis, (column, label) in zip(panels(figure, 2, 2), LABELS.items(), strict=True):
            for color, (step, part) in zip(COLORS, runs.groupby("step", sort=False), strict=True):
                axis.plot(part["rows"], part[column], "o-", color=color, label=step)
            line = runs["rows"] * runs[column].iloc[-1] / runs["rows"].iloc[-1]
            axis.plot(runs["rows"], line, "--", color=GRAY, label="in proportion to the rows")
            axis.set(xscale="log", yscale="log", xlabel="rows", title=label)
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)


def main(rows: tuple[int, ...] = (10_000, 100_000, 1_000_000), out: Path = Path("runs/data_scale")) -> None:
    """Measure tables of these numbers of rows, each in a fresh process, and write the table and the figure."""
    check_memory()
    if len(set(rows)) < 2 or min(rows) < WARM_UP:
        raise UserError(f"rows {rows}: expected at least two numbers, each {WARM_UP} or more")
    with owned(out):
        start, runs = time.perf_counter(), []
        with kept_if_interrupted("nothing was written"), tempfile.TemporaryDirectory() as temporary:
            small = make_faces(Path(temporary, "small"), WARM_UP)
            for count in sorted(set(rows)):
                folder = make_faces(Path(temporary, str(count)), count)
                runs += [{"rows": count, **row} for row in in_fresh_process(measure, folder, small)]
                print(
                    f"{count:,} rows: {runs[-1]['seconds']:.1f} s, peak {runs[-1]['peak_mib']:,.0f} MiB",
                    file=sys.stderr,
                )
        runs = pd.DataFrame(runs)
        write_table(runs.assign(rows_per_second=runs["rows"] / runs["seconds"]), out / "runs.csv")
        write_markdown(runs, out / "table.md")
        draw(runs, out / "rows.png")
        write_run_json(out, {"seconds": time.perf_counter() - start, "settings": {"rows": rows}})
        print(f"table and figure: {out}")


if __name__ == "__main__":
    guarded(lambda: tyro.cli(main, description=__doc__))
