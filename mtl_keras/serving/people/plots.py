"""Figures of what was counted: visitors by minute, a pyramid of ages, and what a model answers about people."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mtl_keras.colors import BLUE, GRAY, INK, ORANGE, VERMILION
from mtl_keras.files import replacing
from mtl_keras.kinds import kind_of
from mtl_keras.state_files import read_csv
from mtl_keras.tasks import AGE, GENDER, TASKS, Task

STYLE = {
    "font.size": 11, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GRAY, "axes.spines.top": False,
    "axes.spines.right": False, "axes.titlelocation": "left", "axes.titleweight": "bold", "axes.titlesize": 12,
    "legend.frameon": False,
}  # fmt: skip
# At most this number of bars of minutes; of a longer video each stands for several.
MOST_BARS = 120
YEARS = 10


@contextmanager
def _figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})


def draw_visitors(minutes: Path, path: Path) -> None:
    """Draw who came and how many were there, minute by minute, from `minutes.csv`."""
    table = read_csv(minutes, (), ("minute", "frames", "mean_present", "most_present", "new"))
    wide = -(-len(table) // MOST_BARS) or 1
    groups = table.groupby(table["minute"] // wide * wide)
    new, most = groups["new"].sum(), groups["most_present"].max()
    mean = (table["mean_present"] * table["frames"]).groupby(table["minute"] // wide * wide).sum() / groups[
        "frames"
    ].sum().clip(lower=1)
    unit = "minute" if wide == 1 else f"{wide} minutes"
    with _figure(path, 8, 4.6) as figure:
        above, below = figure.subplots(2, sharex=True)
        above.bar(new.index + wide / 2, new, 0.85 * wide, color=BLUE)
        above.set_title(f"New visitors by {unit}")
        below.bar(most.index + wide / 2, most, 0.85 * wide, color="#CFE3F1", label="most at once")
        below.bar(mean.index + wide / 2, mean, 0.85 * wide, color=ORANGE, label="on average")
        below.set_title("People present")
        below.set_xlabel("minutes since the start")
        below.legend(loc="upper left", bbox_to_anchor=(1, 1))
        for axis in (above, below):
            axis.yaxis.set_major_locator(MaxNLocator(integer=True))
            axis.set_xlim(0, max(1, len(new)) * wide)


def draw_ages(people: Path, tasks: list[Task], path: Path) -> None:
    """Draw a pyramid of the ages in `people.csv`, women and men on either side; nothing where no age is answered."""
    table = _answered(people, AGE.name, [f"{AGE.name}.value"])
    if AGE.name not in {task.name for task in tasks} or table.empty:
        return
    bins = (table[f"{AGE.name}.value"] // YEARS * YEARS).astype(int)
    order = np.arange(0, bins.max() + YEARS, YEARS)
    gendered = f"{GENDER.name}.class" in table
    sides = [("male", -1, BLUE), ("female", 1, VERMILION)] if gendered else [("all", 1, BLUE)]
    with _figure(path, 7, 0.9 + 0.36 * max(4, len(order))) as figure:
        axis = figure.subplots()
        for name, sign, color in sides:
            chosen = bins[table[f"{GENDER.name}.class"] == name] if gendered else bins
            counts = chosen.value_counts().reindex(order, fill_value=0)
            axis.barh(order, sign * counts, 0.85 * YEARS, color=color, label=name)
        most = max(1, *(abs(bar.get_width()) for bar in axis.patches))
        axis.set_xlim(-1.1 * most if gendered else 0, 1.1 * most)
        axis.set_yticks(order, [f"{low}–{low + YEARS - 1}" for low in order])
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{abs(number):g}"))
        axis.axvline(0, color=GRAY, linewidth=0.8)
        axis.set_title("Visitors by age, as the model estimates it")
        axis.set_xlabel("people")
        axis.set_ylabel("years")
        if gendered:
            axis.legend(loc="upper left", bbox_to_anchor=(1, 1))


def draw_classes(people: Path, tasks: list[Task], path: Path) -> None:
    """Draw how many people a model puts in each class of its tasks, such as expressions; nothing without any."""
    chosen = [task for task in tasks if kind_of(task).names]
    found = {task.name: _answered(people, task.name, [f"{task.name}.class"]) for task in chosen}
    chosen = [task for task in chosen if len(found[task.name])]
    if not chosen:
        return
    heights = [len(task.classes) for task in chosen]
    with _figure(path, 7, 0.7 * len(chosen) + 0.32 * sum(heights)) as figure:
        axes = figure.subplots(len(chosen), squeeze=False, height_ratios=heights)[:, 0]
        for axis, task in zip(axes, chosen, strict=True):
            counts = found[task.name][f"{task.name}.class"].value_counts().reindex(task.classes, fill_value=0)
            axis.barh([name.replace("_", " ") for name in task.classes], counts, 0.8, color=BLUE)
            axis.invert_yaxis()
            axis.set_title(task.name.replace("_", " ").capitalize())
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[-1].set_xlabel("people")


def read_people(path: Path, tasks: Iterable[str]) -> pd.DataFrame:
    """Read a `people.csv` with answers to tasks of these names."""
    names = dict.fromkeys((*TASKS, *tasks))
    return read_csv(path, (), ("person",), texts=("tracks", *(f"{name}.class" for name in names)))


def _answered(people: Path, task: str, columns: list[str]) -> pd.DataFrame:
    """Return the rows of `people.csv` in which a task is answered; none where it is not among its columns."""
    table = read_people(people, {task, GENDER.name})
    return table.dropna(subset=columns) if {*columns} <= {*table} else table.iloc[:0]
