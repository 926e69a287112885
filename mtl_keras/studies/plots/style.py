"""What all figures share: colors, fonts, panels, notes, tables of colored cells, and how a file is written."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from mtl_keras.colors import GRAY, INK, PALE
from mtl_keras.files import replacing
from mtl_keras.kinds import metric_of
from mtl_keras.tasks import TASKS

FEW = 10  # a figure of fewer images says little
LETTER = 0.095  # width of a letter in inches, at the size of most texts

STYLE = {
    "font.family": "DejaVu Sans", "font.size": 11, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GRAY,
    "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "axes.grid": True,
    "grid.color": "#E4E4E4", "grid.linewidth": 0.8, "xtick.color": INK, "ytick.color": INK, "xtick.major.size": 0,
    "ytick.major.size": 0, "legend.frameon": False, "hatch.color": "#BDBDBD", "hatch.linewidth": 0.8,
}  # fmt: skip


@contextmanager
def canvas(path: Path | str, width: float, height: float, note: str = "") -> Iterator[Figure]:
    """Give an empty figure of this size in inches; after the block, add a note and write a PNG of 150 dots an inch."""
    # Unlike pyplot, a bare Figure needs no display and no closing.
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
        yield figure
        if not figure.axes:
            figure.text(0.5, 0.5, "Nothing to show: there are no figures to draw.", ha="center", color=GRAY)
        elif note:
            figure.supxlabel(wrapped(note, width, 0.08), color=GRAY, size=10)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


def panels(figure: Figure, number: int, columns: int, heights: Sequence[float] | None = None) -> list[Axes]:
    """Lay out this many panels in rows, of these `heights` or all alike; the places left over stay empty."""
    if not number:
        return []
    columns = min(columns, number)
    axes = figure.subplots(math.ceil(number / columns), columns, squeeze=False, height_ratios=heights).ravel()
    for left_over in axes[number:]:
        left_over.remove()
    return list(axes[:number])


def columns_for(number: int, least: int) -> int:
    """Return in how many columns to lay out this many panels: more for many, or the figure grows too long to open."""
    return max(least, math.ceil(math.sqrt(number / 3)))


def wrapped(text: str, width: float, letter: float = LETTER) -> str:
    """Break a text into lines of this width in inches; a longer word is broken as well."""
    return textwrap.fill(text, max(12, int(width / letter)))


def figure_name(column: str) -> str:
    """Name of a figure with its unit: "Age MAE (years)" for "age.mae", "Gender accuracy (%)" for "gender.accuracy"."""
    task, metric = column.rpartition(".")[0], metric_of(column)
    unit = metric.unit or (TASKS[task].unit if task in TASKS else "")
    return f"{task.replace('_', ' ').capitalize()} {metric.title}" + (f" ({unit})" if unit else "")


def possible(column: str, low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis for a figure such as "gender.accuracy", cut to what the figure can be."""
    return max(low, 0), min(high, 100) if metric_of(column).unit == "%" else high


def note_at(axis: Axes, text: str, place: tuple, shift: tuple, color: str = INK, size: float = 9) -> None:
    """Write a text beside a place (x, y) of the data, shifted right and up by points, and leading away from it."""
    across = "center" if not shift[0] else "left" if shift[0] > 0 else "right"
    up = "center" if not shift[1] else "bottom" if shift[1] > 0 else "top"
    axis.annotate(text, place, shift, textcoords="offset points", ha=across, va=up, fontsize=size, color=color)


def heatmap(
    axis: Axes,
    values: pd.DataFrame,
    counts: pd.DataFrame,
    hatched: pd.DataFrame,
    colors: str,
    end: float = 100,
    size: float = 1,
) -> AxesImage:
    """Draw a table of figures, each over the number of its images, and return the image of its colors.

    The colors go from 0 to `end`. Hatched cells have no color, empty ones no text; `size` is that of the texts.
    """
    scale = Normalize(0, end)
    image = axis.imshow(np.ma.array(values, mask=hatched), cmap=colors, norm=scale, aspect="auto")
    for (row, column), value in np.ndenumerate(values.to_numpy(float)):
        if hatched.iloc[row, column]:
            axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=PALE, hatch="////", linewidth=0))
        if not math.isnan(value):
            luminance = np.dot(image.cmap(scale(value))[:3], (0.3, 0.6, 0.1))
            ink = "white" if luminance < 0.5 and not hatched.iloc[row, column] else INK
            note_at(axis, f"{value:.{1 if end >= 5 else 2}f}", (column, row), (0, 1), ink, 11 * size)
            note_at(axis, f"{counts.iloc[row, column]:,.0f}", (column, row), (0, -1), ink, 8 * size)
    for line, cells in ((axis.axhline, len(values)), (axis.axvline, len(values.columns))):
        for place in range(1, cells):
            line(place - 0.5, color="white", linewidth=2 * size)
    axis.set_xticks(range(len(values.columns)), [str(name).replace("_", " ") for name in values.columns])
    axis.set_yticks(range(len(values)), [str(name).replace("_", " ") for name in values.index])
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    return image
