"""Figures of a comparison of methods: what each is worth, and how much the tasks' gradients are at odds."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mtl_keras.colors import BLUE, COLORS, GRAY, GREEN, INK, ORANGE, VERMILION
from mtl_keras.studies.methods import TUNED, Group
from mtl_keras.studies.plots.style import canvas, note_at

LOOKS = dict(zip(Group, (("D", INK), ("o", BLUE), ("^", VERMILION), ("s", GREEN)), strict=True))


def draw_improvements(table: pd.DataFrame, path: Path | str) -> None:
    """Draw delta-m of each method of `methods.csv` with its interval, the best on top, the tuned baseline as a line.

    Methods that are far off all others are an arrow at the edge; those without figures stand below, with the reason.
    """
    shown = table[table["delta_m"].notna()].sort_values("delta_m", ascending=False, kind="stable")
    failed = table[table["delta_m"].isna()]
    with canvas(path, 10, 1.9 + 0.27 * max(4, len(shown) + len(failed))) as figure:
        if not len(shown):
            return
        axis, (left, right) = figure.subplots(), _ends(shown)
        handles = _lines(axis, shown, left, right)
        for place, (_, row) in enumerate(shown.iterrows()):
            _point(axis, row, place, left, right)
        for place, why in enumerate(failed["why"], len(shown)):
            note_at(axis, str(why).partition(":")[0], (left, place), (6, 0), GRAY)
        rows = [
            *zip(shown["method"], shown["group"], strict=True),
            *zip(failed["method"], failed["group"], strict=True),
        ]
        axis.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=10)
        for label, (_, group) in zip(axis.get_yticklabels(), rows, strict=True):
            label.set_color(LOOKS[Group(group)][1])
        axis.set(xlim=(left, right), ylim=(len(rows) - 0.4, -0.6))
        axis.set_xlabel("improvement over one network a task, delta-m (%): higher is better \N{RIGHTWARDS ARROW}")
        axis.set_title("What each method is worth, with 95 % intervals")
        axis.grid(axis="y", visible=False)
        used = [group for group in Group if (shown["group"] == group).any()]
        points = [Line2D([], [], ls="", marker=LOOKS[g][0], color=LOOKS[g][1], ms=8, label=g) for g in used]
        figure.legend(handles=[*points, *handles], loc="outside lower center", ncols=2)


def _lines(axis: Axes, shown: pd.DataFrame, left: float, right: float) -> list[Line2D]:
    """Draw lines at no improvement and at that of the tuned baseline, and return those for the legend."""
    axis.axvline(0, color=GRAY, lw=1.2, zorder=1)
    baseline = shown[shown["method"].str.startswith(TUNED)]
    if not len(baseline):
        return []
    row = baseline.iloc[0]
    axis.axvspan(*np.clip(row[["delta_m.low", "delta_m.high"]].astype(float), left, right), color=INK, alpha=0.06, lw=0)
    line = axis.axvline(
        row["delta_m"], color=INK, lw=1.4, ls="--", zorder=1, label="tuned equal weights, shaded: their interval"
    )
    return [line]


def _ends(shown: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of the axis, which leave out methods that are far off all others."""
    values = shown["delta_m"].to_numpy(float)
    first, third = np.quantile(values, [0.25, 0.75])
    reach = max(third - first, 1.0)
    near = shown[(shown["delta_m"] >= first - 3 * reach) & (shown["delta_m"] <= third + 3 * reach)]
    bounds = near[["delta_m", "delta_m.low", "delta_m.high"]].to_numpy(float)
    low, high = min(0.0, np.nanmin(bounds)), max(0.0, np.nanmax(bounds))
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def _point(axis: Axes, row: pd.Series, place: int, left: float, right: float) -> None:
    """Draw a method's figure and its interval, with the number behind it."""
    marker, color = LOOKS[Group(row["group"])]
    value = float(row["delta_m"])
    if left <= value <= right:
        bounds = np.clip(row[["delta_m.low", "delta_m.high"]].astype(float).fillna(value), left, right)
        axis.plot(bounds, [place, place], color=color, lw=3, alpha=0.35, solid_capstyle="round", zorder=2)
        axis.plot(value, place, marker=marker, color=color, ms=7.5, mec="white", zorder=3)
    else:
        arrow, at, shift = ("\N{LEFTWARDS ARROW}", left, 4) if value < left else ("\N{RIGHTWARDS ARROW}", right, -4)
        note_at(axis, arrow, (at, place), (shift, 0), color)
    note_at(axis, f"{value:+.2f}", (right, place), (8, 0), color)


def draw_conflict(conflict: pd.DataFrame, path: Path | str) -> None:
    """Draw the cosine of each pair of tasks' gradients over training with equal weights, from `conflict.csv`."""
    with canvas(path, 9, 4.6) as figure:
        if not conflict["cosine"].notna().any():
            return
        axis = figure.subplots()
        axis.axhspan(-1, 0, color=ORANGE, alpha=0.08, lw=0)
        axis.axhline(0, color=GRAY, lw=1.2)
        for number, ((first, second), pair) in enumerate(conflict.groupby(["first", "second"], sort=False)):
            look = {"color": COLORS[number % len(COLORS)], "ls": ("-", "--", ":")[number // len(COLORS) % 3]}
            name = f"{first} and {second}".replace("_", " ")
            axis.plot(pair["epoch"], pair["cosine"], marker="o", ms=6, mec="white", lw=2, label=name, **look)
        reach = max(0.1, 1.15 * conflict["cosine"].abs().max())
        axis.set(ylim=(-min(1, reach), min(1, reach)), xlabel="epochs trained", ylabel="cosine of the gradients")
        axis.set_title("How much the tasks' gradients agree at what they share, with equal weights")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        note_at(axis, "agree", (1, 0), (6, 9), GRAY)
        note_at(axis, "at odds", (1, 0), (6, -9), GRAY)
        for text in axis.texts:
            text.xycoords = axis.get_yaxis_transform()
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
