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
from mtl_keras.studies.plots.style import FEW, canvas, figure_name, heatmap, note_at, panels
from mtl_keras.tasks import TASKS, Task


def age_scatter(predictions: pd.DataFrame, path: Path | str) -> None:
    """Draw answered against labeled ages, and the mean absolute error by decade with its 95 % bootstrap interval."""
    ages = predictions.reindex(columns=["age", "age.value"]).astype(float).dropna()
    with canvas(path, 12, 5.4) as figure:
        if len(ages):
            scatter, decades = figure.subplots(1, 2)
            end = 10 * math.ceil((ages.to_numpy().max() + 1) / 10)
            hexagons = scatter.hexbin(*ages.to_numpy().T, gridsize=(44, 25), extent=(0, end, 0, end), mincnt=1, lw=0.2)
            density = LinearSegmentedColormap.from_list("density", ["#B5D6EE", BLUE, "#041E33"])
            hexagons.set(cmap=density, norm=LogNorm(1, max(2, hexagons.get_array().max())))
            ticks = [n for n in (1, 3, 10, 30, 100, 300, 1000) if n <= hexagons.norm.vmax]
            bar = figure.colorbar(hexagons, ax=scatter, label="images", ticks=ticks, format="%d")
            bar.ax.minorticks_off()
            scatter.plot([0, end], [0, end], color=VERMILION, linewidth=1.5, label="answer = label")
            scatter.set(xlim=(0, end), ylim=(0, end), xlabel="labeled age (years)", ylabel="answered age (years)")
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
    sizes = [task.size for task in tables]
    width, height = 1.2 + 1.3 * len(sizes) + 0.85 * sum(sizes), 2.2 + 0.85 * max(sizes, default=2)
    with canvas(path, width, height, "percent of the row, below it the number of images") as figure:
        axes = figure.subplots(1, len(sizes), squeeze=False, width_ratios=sizes)[0] if sizes else []
        for axis, (task, counts) in zip(axes, tables.items(), strict=True):
            shares = 100 * counts.div(counts.sum(axis=1), axis=0)
            heatmap(axis, shares, counts, shares.isna(), "Blues")
            right = 100 * np.trace(counts) / counts.to_numpy().sum()
            axis.set_title(f"{task.name.replace('_', ' ').capitalize()}: {right:.1f} % right")
            axis.set(xlabel="answer", ylabel="label", aspect="equal", anchor="N")


def fairness(groups: pd.DataFrame, path: Path | str) -> None:
    """Draw each figure by gender and ethnicity (rows) and age band (columns): the darker, the worse.

    `groups` has a row a group: `gender`, `ethnicity`, `age_band` ("20-29"; each of the three may be absent), `n` and
    figures such as `age.mae`, `gender.accuracy`. Cells of fewer than 10 images are hatched and do not set the colors.
    """
    keys = [key for key in ("gender", "ethnicity") if key in groups] or ["everybody"]
    figures = [name for name in groups if name.rpartition(".")[2] in SCORES and groups[name].notna().any()]
    across = "labeled age (years)" if "age_band" in groups else ""
    bands = groups.get("age_band", pd.Series("all ages", groups.index)).astype(str)
    groups = groups.assign(everybody="everybody", age_band=bands)
    orders = {key: [*TASKS[key].classes] if key in TASKS else ["everybody"] for key in keys}
    orders["age_band"] = sorted(bands.unique(), key=lambda band: int((re.findall(r"\d+", band) or [0])[0]))
    groups = groups.assign(**{key: pd.Categorical(groups[key], order) for key, order in orders.items()})
    cells = groups.groupby([*keys, "age_band"], observed=True)[["n", *figures]].first().unstack()
    width, height = max(7, 3 + 0.95 * len(orders["age_band"])), max(3, 0.4 + (1.3 + 0.45 * len(cells)) * len(figures))
    note = f"darker is worse; below each figure the number of images, hatched where fewer than {FEW}"
    with canvas(path, width, height, note) as figure:
        for axis, column in zip(panels(figure, len(figures), 1), figures, strict=True):
            values = metric_of(column).factor * cells[column]
            values.index = [", ".join(name) if isinstance(name, tuple) else name for name in values.index]
            hatched = values.isna() | (cells["n"].fillna(0) < FEW).to_numpy()
            colors = "YlOrBr" if metric_of(column).lower_is_better else "YlOrBr_r"
            heatmap(axis, values, cells["n"], hatched, colors)
            axis.set(title=figure_name(column), xlabel=across)
