"""How the tasks are related, as a network has learned it."""

from pathlib import Path

import numpy as np

from mtl_keras.colors import INK
from mtl_keras.studies.plots.style import LETTER, canvas, note_at

CELL = 0.8  # the side of a cell in inches


def task_correlations(tasks: list[str], covariance: np.ndarray, path: Path | str) -> None:
    """Draw the correlations of a covariance (T, T) of tasks, from -1 to 1, each with its number."""
    deviations = np.sqrt(np.diag(covariance))
    correlations = covariance / np.outer(deviations, deviations)
    names = [task.replace("_", " ") for task in tasks]
    margin = LETTER * max(map(len, names))
    side = CELL * len(names)
    note = "1: the kernels vary alike; 0: unrelated; -1: opposite"
    with canvas(path, max(6.5, 2.4 + side + margin), 2.2 + side + margin, note) as figure:
        axis = figure.subplots()
        image = axis.imshow(correlations, cmap="RdBu", vmin=-1, vmax=1)
        for (row, column), value in np.ndenumerate(correlations):
            ink = "white" if abs(value) > 0.6 else INK
            # Without the sign of a zero that is rounded.
            note_at(axis, f"{round(float(value), 2) + 0.0:.2f}", (column, row), (0, 0), ink, 11)
        axis.set_xticks(range(len(names)), names, rotation=90)
        axis.set_yticks(range(len(names)), names)
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
        axis.set_title("Learned correlations of the tasks")
        figure.colorbar(image, ax=axis, label="correlation", ticks=[-1, -0.5, 0, 0.5, 1], shrink=0.9)
