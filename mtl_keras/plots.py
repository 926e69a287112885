"""Figures: learning curves, errors, confusions, differences between groups of people, faces and runs, as PNG files."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from mtl_keras.data.table import replacing
from mtl_keras.results import GROUPS, group_of, metric_of
from mtl_keras.tasks import TASKS, Task

# Colors that stay apart for the color-blind (Okabe and Ito, Color Universal Design, 2008), without the pale yellow.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
INK, GRAY, PALE = "#262626", "#757575", "#ECECEC"
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK)
LOOKS = dict(zip(GROUPS, (("s", GRAY), ("D", INK), ("o", BLUE), ("^", VERMILION)), strict=True))
FEW = 10  # a figure of fewer images says little
Caption = list[tuple[str, bool | None]]  # an answer a line, and whether it is right (None: it has no label)
FAR_OFF = 5  # units; the bound of the cumulative score by which age estimation is judged

STYLE = {
    "font.family": "DejaVu Sans", "font.size": 11, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GRAY,
    "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "axes.grid": True,
    "grid.color": "#E4E4E4", "grid.linewidth": 0.8, "xtick.color": INK, "ytick.color": INK, "xtick.major.size": 0,
    "ytick.major.size": 0, "legend.frameon": False, "hatch.color": "#BDBDBD", "hatch.linewidth": 0.8,
}  # fmt: skip


@contextmanager
def _figure(path: Path | str, width: float, height: float, note: str = "") -> Iterator[Figure]:
    """Give an empty figure of this size in inches; after the block, add a note and write a PNG of 150 dots an inch."""
    # Unlike pyplot, a bare Figure needs no display and no closing.
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
        yield figure
        if not figure.axes:
            figure.text(0.5, 0.5, "Nothing to show: there are no figures to draw.", ha="center", color=GRAY)
        elif note:
            figure.supxlabel(note, color=GRAY, size=10)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


def _panels(figure: Figure, number: int, columns: int) -> list[Axes]:
    """Lay out this many panels in rows; the places left over stay empty."""
    columns = min(columns, number) or 1
    axes = figure.subplots(math.ceil(number / columns), columns, squeeze=False).ravel() if number else np.array([])
    for left_over in axes[number:]:
        left_over.remove()
    return list(axes[:number])


def _name(column: str) -> str:
    """Name of a figure with its unit: "Age MAE (years)" for "age.mae", "Gender accuracy (%)" for "gender.accuracy"."""
    task, _, metric = column.rpartition(".")
    unit = "%" if metric_of(column).factor == 100 else TASKS[task].unit if task in TASKS else ""
    shown = metric.upper() if metric in ("mae", "rmse") else metric
    return f"{task.replace('_', ' ').capitalize()} {shown}" + (f" ({unit})" if unit else "")


def _note(axis: Axes, text: str, place: tuple, shift: tuple, color: str = INK, size: int = 9) -> None:
    """Write a text beside a place (x, y) of the data, so many points to the right and up, and leading away from it."""
    across = "center" if not shift[0] else "left" if shift[0] > 0 else "right"
    up = "center" if not shift[1] else "bottom" if shift[1] > 0 else "top"
    axis.annotate(text, place, shift, textcoords="offset points", ha=across, va=up, fontsize=size, color=color)


def _heatmap(axis: Axes, values: pd.DataFrame, counts: pd.DataFrame, hatched: pd.DataFrame, colors: str) -> None:
    """Draw a table of figures, each over the number of its images; hatched cells have no color, empty ones no text."""
    shown = np.ma.array(values, mask=hatched)
    scale = Normalize(0, 100) if colors == "Blues" else Normalize(shown.min(), shown.max())
    image = axis.imshow(shown, cmap=colors, norm=scale, aspect="auto")
    for (row, column), value in np.ndenumerate(values.to_numpy(float)):
        if hatched.iloc[row, column]:
            axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=PALE, hatch="////", linewidth=0))
        if not math.isnan(value):
            luminance = np.dot(image.cmap(scale(value))[:3], (0.3, 0.6, 0.1))
            ink = "white" if luminance < 0.5 and not hatched.iloc[row, column] else INK
            _note(axis, f"{value:.1f}", (column, row), (0, 1), ink, 11)
            _note(axis, f"{counts.iloc[row, column]:,.0f}", (column, row), (0, -1), ink, 8)
    for line, size in ((axis.axhline, len(values)), (axis.axvline, len(values.columns))):
        for place in range(1, size):
            line(place - 0.5, color="white", linewidth=2)
    axis.set_xticks(range(len(values.columns)), [str(name).replace("_", " ") for name in values.columns])
    axis.set_yticks(range(len(values)), [str(name).replace("_", " ") for name in values.index])
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)


def learning_curves(histories: dict[str, pd.DataFrame], path: Path | str) -> None:
    """Draw loss and each task's score by epoch: a color a run, training dashed, validation solid, a dot at its best.

    `histories` maps a run's name to its `history.csv`.
    """
    histories = {run: history for run, history in histories.items() if len(history)}
    names = dict.fromkeys(name for history in histories.values() for name in history if not name.startswith("val_"))
    curves = ["loss", *(name for name in names if name.endswith(("_accuracy", "_mae")))] if histories else []
    last = max((history["epoch"].max() for history in histories.values()), default=0)
    # The colors come again after seven runs, then dash-dotted.
    looks = [(COLORS[i % len(COLORS)], ("-", "-.")[i // len(COLORS) % 2]) for i in range(len(histories))]
    with _figure(path, 11, 1.2 + 3 * math.ceil(len(curves) / 2)) as figure:
        for axis, name in zip(_panels(figure, len(curves), 2), curves, strict=True):
            column = ".".join(name.rsplit("_", 1))
            factor, lower = (1, True) if name == "loss" else metric_of(column)[1:]
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
            axis.set_title("Loss, all tasks together" if name == "loss" else _name(column))
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
    columns = [name for name in runs if name.endswith((".rmse", ".mae", ".accuracy")) and runs[name].notna().any()]
    columns = sorted(columns, key=lambda name: [*TASKS, name.partition(".")[0]].index(name.partition(".")[0]))
    runs = runs.assign(group=pd.Categorical([group_of(run) for _, run in runs.iterrows()], GROUPS))
    runs = runs.sort_values("group", kind="stable", ignore_index=True)
    with _figure(path, 12, 0.9 + math.ceil(len(columns) / 2) * (1.1 + 0.3 * max(2, len(runs)))) as figure:
        for place, (axis, column) in enumerate(zip(_panels(figure, len(columns), 2), columns, strict=True)):
            _compare(axis, runs, column)
            axis.set_yticks(range(len(runs)), runs["run"] if place % 2 == 0 else [""] * len(runs))
        shown = {group: LOOKS[group] for group in GROUPS if columns and (runs["group"] == group).any()}
        handles = [Line2D([], [], ls="", marker=m, color=c, ms=9, label=group) for group, (m, c) in shown.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=4)


def _compare(axis: Axes, runs: pd.DataFrame, column: str) -> None:
    factor, lower = metric_of(column)[1:]
    points = factor * runs.reindex(columns=[column, f"{column}.low", f"{column}.high"]).astype(float)
    points = points.T.fillna(points[column]).T.dropna()  # without bounds, an interval of no width
    near = points[runs["group"].loc[points.index] != "baseline"]
    near = near.to_numpy() if len(near) else points.to_numpy()
    margin = 0.1 * (near.max() - near.min()) or 1
    left, right = near.min() - margin, near.max() + 3 * margin
    for row, (value, low, high) in points.iterrows():
        marker, color = LOOKS[runs["group"][row]]
        if value < left:
            _note(axis, f"\N{LEFTWARDS ARROW} {value:.2f}", (left, row), (4, 0), color)
        elif value > right:
            _note(axis, f"{value:.2f} \N{RIGHTWARDS ARROW}", (right, row), (-4, 0), color)
        else:
            axis.plot([low, high], [row, row], color=color, linewidth=3, alpha=0.45, solid_capstyle="round")
            axis.plot(value, row, marker=marker, color=color, markersize=9, markeredgecolor="white")
            _note(axis, f"{value:.2f}", (high, row), (8, 0), color)
    axis.set(title=_name(column), xlim=(left, right), ylim=(len(runs) - 0.4, -0.6))
    axis.set_xlabel("\N{LEFTWARDS ARROW} lower is better" if lower else "higher is better \N{RIGHTWARDS ARROW}")


def age_scatter(predictions: pd.DataFrame, path: Path | str) -> None:
    """Draw answered against labeled ages, and the mean absolute error by decade with its 95 % bootstrap interval."""
    ages = predictions.reindex(columns=["age", "age.value"]).astype(float).dropna()
    with _figure(path, 12, 5.4) as figure:
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
        _note(axis, f"{len(error):,}", (place, high), (0, 4))
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axis.set(xlabel="labeled age (years)", ylabel="age MAE (years) and 95 % interval, lower is better")
    axis.set_title("Error by decade, with the number of images")
    axis.grid(axis="x", visible=False)
    axis.margins(y=0.1)


def confusion_matrices(predictions: pd.DataFrame, tasks: Iterable[Task], path: Path | str) -> None:
    """Draw a matrix a categorical task: how many percent of a label's images (a row) got each answer, and how many."""
    tables = {}
    for task in (task for task in tasks if task.kind == "categorical"):
        rows = predictions.reindex(columns=[task.name, f"{task.name}.class"]).dropna()
        counts = pd.crosstab(rows[task.name], rows[f"{task.name}.class"])
        tables[task] = counts.reindex(index=task.classes, columns=task.classes, fill_value=0)
    tables = {task: counts for task, counts in tables.items() if counts.to_numpy().any()}
    sizes = [task.size for task in tables]
    width, height = 1.2 + 1.3 * len(sizes) + 0.85 * sum(sizes), 2.2 + 0.85 * max(sizes, default=2)
    with _figure(path, width, height, "percent of the row, below it the number of images") as figure:
        axes = figure.subplots(1, len(sizes), squeeze=False, width_ratios=sizes)[0] if sizes else []
        for axis, (task, counts) in zip(axes, tables.items(), strict=True):
            shares = 100 * counts.div(counts.sum(axis=1), axis=0)
            _heatmap(axis, shares, counts, shares.isna(), "Blues")
            right = 100 * np.trace(counts) / counts.to_numpy().sum()
            axis.set_title(f"{task.name.replace('_', ' ').capitalize()}: {right:.1f} % right")
            axis.set(xlabel="answer", ylabel="label", aspect="equal", anchor="N")


def fairness(groups: pd.DataFrame, path: Path | str) -> None:
    """Draw each figure by gender and ethnicity (rows) and age band (columns): the darker, the worse.

    `groups` has a row a group: `gender`, `ethnicity`, `age_band` ("20-29"; each of the three may be absent), `n` and
    figures such as `age.mae`, `gender.accuracy`. Cells of fewer than 10 images are hatched and do not set the colors.
    """
    keys = [key for key in ("gender", "ethnicity") if key in groups] or ["everybody"]
    figures = [name for name in groups if name.endswith((".mae", ".accuracy")) and groups[name].notna().any()]
    bands = groups.get("age_band", pd.Series("all", groups.index)).astype(str)
    groups = groups.assign(everybody="everybody", age_band=bands)
    orders = {key: [*TASKS[key].classes] if key in TASKS else ["everybody"] for key in keys}
    orders["age_band"] = sorted(bands.unique(), key=lambda band: int((re.findall(r"\d+", band) or [0])[0]))
    groups = groups.assign(**{key: pd.Categorical(groups[key], order) for key, order in orders.items()})
    cells = groups.groupby([*keys, "age_band"], observed=True)[["n", *figures]].first().unstack()
    width, height = max(7, 3 + 0.95 * len(orders["age_band"])), max(3, 0.4 + (1.3 + 0.45 * len(cells)) * len(figures))
    note = f"darker is worse; below each figure the number of images, hatched where fewer than {FEW}"
    with _figure(path, width, height, note) as figure:
        for axis, column in zip(_panels(figure, len(figures), 1), figures, strict=True):
            values = metric_of(column).factor * cells[column]
            values.index = [", ".join(name) if isinstance(name, tuple) else name for name in values.index]
            hatched = values.isna() | (cells["n"].fillna(0) < FEW).to_numpy()
            colors = "YlOrBr" if metric_of(column).lower_is_better else "YlOrBr_r"
            _heatmap(axis, values, cells["n"], hatched, colors)
            axis.set(title=_name(column), xlabel="labeled age (years)")


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
    with _figure(path, 2 * across, 0.6 + height * math.ceil(max(1, len(images)) / across), note) as figure:
        for axis, image, caption in zip(_panels(figure, len(images), across), images, captions, strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            axis.set(xticks=[], yticks=[])
            wrong = any(right is False for _, right in caption)
            axis.spines[:].set(visible=True, color=VERMILION if wrong else "#D0D0D0", linewidth=3 if wrong else 1)
            for place, (text, right) in enumerate(caption):
                sign, color = ("\N{BALLOT X} ", VERMILION) if right is False else ("", INK)
                axis.annotate(sign + text, (0.5, 0), (0, -6 - 14 * place), xycoords="axes fraction", fontsize=10,
                              textcoords="offset points", ha="center", va="top", color=color)  # fmt: skip
