"""A figure of the paths that ways of weighting take on the two-objective toy problem."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mtl_keras.colors import BLUE, GRAY, GREEN, INK, ORANGE, PURPLE, SKY, VERMILION
from mtl_keras.studies.plots.style import canvas, panels
from mtl_keras.studies.toy_problem import (
    CHOICES,
    EPOCHS,
    FRONT_ENDS,
    FRONT_HEIGHT,
    LONGEST,
    STEPS,
    distances_to_front,
    losses_of,
    paths_of,
)
from mtl_keras.training.weightings import WEIGHTINGS

NEAR = 0.5  # of a path's end to the front, to count as on it
COLUMNS, SIDE = 6, 2.3
# What is shown of the plane, and of its losses together; their lowest sum is 11.8.
SPAN, LEVELS = (-11.5, 11.5), np.arange(12.0, 64.0, 4.0)
COLORS = (BLUE, PURPLE, ORANGE, SKY, GREEN)


def draw_toy_problem(path: Path | str, names: Iterable[str] = WEIGHTINGS) -> None:
    """Draw each weighting's paths from five starts over the contours of both losses' sum, one panel a weighting.

    It takes some seconds a weighting. `path` is that of the PNG file.
    """
    names = list(names)
    note = (
        "contours: sum of both losses; bar: the Pareto front; "
        f"{EPOCHS * STEPS} steps of gradient descent, none longer than {LONGEST}, from five starts"
    )
    rows = math.ceil(len(names) / COLUMNS)
    across = min(COLUMNS, max(3, len(names)))
    with canvas(path, SIDE * across, 0.9 + (SIDE + 0.35) * rows, note) as figure:
        for axis, name in zip(panels(figure, len(names), across), names, strict=True):
            _panel(axis, CHOICES.get(name, name))
        handles = [
            Line2D([], [], ls="", marker="o", color=INK, ms=5, label="start"),
            Line2D([], [], ls="", marker="*", color=INK, mec="white", ms=13, label="end on the front"),
            Line2D([], [], ls="", marker="X", color=VERMILION, mec="white", ms=9, label="end elsewhere"),
        ]
        figure.legend(handles=handles if names else [], loc="outside upper right", ncols=3)


def _panel(axis: Axes, choice: str) -> None:
    """Draw the paths of one weighting."""
    across = np.linspace(*SPAN, 161, dtype="float32")
    plane = np.stack(np.meshgrid(across, across), axis=-1)
    total = losses_of(plane).numpy().sum(axis=-1)
    axis.contourf(across, across, total, LEVELS, cmap="Greys", alpha=0.22, extend="both")
    axis.contour(across, across, total, LEVELS, colors="white", linewidths=0.6)
    axis.plot(FRONT_ENDS, [FRONT_HEIGHT] * 2, color=GRAY, lw=6, alpha=0.55, solid_capstyle="round")
    paths, reached = paths_of(choice), 0
    for steps, color in zip(paths, COLORS, strict=True):
        near = distances_to_front(steps[-1]) < NEAR
        reached += near
        axis.plot(*steps.T, color=color, lw=1.8, solid_joinstyle="round")
        axis.plot(*steps[0], "o", color=color, ms=5, mec="white", mew=0.8, zorder=3)
        # An end beyond the picture is marked at its edge.
        end = np.clip(steps[-1], SPAN[0] + 0.6, SPAN[1] - 0.6)
        marker, ink, size = ("*", INK, 11) if near else ("X", VERMILION, 8)
        axis.plot(*end, marker, color=ink, ms=size, mec="white", mew=0.8, zorder=4)
    name, _, settings = choice.partition(":")
    axis.set_title(f"{name}  {reached}/{len(paths)}", fontsize=11, pad=5)
    axis.text(0.97, 0.03, settings, transform=axis.transAxes, fontsize=8, color=INK, ha="right", va="bottom")
    axis.set(xlim=SPAN, ylim=SPAN, xticks=[], yticks=[], aspect="equal")
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
