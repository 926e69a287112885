"""Put the tables that the experiments wrote into README.md and docs/, between the marks that name them.

python data_tools/include_tables.py

    takes a moment; a test checks that every page shows the tables as they are.

`<!-- begin results/NAME/table.md -->` holds that file, `<!-- begin results/NAME/fairness.csv -->` a short form of it,
and `<!-- begin best -->` the best figure of each experiment on real faces.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
# What a figure is called, the factor that it is shown with, and whether the lowest is the best.
SHOWN = {
    "rmse": ("RMSE", 1, True),
    "mae": ("mean error", 1, True),
    "geodesic": ("geodesic error", 1, True),
    "accuracy": ("%", 100, False),
}
AXES = ("gender", "ethnicity", "age_band")


def included(text: str) -> str:
    """Return the text with each `<!-- begin TABLE -->` ... `<!-- end -->` holding what the table is now."""

    def replaced(match: re.Match) -> str:
        name = match[1]
        if name == "best":
            table = best()
        elif name.endswith(".csv"):
            table = by_group(pd.read_csv(ROOT / name))
        else:
            table = (ROOT / name).read_text(encoding="utf-8").strip()
        return f"<!-- begin {name} -->\n{table}\n<!-- end -->"

    return re.sub(r"<!-- begin (\S+) -->\n.*?<!-- end -->", replaced, text, flags=re.DOTALL)


def best() -> str:
    """Return a line for each figure of each experiment on real faces: its best run, and the best published figure."""
    lines = [("experiment", "figure", "best run here [95 % interval]", "published"), ("---", "---", "---", "---:")]
    for file in sorted((ROOT / "results").glob("*/runs.csv")):
        runs, name = pd.read_csv(file), file.parent.name
        # Methods are compared on drawn faces, or by runs too short to be anybody's best.
        if "stage" not in runs or "method" in runs or name.endswith("_rendered"):
            continue
        link = f"[{name}](docs/results/{name}.md)"
        for column in runs.filter(regex=r"\.(rmse|accuracy|geodesic)$"):
            if column.endswith(".rmse") and column.replace(".rmse", ".geodesic") in runs:
                continue  # Of a rotation that error counts, as in the experiment's own table.
            heading, factor, lowest = SHOWN[column.split(".")[1]]
            own = runs[~runs["stage"].isin(["reported", "baseline"])].sort_values(column, ascending=lowest).iloc[0]
            published = runs.loc[runs["stage"] == "reported", column].agg("min" if lowest else "max")
            value, low, high = (f"{factor * own[column + end]:.2f}" for end in ("", ".low", ".high"))
            shown = "–" if pd.isna(published) else f"{factor * published:.2f}"
            figure = f"{column.split('.')[0].replace('_', ' ')} {heading}"
            lines.append((link, figure, f"{value} [{low}, {high}]: {own['run']}", shown))
            link = ""  # once an experiment
    return markdown(lines)


def by_group(table: pd.DataFrame) -> str:
    """Return a line for each gender, ethnicity and age band: means over its groups, each weighted by its images."""
    figures = [column for column in table.filter(regex=r"\.(mae|accuracy)$") if table[column].notna().any()]
    shown = {column: (column.split(".")[0].replace("_", " "), *SHOWN[column.split(".")[1]]) for column in figures}
    lines = [("group", "images", *(f"{task} {heading}" for task, heading, _, _ in shown.values()))]
    lines.append(("---", "---:", *["---:"] * len(figures)))
    for axis in (axis for axis in AXES if axis in table):
        for group, rows in table.groupby(axis):
            means = []
            for column, (_, _, factor, _) in shown.items():
                known = rows[rows[column].notna()]
                images = known.get(f"{column.split('.')[0]}.n", known["n"])
                means.append(f"{factor * (known[column] * images).sum() / images.sum():.1f}")
            lines.append((f"{axis.replace('_band', '')} {group}", f"{rows['n'].sum():,}", *means))
    return markdown(lines)


def markdown(lines: Iterable[tuple[str, ...]]) -> str:
    """Return the lines as a Markdown table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(included(page.read_text(encoding="utf-8")), encoding="utf-8")
