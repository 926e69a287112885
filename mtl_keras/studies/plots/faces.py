"""Faces over what a model answers about them, and what its first layer sees in them."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mtl_keras.colors import INK, VERMILION
from mtl_keras.kinds import kind_of
from mtl_keras.rotations import axes
from mtl_keras.studies.plots.style import LETTER, canvas, panels
from mtl_keras.tasks import Task, name_before_class

AXIS = 0.3  # length of a head's axes, in widths of the image
Caption = list[tuple[str, bool | None]]  # an answer a line, and whether it is right (None: it has no label)


def face_captions(predictions: pd.DataFrame, tasks: Sequence[Task]) -> list[Caption]:
    """Return for each row the lines that `face_grid` writes: each task's answer, and if it is right (None: no label).

    A label that differs stands in brackets. A number is wrong if it is further off than its task's `within`, and
    neither right nor wrong for a task without.
    """
    named = {column: (task, name) for task in tasks for column, name in _names(task, tasks).items()}
    captions = []
    for _, row in predictions.iterrows():
        lines = (_line(row, column, *about) for column, about in named.items())
        captions.append([line for line in lines if line])
    return captions


def _line(row: pd.Series, column: str, task: Task, name: str) -> tuple[str, bool | None] | None:
    """Return the line of one answer, after the name, and whether it is right; None where there is no answer."""
    label, answer = row.get(column), row.get(f"{column}.class", row.get(f"{column}.value"))
    if answer is None or pd.isna(answer):
        return None
    shown, right = _words(task, answer), None
    text = f"{name} {shown}".lstrip()
    if pd.notna(label):
        truth = _words(task, label)
        text += f" ({truth})" if truth != shown else ""
        if task.classes:
            right = answer == label
        elif task.within is not None:
            right = bool(abs(kind_of(task).difference(label, answer)) <= task.within)
    return text.replace("_", " "), right


def _names(task: Task, tasks: Sequence[Task]) -> dict[str, str]:
    """Return what is written before the answers in each of a task's columns: nothing where a class says it all."""
    if not task.classes:
        return {column: column.rpartition(".")[2] for column in task.columns}
    return {task.name: name_before_class(task, tasks)}


def _words(task: Task, answer: str | float) -> str:
    """Return a class name, or a number with as many decimals as its range asks for."""
    decimals = 0 if kind_of(task).bin_width >= 1 else 2
    # Adding zero turns the "-0" of a small negative number into "0".
    return str(answer) if task.classes else f"{round(answer, decimals) + 0:.{decimals}f}"


def head_axes(predictions: pd.DataFrame, tasks: Sequence[Task]) -> list[list[tuple[str, float, float]]]:
    """Return the axes of each row's head that `face_grid` draws: none without an answer of yaw, pitch and roll."""
    return [[axis for task in tasks for axis in axes(kind_of(task).as_json(row))] for _, row in predictions.iterrows()]


def note_on(captions: Iterable[Caption], tasks: Iterable[Task]) -> str:
    """Return what a reader must know of these captions."""
    lines = [line for caption in captions for line in caption]
    if all(right is None for _, right in lines):
        labelled = any(text.endswith(")") for text, _ in lines)
        return "answer (label, where it differs)" if labelled else "answers; these faces have no labels of such tasks"
    bounds = [f"{task.name} over {task.within:g} {task.unit}".strip() for task in tasks if task.within is not None]
    wrong = ["wrong" for task in tasks if task.classes][:1] + [f"{bound} off".replace("_", " ") for bound in bounds]
    return f"answer (label, where it differs); framed and crossed: {', or '.join(wrong)}"


def face_grid(
    images: Sequence[np.ndarray],
    captions: Sequence[Caption],
    path: Path | str,
    note: str = "",
    heads: Sequence[Sequence[tuple[str, float, float]]] = (),
) -> None:
    """Draw faces (H, W, 3), uint8, over their captions: a wrong answer is orange with a cross, and frames its face.

    `heads` are each face's axes, as `head_axes` gives them.
    """
    across, wide = min(6, max(3, len(images))), 2
    height = 1.95 + 0.2 * max((len(caption) for caption in captions), default=0)
    with canvas(path, wide * across, 0.6 + height * math.ceil(max(1, len(images)) / across), note) as figure:
        heads = heads or [()] * len(images)
        for axis, image, caption, head in zip(
            panels(figure, len(images), across), images, captions, heads, strict=True
        ):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            _draw_axes(axis, image.shape, head)
            axis.set(xticks=[], yticks=[], anchor="N")
            wrong = any(right is False for _, right in caption)
            axis.spines[:].set(visible=True, color=VERMILION if wrong else "#D0D0D0", linewidth=3 if wrong else 1)
            for place, (text, right) in enumerate(caption):
                text, color = ("\N{BALLOT X} " + text, VERMILION) if right is False else (text, INK)
                size = min(10, 11 * (wide - 0.1) / (LETTER * len(text)))  # a long line must not reach the next face
                axis.annotate(text, (0.5, 0), (0, -6 - 14 * place), xycoords="axes fraction", fontsize=size,
                              textcoords="offset points", ha="center", va="top", color=color)  # fmt: skip


def _draw_axes(axis: Axes, shape: tuple[int, ...], head: Iterable[tuple[str, float, float]]) -> None:
    """Draw the axes of a head from the middle of its image."""
    y, x = (side / 2 for side in shape[:2])
    axis.autoscale(False)
    for color, right, down in head:
        line = [x, x + AXIS * shape[1] * right], [y, y + AXIS * shape[1] * down]
        axis.plot(*line, color="white", linewidth=4, solid_capstyle="round")
        axis.plot(*line, color=color, linewidth=2.4, solid_capstyle="round")


def feature_maps(seen: np.ndarray, maps: np.ndarray, path: Path | str) -> None:
    """Draw what a network sees of a face, and beside it every map of a layer, the brighter the stronger.

    `seen` are the pixels (B, H, W, C) of faces as they reach the network's first layer, `maps` that layer's answers
    (B, H', W', F): those of the first face are drawn. A map that is the same everywhere in all faces is dead, one that
    is so in the first alone is silent here.
    """
    across, number = 11, maps.shape[-1]
    rows = math.ceil(number / (across - 3)) or 1
    silent = np.ptp(maps[0], axis=(0, 1)) == 0
    dead = np.ptp(maps, axis=(0, 1, 2)) == 0
    note = f"what the network sees of a face, and {number} maps of its first convolution, each in shades of its own"
    if dead.any():
        which = ", ".join(str(place + 1) for place in np.flatnonzero(dead))
        note += f"; dead, in all of {len(maps)} faces: {which}"
    pixels = seen[0].astype(np.float32)
    pixels = (pixels - pixels.min()) / (np.ptp(pixels) or 1)
    with canvas(path, across, 1.02 * rows + 0.6, note) as figure:
        grid = figure.add_gridspec(rows, across)
        face = figure.add_subplot(grid[:, :3])
        # One channel is gray, three are colors, and of others the first has to do.
        face.imshow(pixels if pixels.shape[-1] == 3 else pixels[..., 0], cmap="gray", vmin=0, vmax=1)
        places = [figure.add_subplot(grid[n // (across - 3), 3 + n % (across - 3)]) for n in range(number)]
        for place, axis in enumerate(places):
            axis.imshow(maps[0, ..., place], cmap="gray")
            if silent[place]:
                word = f"{place + 1}\ndead" if dead[place] else "silent\nhere"
                axis.text(0.5, 0.5, word, transform=axis.transAxes, ha="center", va="center", color="white", size=9)
        for axis in (face, *places):
            axis.set_axis_off()
