"""The results folder of a comparison of methods: its table, what can be said of all methods, and figures."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.data.table import encode, encode_intervals, write_table
from mtl_keras.files import replacing
from mtl_keras.kinds import metric_of
from mtl_keras.studies import results
from mtl_keras.studies.markdown import table_lines
from mtl_keras.studies.method_scores import score_column
from mtl_keras.studies.method_study import MethodStudy
from mtl_keras.studies.method_table import SINGLE, Scores
from mtl_keras.studies.methods import EQUAL, Group
from mtl_keras.studies.plots.methods import draw_conflict, draw_improvements
from mtl_keras.studies.plots.toy_problem import draw_toy_problem
from mtl_keras.studies.progress import in_words
from mtl_keras.studies.report import where_copies_are
from mtl_keras.studies.results import MISSING, heading
from mtl_keras.studies.shared_features import seconds_note
from mtl_keras.tasks import Task


class MethodReport:
    """The files of a comparison of methods, written anew after each of them."""

    def __init__(self, study: MethodStudy, out: Path):
        self.study, self.out = study, out
        earlier = results.read_runs(out) if study.study.resume and (out / "runs.csv").exists() else pd.DataFrame()
        self.scores = Scores(study, earlier)
        (out / "runs.csv").unlink(missing_ok=True)

    def write(self) -> pd.DataFrame:
        """Write `runs.csv`, `methods.csv` and `table.md`, and return the table of methods."""
        table = self.scores.table()
        results.write_runs(self.scores.runs(), self.out)
        write_table(table, self.out / "methods.csv")
        lines = [
            "",
            LEGEND,
            *left_out_of(table, self.study.tasks),
            *findings(table),
            *tuning_lines(self.study),
            "",
            *(f"- {n}" for n in notes(self.study)),
        ]
        write_method_table(self.out, table, self.study.tasks, lines)
        return table

    def draw(self, table: pd.DataFrame) -> None:
        """Draw the figures."""
        draw_improvements(table, self.out / "improvement.png")
        if len(self.study.conflict):
            draw_conflict(self.study.conflict, self.out / "conflict.png")
        weightings = dict.fromkeys(method.settings.weighting for method in self.study.compared())
        draw_toy_problem(self.out / "toy_problem.png", weightings)


LEGEND = (
    "mean ± standard deviation over seeds, where there are several; mean rank over the tasks, 1 is the best; delta-m: "
    "mean relative improvement over one network a task [95 % bootstrap interval over the test images]; against tuned "
    "equal: difference of delta-m from that of the tuned baseline [over the test images] ± half its 95 % interval over "
    "seeds (Student's t of runs of the same seed), where there are several; bold where both leave out 0; "
    f"{MISSING}: not measured."
)


def left_out_of(table: pd.DataFrame, tasks: list[Task]) -> list[str]:
    """Return the lines on tasks that take no part in delta-m, since there is nothing to divide by."""
    single = table[table["method"] == SINGLE].iloc[0]
    names = [task.name for task in tasks if not single[score_column(task)]]
    return ["", f"Not in delta-m: {', '.join(names)}, of which one network a task has a figure of 0."] if names else []


def findings(table: pd.DataFrame) -> list[str]:
    """Return the lines that say how the methods compare with the tuned baseline, all from the figures of the table."""
    equal = table[table["method"] == EQUAL].iloc[0]
    compared = table[(table["group"] != Group.REFERENCE) & table["gain"].notna()]
    lines = []
    if pd.notna(equal["gain"]):
        low, high = -equal["gain.high"], -equal["gain.low"]
        lines.append(f"Tuning adds {-equal['gain']:+.2f} [{low:+.2f}, {high:+.2f}] % to `{EQUAL}`.")
    if len(compared):
        lines.append(_verdicts(compared))
    if len(compared) > 3:
        lines.append(_spread_of(compared))
    steps = compared["milliseconds_a_step"].dropna().astype(float) / (equal["milliseconds_a_step"] or np.nan)
    if len(steps):
        lines.append(f"A step takes {steps.min():.1f} to {steps.max():.1f} times that of `{EQUAL}`.")
    return ["", "What the table says:", "", *(f"- {line}" for line in lines)] if lines else []


def _verdicts(compared: pd.DataFrame) -> str:
    """Return how many methods are clearly better than the tuned baseline, or worse, and which."""
    verdicts = compared.apply(clearly, axis=1)
    better, worse = (compared["method"][verdicts == sign] for sign in (1, -1))
    named = [f" ({', '.join(f'`{name}`' for name in names)})" if len(names) else "" for names in (better, worse)]
    asked = "these test images and seeds" if compared["gain.seeds"].notna().any() else "these test images"
    return (
        f"Of {len(compared)} methods, {len(better)} are clearly better than tuned equal weights{named[0]} and "
        f"{len(worse)} clearly worse{named[1]}; of {(verdicts == 0).sum()} {asked} cannot tell. Of so many, "
        f"up to {len(compared) / 20:.1f} would seem clearly different by chance alone."
    )


def _spread_of(compared: pd.DataFrame) -> str:
    """Return how far the methods are apart, and how much of that may be chance."""
    first, third = compared["gain"].quantile([0.25, 0.75])
    apart = f"Half of the methods lie between {first:+.2f} and {third:+.2f} % of tuned equal weights"
    seeds = compared["delta_m.std"].dropna()
    if not len(seeds):
        return f"{apart}; with one seed each, no interval shows how much of that is chance of the training."
    return (
        f"{apart}. From seed to seed, delta-m of one method moves by {seeds.median():.2f} % (the median standard "
        f"deviation), from method to method by {compared['delta_m'].std():.2f} %. With so few seeds a difference to "
        f"the tuned baseline has to be above {compared['gain.seeds'].median():.2f} % (the median) to be more than "
        "chance of the training."
    )


def tuning_lines(study: MethodStudy) -> list[str]:
    """Return the lines that tell what the baseline was chosen from, and what that cost."""
    if not study.trials:
        return []
    cells = [[trial.name, f"{trial.worth:+.2f}" if np.isfinite(trial.worth) else "diverged"] for trial in study.trials]
    seconds = in_words(study.tuning_seconds)
    title = (
        f"Tuned equal weights: the best of {len(cells)} settings, by the figures on validation images alone, with one "
        f"seed, in {seconds}; first the weights of the losses, then regularization with the best of them:"
    )
    return ["", title, "", *table_lines(("settings", "improvement on validation images, %"), cells)]


def notes(study: MethodStudy) -> list[str]:
    """Return what a reader of the table must know of its rows."""
    train, validation, test = study.study.parts
    counts = {task.name.replace("_", " "): int(encode_intervals(train, task)[1].sum()) for task in study.tasks}
    labels = ", ".join(f"{count} of {name}" for name, count in counts.items())
    blanked = "; some were taken away on purpose" if study.asked.labels_kept < 1 else ""
    common, last = study.common, study.common.seed + study.asked.seeds - 1
    seeds = f"seed {last}" if study.asked.seeds == 1 else f"seeds {common.seed} to {last}"
    found = [
        f"{len(train)} training, {len(validation)} validation and {len(test)} test images, one split; "
        f"{where_copies_are(study.study.parts)}",
        f"labels of the training images: {labels}{blanked}",
        f"{common.backbone}, {seeds}; at most {common.epochs or common.frozen_epochs} epochs, the same batches; "
        "the weights of the epoch that each method's own validation loss calls best",
        "a network of one task sees the images with a label of it, as often as the others do; the milliseconds are "
        "those of all such networks added up, the memory is that of the largest",
        "peak memory: of the process's main memory above that before the run, so only a rough guide",
    ]
    # Of intervals an answer is right or wrong, and has no error in years.
    found += [
        f"{task.name}: no test image has a label that is one number, so the mean rank and delta-m are "
        "of the other tasks alone"
        for task in study.tasks
        if not encode(test, task)[1].any()
    ]
    found += [f"diverged: {error}" for error in study.study.diverged.values()]
    return found + seconds_note(study.study.out, [*study.study.frozen_trunks])


# === As Markdown ===


def write_method_table(out: Path, table: pd.DataFrame, tasks: list[Task], more: Iterable[str]) -> str:
    """Write `table.md` of a table of methods, the best of each group first, and `more` lines; return its text."""
    columns = [score_column(task) for task in tasks]
    headings = ["method", *map(heading, columns), "mean rank", "delta-m %", "against tuned equal", "ms a step"]
    headings += ["parameters (millions)", "peak memory (MiB)"]
    lines = []
    for group in Group:
        members = table[table["group"] == group]
        if not len(members):
            continue
        lines.append([f"*{group}*", *[""] * (len(headings) - 1)])
        if group != Group.REFERENCE:
            members = members.sort_values("delta_m", ascending=False, kind="stable")
        lines += [_cells(row, columns) for _, row in members.iterrows()]
    text = "\n".join([*table_lines(headings, lines), *more]).rstrip() + "\n"
    with replacing(out / "table.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return text


def _cells(row: pd.Series, columns: list[str]) -> list[str]:
    if pd.isna(row.get("delta_m")) and isinstance(row.get("why"), str):
        return [row["method"], f"*{row['why']}*", *[MISSING] * (len(columns) + 5)]
    name = f"{row['method']} ({row['why']})" if isinstance(row.get("why"), str) else row["method"]
    figures = (_spread(row, column, metric_of(column).factor, ".2f") for column in columns)
    gain = _bounds(row, "gain", "+.2f")
    if pd.notna(row.get("gain.seeds")):
        gain += f" ± {row['gain.seeds']:.2f}"
    if clearly(row):
        gain = f"**{gain}**"
    rank = _number(row["rank"], ".1f")
    delta = _spread(row, "delta_m", 1, "+.2f") + _bounds(row, "delta_m", "+.2f", False)
    return [
        name,
        *figures,
        rank,
        delta,
        gain,
        _number(row["milliseconds_a_step"], ".1f"),
        _number(row["parameters"] / 1e6, ".2f"),
        _number(row["peak_mib"], ",.0f"),
    ]


def clearly(row: pd.Series) -> int:
    """Return 1 where a method is better than the tuned baseline, -1 where it is worse, 0 where one cannot tell.

    Neither test images nor seeds may explain the difference; of a single seed nothing is known of the latter.
    """
    by_chance = abs(row.get("gain", np.nan)) <= row.get("gain.seeds", np.nan)
    return 0 if by_chance else int(row.get("gain.low", np.nan) > 0) - int(row.get("gain.high", np.nan) < 0)


def _number(value: float, form: str) -> str:
    return MISSING if pd.isna(value) else format(value, form)


def _spread(row: pd.Series, name: str, factor: float, form: str) -> str:
    """Return a figure, with its standard deviation over seeds where there is one."""
    value, deviation = factor * row.get(name, np.nan), factor * row.get(f"{name}.std", np.nan)
    return _number(value, form) + ("" if pd.isna(deviation) else f" ± {deviation:.2f}")


def _bounds(row: pd.Series, name: str, form: str, value: bool = True) -> str:
    """Return a figure and the interval behind it, or the interval alone."""
    low, high = row.get(f"{name}.low", np.nan), row.get(f"{name}.high", np.nan)
    if pd.isna(low) or pd.isna(high):
        return MISSING if value else ""
    return (_number(row[name], form) if value else "") + f" [{low:{form}}, {high:{form}}]"
