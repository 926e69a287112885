"""The distribution of a number, such as an age, as a plot of a web page."""

from html import escape

import numpy as np

from mtl_keras.kinds import kind_of
from mtl_keras.tasks import Task

# Of the plot, in its own units; it is as wide as there is room.
WIDTH, HEIGHT, FLOOR, EDGE = 320, 96, 72, 12
TICKS = 6


def distribution(task: Task, probabilities: np.ndarray, words: str) -> str:
    """Return an SVG of the probabilities (K,) of a task's `values`: their curve, and the answer as a line.

    `words` say the answer to who cannot see the plot.
    """
    values = np.asarray(task.values)
    order = np.argsort(values)
    low, high = values[order[0]], values[order[-1]]
    x = EDGE + (values[order] - low) / (high - low) * (WIDTH - 2 * EDGE)
    y = FLOOR - probabilities[order] / max(float(probabilities.max()), 1e-9) * (FLOOR - 8)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    answer = float(kind_of(task).answer_columns(probabilities[None])[f"{task.name}.value"][0])
    place = EDGE + (answer - low) / (high - low) * (WIDTH - 2 * EDGE)
    title = f"Distribution over {low:g} to {high:g} {task.unit}: {words}"
    ticks = "".join(
        f'<text x="{EDGE + (tick - low) / (high - low) * (WIDTH - 2 * EDGE):.1f}" y="{HEIGHT - 8}">{tick:g}</text>'
        for tick in _ticks(low, high)
    )
    return (
        f'<svg class="distribution" role="img" aria-label="{escape(title)}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<polygon points="{x[0]:.1f},{FLOOR} {points} {x[-1]:.1f},{FLOOR}"/>'
        f'<polyline points="{points}"/><line class="floor" x1="{EDGE}" x2="{WIDTH - EDGE}" y1="{FLOOR}" y2="{FLOOR}"/>'
        f'<line class="answer" x1="{place:.1f}" x2="{place:.1f}" y1="4" y2="{FLOOR}"/>{ticks}</svg>'
    )


def _ticks(low: float, high: float) -> np.ndarray:
    """Return round numbers between these two, about `TICKS` of them."""
    step = 10 ** np.floor(np.log10((high - low) / TICKS))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= TICKS)
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
