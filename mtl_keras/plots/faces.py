"""Faces over what a model answers about them."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.plots.style import INK, VERMILION, canvas, panels
from mtl_keras.tasks import Task

Caption = list[tuple[str, bool | None]]  # an answer a line, and whether it is right (None: it has no label)
FAR_OFF = 5  # units; the bound of the cumulative score by which age estimation is judged


def face_captions(predictions: pd.DataFrame, tasks: Iterable[Task]) -> list[Caption]:
    """Return for each row the lines that `face_grid` writes: each task's answer, and if it is right (None: no label).

    A label that differs stands in brackets. An age, or any other number, is wrong if it is more than 5 units off.
    """
    captions = []
    for _, row in predictions.iterrows():
        lines = []
        for task in tasks:
            label, answer = row.get(task.name), row.get(f"{task.name}.class", row.get(f"{task.name}.value"))
            if answer is None or pd.isna(answer):
                continue
            right = None if pd.isna(label) else answer == label if task.classes else abs(answer - label) <= FAR_OFF
            shown, truth = (str(name) if task.classes else f"{name:.0f}" for name in (answer, label))
            text = shown if task.classes else f"{task.name} {shown}"
            lines.append((text if right is None or shown == truth else f"{text} ({truth})", right))
        captions.append([(text.replace("_", " "), right) for text, right in lines])
    return captions


def face_grid(images: Sequence[np.ndarray], captions: Sequence[Caption], path: Path | str) -> None:
    """Draw faces (H, W, 3), uint8, over their captions: a wrong answer is orange with a cross, and frames its face."""
    across = min(6, max(3, len(images)))
    height = 1.95 + 0.2 * max((len(caption) for caption in captions), default=0)
    note = f"answer (label, where it differs); framed and crossed: wrong, or over {FAR_OFF} years off"
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
