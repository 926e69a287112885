"""Faces over what a model answers about them, and what its first layer sees in them."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.colors import INK, VERMILION
from mtl_keras.kinds import kind_of
from mtl_keras.studies.plots.style import canvas, panels
from mtl_keras.tasks import AGE, Task

Caption = list[tuple[str, bool | None]]  # an answer a line, and whether it is right (None: it has no label)


def face_captions(predictions: pd.DataFrame, tasks: Iterable[Task]) -> list[Caption]:
    """Return for each row the lines that `face_grid` writes: each task's answer, and if it is right (None: no label).

    A label that differs stands in brackets. A number is wrong if it is further off than its task's `within`, and
    neither right nor wrong for a task without.
    """
    captions = []
    for _, row in predictions.iterrows():
        lines = []
        for task in tasks:
            label, answer = row.get(task.name), row.get(f"{task.name}.class", row.get(f"{task.name}.value"))
            if answer is None or pd.isna(answer):
                continue
            shown, right = _words(task, answer), None
            text = shown if task.classes else f"{task.name} {shown}"
            if pd.notna(label):
                truth = _words(task, label)
                text += f" ({truth})" if truth != shown else ""
                if task.classes or task.within is not None:
                    right = answer == label if task.classes else abs(answer - label) <= task.within
            lines.append((text, right))
        captions.append([(text.replace("_", " "), right) for text, right in lines])
    return captions


def _words(task: Task, answer: str | float) -> str:
    """Return a class name, or a number with as many decimals as its range asks for."""
    return str(answer) if task.classes else f"{answer:.{0 if kind_of(task).bin_width >= 1 else 2}f}"


def face_grid(images: Sequence[np.ndarray], captions: Sequence[Caption], path: Path | str) -> None:
    """Draw faces (H, W, 3), uint8, over their captions: a wrong answer is orange with a cross, and frames its face."""
    across = min(6, max(3, len(images)))
    height = 1.95 + 0.2 * max((len(caption) for caption in captions), default=0)
    note = f"answer (label, where it differs); framed and crossed: wrong, or over {AGE.within:g} years off"
    with canvas(path, 2 * across, 0.6 + height * math.ceil(max(1, len(images)) / across), note) as figure:
        for axis, image, caption in zip(panels(figure, len(images), across), images, captions, strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            axis.set(xticks=[], yticks=[])
            wrong = any(right is False for _, right in caption)
            axis.spines[:].set(visible=True, color=VERMILION if wrong else "#D0D0D0", linewidth=3 if wrong else 1)
            for place, (text, right) in enumerate(caption):
                sign, color = ("\N{BALLOT X} ", VERMILION) if right is False else ("", INK)
                axis.annotate(sign + text, (0.5, 0), (0, -6 - 14 * place), xycoords="axes fraction", fontsize=10,
                              textcoords="offset points", ha="center", va="top", color=color)  # fmt: skip


def feature_maps(image: np.ndarray, maps: np.ndarray, path: Path | str) -> None:
    """Draw a face (H, W, 3), uint8, and beside it every map (H', W', F) of a layer, the brighter the stronger."""
    across = 11
    rows = math.ceil(maps.shape[-1] / (across - 3)) or 1
    with canvas(path, across, 1.02 * rows + 0.4, "the image, and the maps of the first convolution") as figure:
        grid = figure.add_gridspec(rows, across)
        face = figure.add_subplot(grid[:, :3])
        face.imshow(image)
        axes = [figure.add_subplot(grid[n // (across - 3), 3 + n % (across - 3)]) for n in range(maps.shape[-1])]
        for number, axis in enumerate(axes):
            axis.imshow(maps[..., number], cmap="gray")
        for axis in (face, *axes):
            axis.set_axis_off()
