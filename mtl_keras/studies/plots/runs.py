"""Figures about training runs: their learning curves, and what they reached."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mtl_keras.colors import BLUE, COLORS, GRAY, INK, VERMILION
from mtl_keras.kinds import SCORES, metric_of
from mtl_keras.studies.plots.style import LETTER, canvas, columns_for, figure_name, note_at, panels, possible, wrapped
from mtl_keras.studies.results import figure_columns
from mtl_keras.studies.stages import Group, group_of
from mtl_keras.tasks import TASKS

# How wide the names of runs may be, in inches.
NAMES = 3.2
LOOKS = dict(zip(Group, (("s", GRAY), ("D", INK), ("o", BLUE), ("^", VERMILION)), strict=True))


def learning_curves(histories: dict[str, pd.DataFrame], path: Path | str) -> None:
    """Draw loss and each task's score by epoch: a color a run, training dashed, validation solid, a dot at its best.

    `histories` maps a run's name to its `history.csv`, whose first epoch is 0.
    """
    histories = {run: history for run, history in histories.items() if len(history)}
    names = dict.fromkeys(name for history in histories.values() for name in history if not name.startswith("val_"))
    scores = tuple(f"_{score}" for score in SCORES)
    curves = ["loss", *(name for name in names if name.endswith(scores))] if histories else []
    several = sum(name.endswith("_loss") for name in names) > 1
    last = max((history["epoch"].max() for history in histories.values()), default=0) + 1
    # The colors come again after seven runs, then dash-dotted.
    looks = [(COLORS[i % len(COLORS)], ("-", "-.")[i // len(COLORS) % 2]) for i in range(len(histories))]
    columns = columns_for(len(curves), 2)
    with canvas(path, 5.5 * columns, 1.2 + 3 * math.ceil(len(curves) / columns)) as figure:
        for axis, name in zip(panels(figure, len(curves), columns), curves, strict=True):
            _curves(axis, name, list(zip(looks, histories.values(), strict=True)))
            axis.set(xlabel="epoch", xlim=(0.5, last + 0.5))
            title = "Loss, all tasks together" if several else "Loss"
            axis.set_title(title if name == "loss" else wrapped(figure_name(_column(name)), 5))
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        named = zip(histories, looks, strict=True)
        handles = [Line2D([], [], color=color, ls=line, lw=3, label=wrapped(run, 4)) for run, (color, line) in named]
        handles += [Line2D([], [], color=GRAY, ls="--", label="training")]
        handles += [Line2D([], [], color=GRAY, marker="o", ms=8, mec="white", label="validation, dot at its best")]
        longest = max(len(line) for handle in handles for line in handle.get_label().split("\n"))
        fit = max(1, min(3, int(5.5 * columns / (0.8 + LETTER * longest))))
        figure.legend(handles=handles if histories else [], loc="outside lower center", ncols=fit)


def _column(name: str) -> str:
    """Return the column of `runs.csv` for a curve's name: "head_pose.mae" for "head_pose_mae"."""
    return ".".join(name.rsplit("_", 1))


def _curves(axis: Axes, name: str, runs: list[tuple[tuple[str, str], pd.DataFrame]]) -> None:
    """Draw one panel: the curve of this name of every run, which comes with its color and line style."""
    metric = None if name == "loss" else metric_of(_column(name))
    factor, lower = (metric.factor, metric.lower_is_better) if metric else (1, True)
    settled = []
    for (color, line), history in runs:
        scaled = factor * history.reindex(columns=[name, f"val_{name}"]).astype(float).set_axis(history["epoch"] + 1)
        scaled = scaled.replace([np.inf, -np.inf], np.nan)
        # A line needs two points: a single epoch is shown by its marker.
        axis.plot(scaled[name].dropna(), "--", color=color, alpha=0.65, lw=1.5, marker="_" * (len(scaled) == 1))
        validation = scaled[f"val_{name}"].dropna()
        axis.plot(validation, line, color=color, linewidth=2)
        # The first epochs of untrained heads are so far off that they would flatten all that follows.
        settled += list(scaled.iloc[1 if len(scaled) > 4 else 0 :].to_numpy().ravel())
        if len(validation):
            best = validation.idxmin() if lower else validation.idxmax()
            settled.append(validation[best])
            axis.plot(best, validation[best], "o", color=color, ms=8, mec="white", clip_on=False, zorder=3)
    if np.isfinite(settled).any():
        low, high = np.nanmin(settled), np.nanmax(settled)
        margin = 0.06 * (high - low) or 1
        ends = (low - margin, high + margin)
        axis.set_ylim(possible(_column(name), *ends) if metric else ends)
    axis.set(ylabel="lower is better" if lower else "higher is better")


def compare_runs(runs: pd.DataFrame, path: Path | str) -> None:
    """Draw a panel a figure of `runs.csv`: its runs, each a point and its 95 % interval, single- and multi-task apart.

    The panels zoom in on the trained and reported runs; an arrow stands for a baseline outside of them.
    """
    columns = [name for name in figure_columns(TASKS.values()) if name in runs and runs[name].notna().any()]
    runs = runs.assign(group=pd.Categorical([group_of(run) for _, run in runs.iterrows()], list(Group)))
    runs = runs.sort_values("group", kind="stable", ignore_index=True)
    # A name of several lines needs more room than one.
    runs["name"] = [wrapped(name, NAMES) for name in runs["run"]]
    runs["room"] = [max(1, 0.7 * len(name.split("\n"))) for name in runs["name"]]
    across = columns_for(len(columns), 2)
    # Each line of panels is as tall as the longer of them needs.
    rows = [runs.loc[runs[column].notna(), "room"].sum() for column in columns]
    heights = [1.1 + 0.3 * max(2, *rows[start : start + across]) for start in range(0, len(rows), across)]
    with canvas(path, 7.5 * across, 0.9 + sum(heights)) as figure:
        for axis, column in zip(panels(figure, len(columns), across, heights), columns, strict=True):
            _compare(axis, runs[runs[column].notna()].reset_index(drop=True), column)
        shown = {group: LOOKS[group] for group in Group if columns and (runs["group"] == group).any()}
        handles = [Line2D([], [], ls="", marker=m, color=c, ms=9, label=group) for group, (m, c) in shown.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=4)


def _compare(axis: Axes, runs: pd.DataFrame, column: str) -> None:
    """Draw one figure of these runs, which all have it, with its number behind each."""
    factor, lower = metric_of(column).factor, metric_of(column).lower_is_better
    points = factor * runs.reindex(columns=[column, f"{column}.low", f"{column}.high"]).astype(float)
    points = points.T.fillna(points[column]).T  # without bounds, an interval of no width
    near = points[runs["group"] != Group.BASELINE]
    near = near.to_numpy() if len(near) else points.to_numpy()
    margin = 0.1 * (near.max() - near.min()) or 1
    left, right = possible(column, near.min() - margin, near.max() + margin)
    rows = runs["room"].cumsum() - runs["room"] / 2 - 0.5
    for row, group, (value, low, high) in zip(rows, runs["group"], points.to_numpy(), strict=True):
        marker, color = LOOKS[group]
        if value < left:
            note_at(axis, "\N{LEFTWARDS ARROW}", (left, row), (4, 0), color)
        elif value > right:
            note_at(axis, "\N{RIGHTWARDS ARROW}", (right, row), (-4, 0), color)
        else:
            bounds = np.clip([low, high], left, right)
            axis.plot(bounds, [row, row], color=color, linewidth=3, alpha=0.45, solid_capstyle="round")
            # At the very end of what is possible it would be cut in half.
            axis.plot(value, row, marker=marker, color=color, ms=9, mec="white", clip_on=False, zorder=3)
        note_at(axis, f"{value:.2f}", (right, row), (8, 0), color)
    axis.set_yticks(rows, runs["name"], fontsize=10)
    axis.set(title=wrapped(figure_name(column), 4), xlim=(left, right), ylim=(runs["room"].sum() - 0.4, -0.6))
    axis.set_xlabel("\N{LEFTWARDS ARROW} lower is better" if lower else "higher is better \N{RIGHTWARDS ARROW}")
