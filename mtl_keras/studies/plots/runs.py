"""Figures about training runs: their learning curves, and what they reached."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mtl_keras.colors import BLUE, COLORS, GRAY, INK, VERMILION
from mtl_keras.kinds import SCORES, SHOWN, metric_of
from mtl_keras.studies.plots.style import canvas, figure_name, note_at, panels
from mtl_keras.studies.stages import Group, group_of
from mtl_keras.tasks import TASKS

LOOKS = dict(zip(Group, (("s", GRAY), ("D", INK), ("o", BLUE), ("^", VERMILION)), strict=True))


def learning_curves(histories: dict[str, pd.DataFrame], path: Path | str) -> None:
    """Draw loss and each task's score by epoch: a color a run, training dashed, validation solid, a dot at its best.

    `histories` maps a run's name to its `history.csv`.
    """
    histories = {run: history for run, history in histories.items() if len(history)}
    names = dict.fromkeys(name for history in histories.values() for name in history if not name.startswith("val_"))
    scores = tuple(f"_{score}" for score in SCORES)
    curves = ["loss", *(name for name in names if name.endswith(scores))] if histories else []
    last = max((history["epoch"].max() for history in histories.values()), default=0)
    # The colors come again after seven runs, then dash-dotted.
    looks = [(COLORS[i % len(COLORS)], ("-", "-.")[i // len(COLORS) % 2]) for i in range(len(histories))]
    with canvas(path, 11, 1.2 + 3 * math.ceil(len(curves) / 2)) as figure:
        for axis, name in zip(panels(figure, len(curves), 2), curves, strict=True):
            column = ".".join(name.rsplit("_", 1))
            factor, lower = 1, True
            if name != "loss":
                factor, lower = metric_of(column).factor, metric_of(column).lower_is_better
            settled = []
            for (color, line), history in zip(looks, histories.values(), strict=True):
                scaled = factor * history.set_index("epoch").reindex(columns=[name, f"val_{name}"]).astype(float)
                # A line needs two points: a single epoch is shown by its marker.
                axis.plot(scaled[name].dropna(), "--", color=color, alpha=0.65, lw=1.5, marker="_" * (len(scaled) == 1))
                validation = scaled[f"val_{name}"].dropna()
                axis.plot(validation, line, color=color, linewidth=2)
                # The first epochs of untrained heads are so far off that they would flatten all that follows.
                settled += list(scaled.iloc[1 if len(scaled) > 4 else 0 :].to_numpy().ravel())
                if len(validation):
                    best = validation.idxmin() if lower else validation.idxmax()
                    axis.plot(best, validation[best], "o", color=color, markersize=8, markeredgecolor="white")
            margin = 0.06 * (np.nanmax(settled) - np.nanmin(settled)) or 1
            axis.set(
                xlabel="epoch", xlim=(-0.5, last + 0.5), ylim=np.nanpercentile(settled, [0, 100]) + [-margin, margin]
            )
            axis.set(ylabel="lower is better" if lower else "higher is better")
            axis.set_title("Loss, all tasks together" if name == "loss" else figure_name(column))
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        named = zip(histories, looks, strict=True)
        handles = [Line2D([], [], color=color, ls=line, lw=3, label=run) for run, (color, line) in named]
        handles += [Line2D([], [], color=GRAY, ls="--", label="training")]
        handles += [Line2D([], [], color=GRAY, marker="o", ms=8, mec="white", label="validation, dot at its best")]
        figure.legend(handles=handles if histories else [], loc="outside lower center", ncols=3)


def compare_runs(runs: pd.DataFrame, path: Path | str) -> None:
    """Draw a panel a figure of `runs.csv`: a point and its 95 % interval a run, single-task and multi-task apart.

    The panels zoom in on the trained and reported runs; the number of a baseline outside of them stands at the edge.
    """
    columns = [name for name in runs if name.rpartition(".")[2] in SHOWN and runs[name].notna().any()]
    columns = sorted(columns, key=lambda name: [*TASKS, name.partition(".")[0]].index(name.partition(".")[0]))
    runs = runs.assign(group=pd.Categorical([group_of(run) for _, run in runs.iterrows()], list(Group)))
    runs = runs.sort_values("group", kind="stable", ignore_index=True)
    with canvas(path, 12, 0.9 + math.ceil(len(columns) / 2) * (1.1 + 0.3 * max(2, len(runs)))) as figure:
        for place, (axis, column) in enumerate(zip(panels(figure, len(columns), 2), columns, strict=True)):
            _compare(axis, runs, column)
            axis.set_yticks(range(len(runs)), runs["run"] if place % 2 == 0 else [""] * len(runs))
        shown = {group: LOOKS[group] for group in Group if columns and (runs["group"] == group).any()}
        handles = [Line2D([], [], ls="", marker=m, color=c, ms=9, label=group) for group, (m, c) in shown.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=4)


def _compare(axis: Axes, runs: pd.DataFrame, column: str) -> None:
    factor, lower = metric_of(column).factor, metric_of(column).lower_is_better
    points = factor * runs.reindex(columns=[column, f"{column}.low", f"{column}.high"]).astype(float)
    points = points.T.fillna(points[column]).T.dropna()  # without bounds, an interval of no width
    near = points[runs["group"].loc[points.index] != Group.BASELINE]
    near = near.to_numpy() if len(near) else points.to_numpy()
    margin = 0.1 * (near.max() - near.min()) or 1
    left, right = near.min() - margin, near.max() + 3 * margin
    for row, (value, low, high) in points.iterrows():
        marker, color = LOOKS[runs["group"][row]]
        if value < left:
            note_at(axis, f"\N{LEFTWARDS ARROW} {value:.2f}", (left, row), (4, 0), color)
        elif value > right:
            note_at(axis, f"{value:.2f} \N{RIGHTWARDS ARROW}", (right, row), (-4, 0), color)
        else:
            axis.plot([low, high], [row, row], color=color, linewidth=3, alpha=0.45, solid_capstyle="round")
            axis.plot(value, row, marker=marker, color=color, markersize=9, markeredgecolor="white")
            note_at(axis, f"{value:.2f}", (high, row), (8, 0), color)
    axis.set(title=figure_name(column), xlim=(left, right), ylim=(len(runs) - 0.4, -0.6))
    axis.set_xlabel("\N{LEFTWARDS ARROW} lower is better" if lower else "higher is better \N{RIGHTWARDS ARROW}")
