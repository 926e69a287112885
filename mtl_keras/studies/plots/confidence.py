"""Figures on how far answers can be relied on: reliability diagrams, and scores of the surest answers."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.colors import BLUE, GRAY, VERMILION
from mtl_keras.evaluation.calibration import expected_calibration_error
from mtl_keras.evaluation.selective import area
from mtl_keras.kinds import metric_of
from mtl_keras.studies.plots.style import FEW, canvas, columns_for, figure_name, panels, possible, wrapped
from mtl_keras.tasks import Task

LOOKS = {"before": (VERMILION, "o"), "after": (BLUE, "s")}


def reliability_diagrams(diagrams: Mapping[Task, Mapping[str, pd.DataFrame]], path: Path | str) -> None:
    """Draw accuracy by probability for each task, before and, where there is such, after a temperature.

    `diagrams` are {task: {"before": bins, "after": bins}} of `mtl_keras.evaluation.calibration.reliability`.
    """
    columns = columns_for(len(diagrams), 3)
    width, height = 4.4 * min(columns, max(1, len(diagrams))), 0.6 + 4.2 * math.ceil(len(diagrams) / columns)
    note = f"below the diagonal answers are too sure; the larger a marker, the more images; hollow: fewer than {FEW}"
    with canvas(path, width, height, note) as figure:
        for axis, (task, several) in zip(panels(figure, len(diagrams), columns), diagrams.items(), strict=True):
            axis.plot([0, 100], [0, 100], color=GRAY, linewidth=1, linestyle="--")
            for name, bins in several.items():
                color, marker = LOOKS[name]
                error = 100 * expected_calibration_error(bins)
                x, y = 100 * bins["confidence"], 100 * bins["accuracy"]
                axis.plot(x, y, color=color, linewidth=1.5, label=f"{name}: ECE {error:.1f} %")
                faces = np.where(bins["n"] < FEW, "white", color)
                sizes = 20 + 180 * bins["n"] / bins["n"].sum()
                axis.scatter(x, y, sizes, faces, marker=marker, edgecolors=color, zorder=3, clip_on=False)
            lowest = min(100 * bins["confidence"].min() for bins in several.values())
            axis.set(xlim=(10 * (lowest // 10), 100), ylim=(0, 100), xlabel="probability of the answer (%)")
            axis.set(ylabel="right answers (%)", title=wrapped(task.name.replace("_", " ").capitalize(), 3.6))
            axis.legend(loc="lower right")
            axis.tick_params(pad=6)


def selective_curves(curves: Mapping[str, np.ndarray], path: Path | str) -> None:
    """Draw each figure, such as "gender.accuracy", against the share of answers that are kept, the surest first.

    `curves` are what `mtl_keras.evaluation.selective.selective_scores` returns.
    """
    columns = columns_for(len(curves), 3)
    width, height = 4.4 * min(columns, max(1, len(curves))), 0.6 + 3.4 * math.ceil(len(curves) / columns)
    note = "the surest answers are kept; dashed: all answers"
    with canvas(path, width, height, note) as figure:
        for axis, (column, scores) in zip(panels(figure, len(curves), columns), curves.items(), strict=True):
            # The score of a few answers says little, where there are more.
            first, scores = (FEW - 1 if len(scores) > FEW else 0), metric_of(column).factor * scores
            shares = 100 * np.arange(1, len(scores) + 1) / len(scores)
            axis.axhline(scores[-1], color=GRAY, linewidth=1, linestyle="--")
            axis.plot(shares[first:], scores[first:], color=BLUE, linewidth=2)
            low, high = scores[first:].min(), scores[first:].max()
            margin = 0.08 * (high - low) or 1
            axis.set(xlim=(0, 100), ylim=possible(column, low - margin, high + margin), xlabel="answers kept (%)")
            axis.set_title(wrapped(f"{figure_name(column)}: area {area(scores):.2f}", 3.8))
