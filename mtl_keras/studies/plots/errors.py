"""Figures about a model's errors: of ages, of classes, and between groups of people."""

import math
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from mtl_keras.colors import BLUE, INK, PALE, SKY, VERMILION
from mtl_keras.kinds import SCORES, kind_of, metric_of
from mtl_keras.studies.plots.style import (
    FEW,
    LETTER,
    canvas,
    columns_for,
    figure_name,
    heatmap,
    note_at,
    panels,
    wrapped,
)  # fmt: skip
from mtl_keras.tasks import TASKS, Task

WIDEST, CELL = 16, 0.85  # of a figure of matrices, and the side of their cells, in inches


def age_scatter(predictions: pd.DataFrame, path: Path | str) -> None:
    """Draw answered against labeled ages, and the mean absolute error by decade with its 95 % bootstrap interval."""
    ages = predictions.reindex(columns=["age", "age.value"]).astype(float).dropna()
    with canvas(path, 12, 5.4) as figure:
        if len(ages):
            scatter, decades = figure.subplots(1, 2)
            # An answer by regression may be below 0.
            start, end = min(0, 10 * math.floor(ages.to_numpy().min() / 10)), 10 * (ages.to_numpy().max() // 10 + 1)
            extent = (start, end, start, end)
            hexagons = scatter.hexbin(*ages.to_numpy().T, gridsize=(44, 25), extent=extent, mincnt=1, lw=0.2)
            density = LinearSegmentedColormap.from_list("density", ["#B5D6EE", BLUE, "#041E33"])
            hexagons.set(cmap=density, norm=LogNorm(1, max(2, hexagons.get_array().max())))
            ticks = [n for n in (1, 3, 10, 30, 100, 300, 1000) if n <= hexagons.norm.vmax]
            bar = figure.colorbar(hexagons, ax=scatter, label="images", ticks=ticks, format="%d")
            bar.ax.minorticks_off()
            scatter.plot([start, end], [start, end], color=VERMILION, linewidth=1.5, label="answer = label")
            scatter.set(
                xlim=(start, end), ylim=(start, end), xlabel="labeled age (years)", ylabel="answered age (years)"
            )
            scatter.legend(loc="upper left")
            errors = (ages["age.value"] - ages["age"]).abs()
            rmse = math.sqrt((errors**2).mean())
            scatter.set_title(f"Age: MAE {errors.mean():.2f}, RMSE {rmse:.2f} years ({len(ages):,} images)")
            _decades(decades, errors.groupby(10 * (ages["age"] // 10).astype(int)))


def _decades(axis: Axes, errors: Iterable[tuple[int, pd.Series]]) -> None:
    random, names = np.random.default_rng(0), []
    for place, (decade, error) in enumerate(errors):
        names.append(f"{decade}\N{EN DASH}{decade + 9}")
        low, high = np.percentile(random.choice(error, (1000, len(error))).mean(axis=1), [2.5, 97.5])
        few = {"facecolor": PALE, "edgecolor": "#BDBDBD", "hatch": "////"} if len(error) < FEW else {"color": SKY}
        axis.bar(place, error.mean(), width=0.75, **few)
        axis.plot([place, place], [low, high], color=INK, linewidth=1.6)
        note_at(axis, f"{len(error):,}", (place, high), (0, 4))
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axis.set(xlabel="labeled age (years)", ylabel="age MAE (years) and 95 % interval, lower is better")
    axis.set_title("Error by decade, with the number of images")
    axis.grid(axis="x", visible=False)
    axis.margins(y=0.1)


def confusion_matrices(predictions: pd.DataFrame, tasks: Iterable[Task], path: Path | str) -> None:
    """Draw a matrix a task of classes: how many percent of a label's images (a row) got each answer, and how many."""
    tables = {}
    for task in (task for task in tasks if kind_of(task).names):
        rows = predictions.reindex(columns=[task.name, f"{task.name}.class"]).dropna()
        counts = pd.crosstab(rows[task.name], rows[f"{task.name}.class"])
        tables[task] = counts.reindex(index=task.classes, columns=task.classes, fill_value=0)
    tables = {task: counts for task, counts in tables.items() if counts.to_numpy().any()}
    lines = _in_lines({task: _matrix_size(task)[0] for task in tables}, WIDEST)
    width = max((0.6 + sum(_matrix_size(task)[0] for task in line) for line in lines), default=4)
    heights = [max(_matrix_size(task)[1] for task in line) for line in lines]
    with canvas(path, width, 0.6 + sum(heights or [2]), "percent of the row, below it the number of images") as figure:
        parts = figure.subfigures(len(lines), 1, squeeze=False, height_ratios=heights)[:, 0] if lines else []
        for part, line in zip(parts, lines, strict=True):
            widths = [_cell(task) * task.size for task in line]
            for axis, task in zip(
                part.subplots(1, len(line), squeeze=False, width_ratios=widths)[0], line, strict=True
            ):
                _confusion(axis, task, tables[task])


def _cell(task: Task) -> float:
    """Return the side in inches of a cell of the task's matrix: a matrix of many classes would be too large."""
    return min(CELL, max(CELL / 2, 9 / task.size))


def _matrix_size(task: Task) -> tuple[float, float]:
    """Return the width and height in inches of a task's matrix with its names."""
    names = LETTER * max(map(len, task.classes))
    side = _cell(task) * task.size
    return 1 + max(side, 2.4) + names, 1.6 + side + (names if names > _cell(task) else 0)


def _in_lines(widths: dict[Task, float], widest: float) -> list[list[Task]]:
    """Lay out pictures of these widths in lines that are no wider than allowed, or of one picture."""
    lines, taken = [], math.inf
    for task, width in widths.items():
        if taken + width > widest:
            lines.append([])
            taken = 0
        lines[-1].append(task)
        taken += width
    return lines


def _confusion(axis: Axes, task: Task, counts: pd.DataFrame) -> None:
    shares = 100 * counts.div(counts.sum(axis=1), axis=0)
    heatmap(axis, shares, counts, shares.isna(), "Blues", size=_cell(task) / CELL)
    right = 100 * np.trace(counts) / counts.to_numpy().sum()
    title = f"{task.name.replace('_', ' ').capitalize()}: {right:.1f} % right"
    axis.set_title(wrapped(title, max(2.4, _cell(task) * task.size)))
    axis.set(xlabel="answer", ylabel="label", aspect="equal", anchor="N")
    if LETTER * max(map(len, task.classes)) > _cell(task):
        axis.tick_params(axis="x", labelrotation=90)


def fairness(groups: pd.DataFrame, path: Path | str) -> None:
    """Draw each figure by gender and ethnicity (rows) and age band (columns): the darker, the worse.

    `groups` has a row a group: `gender`, `ethnicity`, `age_band` ("20-29"; each of the three may be absent), `n`,
    figures such as `age.mae`, `gender.accuracy`, and the numbers of labels that those are of, `age.n`, where they are
    not `n`. Colors mean the same in every figure: percents go from 0 to 100, errors from 0 to twice that of all images
    in groups. Cells of fewer than 10 images are hatched.
    """
    keys = [key for key in ("gender", "ethnicity") if key in groups] or ["everybody"]
    figures = [name for name in groups if name.rpartition(".")[2] in SCORES and groups[name].notna().any()]
    across = "labeled age (years)" if "age_band" in groups else ""
    bands = groups.get("age_band", pd.Series("all images", groups.index)).astype(str)
    groups = groups.assign(everybody="everybody", age_band=bands)
    orders = {key: [*TASKS[key].classes] if key in TASKS else ["everybody"] for key in keys}
    orders["age_band"] = sorted(bands.unique(), key=lambda band: int((re.findall(r"\d+", band) or [0])[0]))
    groups = groups.assign(**{key: pd.Categorical(groups[key], order) for key, order in orders.items()})
    groups = groups.set_index([*keys, "age_band"])
    rows, columns = len(groups.groupby(keys, observed=True).size()), columns_for(len(figures), 1)
    width = columns * max(7.0, 4 + 0.95 * len(orders["age_band"]))
    height = max(3, 0.4 + (1.3 + 0.45 * rows) * math.ceil(len(figures) / columns))
    note = (
        f"darker is worse; below each figure the number of images, hatched where fewer than {FEW}; "
        "line on the scale: all these images"
    )
    with canvas(path, width, height, note) as figure:
        for axis, column in zip(panels(figure, len(figures), columns), figures, strict=True):
            images = groups.get(f"{column.partition('.')[0]}.n", groups["n"])
            _groups(axis, column, groups[column], images.where(groups[column].notna(), 0))
            axis.set(title=wrapped(figure_name(column), 4), xlabel=across)


def _groups(axis: Axes, column: str, figures: pd.Series, images: pd.Series) -> None:
    """Draw one figure of all groups, which are the index of both, with the scale of its colors."""
    metric, counts = metric_of(column), images.unstack(fill_value=0)
    values = metric.factor * figures.unstack()
    values.index = [", ".join(name) if isinstance(name, tuple) else name for name in values.index]
    whole = float(np.average(metric.factor * figures.fillna(0), weights=images))
    end = 100 if metric.unit == "%" else 2 * whole or 1
    hatched = values.isna() | (counts < FEW).to_numpy()
    colors = heatmap(axis, values, counts, hatched, "YlOrBr" if metric.lower_is_better else "YlOrBr_r", end)
    beyond = (values.mask(hatched) > end).any(axis=None)
    bar = axis.figure.colorbar(colors, ax=axis, extend="max" if beyond else "neither", fraction=0.05, pad=0.02)
    bar.ax.axhline(whole, color=INK, linewidth=2)
    bar.outline.set_visible(False)
