"""The report on a label table: what it labels, what cannot be read, which images are copies, which labels are odd."""

import base64
import html
import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mtl_keras.boxes import box_numbers, has_boxes
from mtl_keras.data.audit import conflicts, write_skipped
from mtl_keras.data.images import SMALLEST_SIDE, probe, read_image
from mtl_keras.data.table import label_columns, write_table
from mtl_keras.errors import UserError
from mtl_keras.files import replacing
from mtl_keras.intervals import end_columns
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import TASKS, Task

THUMBNAIL, MOST_ROWS = 72, 200
# A smiling mouth goes with these expressions.
SMILING = ("happy", "surprise")
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:left}
td.number{text-align:right}.bar{background:#4477aa;height:.8rem;display:inline-block}img{border-radius:4px;margin:2px}
figure{display:inline-block;margin:4px 12px 12px 0;font-size:12px}.none{color:#777}"""


def label_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Return `task`, `source`, `label` and `images`: numbers by bins of their kind, and rows without a label."""
    parts = []
    tasks = {column: task for task in TASKS.values() for column in task.columns}
    for column, task in tasks.items():
        kind, between = kind_of(task), _intervals(table, task)
        if column not in table and between.empty:
            continue
        cells = table.get(column, pd.Series(np.nan, table.index))
        order = kind.numbers(cells)
        if not kind.names:
            width = kind.bin_width
            # Rounded, since 0.3 / 0.1 is a little less than 3.
            order = (order / width).round(9) // 1
            # In bins of whole numbers the last one is named, in others the number that the next bin starts with.
            last = width - 1 if width >= 10 else width
            names = {number: f"{width * number:g} to {width * number + last:g}" for number in order.dropna().unique()}
            cells = order.map(names).astype(object).fillna(between["label"])
            order = order.fillna(between["low"] / width)
        rows = pd.DataFrame({"source": table["source"], "label": cells.fillna("(none)"), "order": order})
        counts = rows.groupby(["source", "label"], sort=False).agg(images=("label", "size"), order=("order", "first"))
        parts.append(counts.reset_index().sort_values(["source", "order"]).assign(task=column))
    if not parts:
        return pd.DataFrame(columns=["task", "source", "label", "images"])
    return pd.concat(parts)[["task", "source", "label", "images"]].reset_index(drop=True)


def _intervals(table: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the `label` and the lower end of each row's interval, of the rows whose number is unknown."""
    ends = [table.get(name, pd.Series(np.nan, table.index)) for name in end_columns(task)]
    if not ends:
        return pd.DataFrame({"label": [], "low": []})
    low, high = ends
    known = (low.notna() | high.notna()) & table.get(task.name, pd.Series(np.nan, table.index)).isna()
    labels = [
        f"{first:g} and above" if pd.isna(last) else f"up to {last:g}" if pd.isna(first) else f"{first:g} to {last:g}"
        for first, last in zip(low[known], high[known], strict=True)
    ]
    return pd.DataFrame({"label": labels, "low": low[known].fillna(0)}, index=table.index[known])


def copies(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose image occurs more than once, copies side by side, and whether several splits hold it."""
    several = table["image"].duplicated(keep=False)
    rows = table[several].sort_values(["image", "path"]).reset_index(drop=True)
    return rows.assign(across_splits=rows.groupby("image")["split"].transform("nunique") > 1)


def suspicious(table: pd.DataFrame) -> pd.DataFrame:
    """Return `path` and `reason` of the labels that are possible but seldom true, and worth a look."""
    found: list[tuple[pd.Series, str]] = []
    if "age" in table:
        found.append((table["age"] > 100, "older than 100 years"))
    if {"smile", "expression"} <= set(table):
        odd = (table["smile"] == "smiling") & table["expression"].notna() & ~table["expression"].isin(SMILING)
        found.append((odd, "smiles with another expression than happy or surprise"))
    for column in [column for column in label_columns(table) if column.startswith("head_pose.")]:
        found.append((table[column].abs() > 90, f"{column} is beyond 90 degrees"))
    if has_boxes(table):
        found += _boxes_off_their_photos(table)
    for column in [name for name in ("gender", "ethnicity") if name in table]:
        # Copies that disagree are told of as conflicts; these are other images of one person.
        several = table.groupby("group")[column].transform("nunique") > 1
        # The group of a photo of several people is not one person.
        several &= table["box"].isna() if has_boxes(table) else True
        same = table.groupby("image")[column].transform("nunique") > 1
        found.append((several & ~same, f"images of its group carry several labels of {column}"))
    rows = [pd.DataFrame({"path": table["path"][odd], "reason": reason}) for odd, reason in found]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["path", "reason"])


def _boxes_off_their_photos(table: pd.DataFrame) -> list[tuple[pd.Series, str]]:
    """Return which rows have a box that can hardly be a face's, and why."""
    given = table["box"].notna()
    boxes = box_numbers(table["box"][given])  # (N, 4)
    sizes = {path: probe(path) for path in table["path"][given].unique()}
    photos = np.array([sizes[path] for path in table["path"][given]])  # (N, 2)
    seen = (np.minimum(boxes[:, :2] + boxes[:, 2:], photos) - boxes[:, :2].clip(0)).clip(0)
    reasons = (
        (boxes[:, 2:].min(axis=1) < SMALLEST_SIDE, f"its box is smaller than {SMALLEST_SIDE} pixels"),
        (seen.prod(axis=1) < boxes[:, 2:].prod(axis=1) / 2, "more than half of its box lies outside the photo"),
    )
    return [(pd.Series(odd, table.index[given]).reindex(table.index, fill_value=False), why) for odd, why in reasons]


def write_report(table: pd.DataFrame, folder: Path) -> str:
    """Write the report on a table that `check_images` has seen as text, CSV files and a page; return the text.

    `folder` gets report.txt, report.html (with thumbnails, so it stays with whoever may have the images),
    label_counts.csv, copies.csv, conflicts.csv, suspicious.csv, skipped.csv and deviations.csv.
    """
    if "image" not in table:
        raise UserError("the report needs a table that check_images has seen; call it first")
    counts, twice, at_odds, odd = label_counts(table), copies(table), conflicts(table), suspicious(table)
    skipped, audit = table.attrs.get("skipped", []), table.attrs["audit"]
    deviations = table.attrs.get("deviations", [])
    for name, rows in (("label_counts", counts), ("copies", twice), ("conflicts", at_odds), ("suspicious", odd)):
        write_table(rows, folder / f"{name}.csv")
    write_skipped(skipped, folder / "skipped.csv")
    write_skipped(deviations, folder / "deviations.csv")
    across = twice["image"][twice["across_splits"]].nunique()
    summary = [
        ("images", len(table)),
        ("skipped files", len(skipped)),
        ("odd names, lines or columns", len(deviations)),
        ("groups of identical files", f"{audit['identical_groups']} ({audit['identical_images']} images)"),
        ("groups of copies, re-encoded ones included", f"{audit['copy_groups']} ({audit['copy_images']} images)"),
        ("groups of copies in several splits", across),
        ("groups of copies with different labels", at_odds["image"].nunique()),
        ("suspicious labels", len(odd)),
    ]
    text = "\n".join(f"{name}: {value}" for name, value in summary)
    for task, rows in counts.groupby("task", sort=False):
        by_source = rows.pivot(index="label", columns="source", values="images").reindex(rows["label"].unique())
        text += f"\n\n{task}\n{by_source.fillna(0).astype(int).to_string()}"
    with replacing(folder / "report.txt") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8", errors="replace")
    page = _page(summary, counts, at_odds, twice[twice["across_splits"]], odd, (skipped, deviations))
    with replacing(folder / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")
    return text


# === The page ===


def _page(summary, counts: pd.DataFrame, at_odds, across, odd, notes) -> str:
    facts = "".join(f"<tr><td>{html.escape(name)}</td><td class=number>{value}</td></tr>" for name, value in summary)
    parts = ["<h1>Label table</h1>", f"<table>{facts}</table>"]
    for task, rows in counts.groupby("task", sort=False):
        most = rows["images"].max()
        lines = "".join(
            f"<tr><td>{html.escape(row.source)}</td><td>{html.escape(row.label)}</td>"
            f"<td class=number>{row.images:,}</td>"
            f"<td><span class=bar style='width:{18 * row.images / most:.2f}rem'></span></td></tr>"
            for row in rows.itertuples()
        )
        parts.append(f"<h2>{html.escape(task)}</h2><table>{lines}</table>")
    parts.append("<h2>Copies with different labels</h2>" + _groups(at_odds))
    parts.append("<h2>Copies in several splits</h2>" + _groups(across))
    parts.append("<h2>Suspicious labels</h2>" + _pictures(odd, "reason"))
    for title, entries in zip(("Skipped files", "Read in part, or otherwise than written"), notes, strict=True):
        parts.append(f"<h2>{title}</h2>" + _lines(pd.DataFrame(entries)))
    return f"<!doctype html><meta charset=utf-8><title>Label table</title><style>{STYLE}</style>{''.join(parts)}\n"


def _groups(rows: pd.DataFrame) -> str:
    """Return copies side by side, a group a line, each with its labels."""
    if not len(rows):
        return "<p class=none>none</p>"
    shown, lines = rows.head(MOST_ROWS), []
    for _, members in shown.groupby("image", sort=False):
        captions = [", ".join(_shown(row[name]) for name in label_columns(members) if pd.notna(row[name]))
                    for _, row in members.iterrows()]  # fmt: skip
        lines.append(f"<div>{''.join(map(_figure, members['path'], captions))}</div>")
    return _more(rows) + "".join(lines)


def _pictures(rows: pd.DataFrame, caption: str) -> str:
    if not len(rows):
        return "<p class=none>none</p>"
    shown = rows.head(MOST_ROWS)
    return _more(rows) + "".join(map(_figure, shown["path"], shown[caption]))


def _lines(rows: pd.DataFrame) -> str:
    if not len(rows):
        return "<p class=none>none</p>"
    shown = rows.head(MOST_ROWS)[["path", "reason"]].itertuples(index=False)
    cells = "".join(f"<tr><td>{_name(path)}</td><td>{html.escape(str(reason))}</td></tr>" for path, reason in shown)
    return f"{_more(rows)}<table>{cells}</table>"


def _more(rows: pd.DataFrame) -> str:
    return f"<p>{MOST_ROWS} of {len(rows):,} are shown; the CSV files have all.</p>" if len(rows) > MOST_ROWS else ""


def _figure(path: str, caption: str) -> str:
    """Return a small picture within the page, with the image's name and a caption below."""
    try:
        picture = Image.fromarray(read_image(path))
    except UserError:
        return f"<figure>{_name(path)}<br>{html.escape(caption)}</figure>"
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    with io.BytesIO() as file:
        picture.save(file, "JPEG", quality=80)
        data = base64.b64encode(file.getvalue()).decode()
    return (
        f"<figure><img src='data:image/jpeg;base64,{data}' alt=''><br>{html.escape(caption)}<br>{_name(path)}</figure>"
    )


def _shown(label: str | float) -> str:
    return label if isinstance(label, str) else f"{label:g}"


def _name(path: str) -> str:
    return html.escape(Path(path).name)
