"""What is wrong with a collection of images: unreadable files, copies of one image, copies whose labels disagree."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.boxes import has_boxes
from mtl_keras.data.copies import connected, find_groups
from mtl_keras.data.inspection import inspect_images
from mtl_keras.data.leaks import image_numbers
from mtl_keras.data.table import complete, encode_intervals, label_columns
from mtl_keras.errors import UserError, printable
from mtl_keras.files import without_folders, write_rows
from mtl_keras.intervals import end_columns
from mtl_keras.tasks import TASKS

# Reasons that are printed; the report has all.
MOST_REASONS = 20


def check_images(table: pd.DataFrame, cache: Path | None = None) -> pd.DataFrame:
    """Drop the rows whose image cannot be read and give the copies of one image one `image` and one `group` number.

    The dropped rows are added to `attrs["skipped"]`, the counts of what was found are in `attrs["audit"]`. Groups that
    the table had already are kept and grow by the copies. `cache` is a file that saves a second reading.
    """
    table = complete(table)
    inspection = inspect_images(table["path"].tolist(), cache)
    unreadable = inspection["reason"] != ""
    skipped = inspection.loc[unreadable, ["path", "reason"]].to_dict("records")
    if len(table) and unreadable.all():
        raise _unreadable(skipped)
    inspection = inspection[~unreadable].reset_index(drop=True)
    table = table[~unreadable.to_numpy()].reset_index(drop=True)
    images = find_groups(inspection)
    # Two faces of one photo are no copies of each other.
    table["image"] = table.groupby([images, table["box"]], dropna=False).ngroup() if has_boxes(table) else images
    # Two kinds of links make one graph: rows of one group, and rows of one image.
    groups = pd.factorize(table["group"])[0]
    table["group"] = connected(groups, images + len(table), 2 * len(table))[groups]
    table["group"] = pd.factorize(table["group"])[0]
    table.attrs["skipped"] = [*table.attrs.get("skipped", []), *skipped]
    identical = inspection.drop_duplicates("path").groupby("sha256").size()
    copies = table.groupby("image").size()
    table.attrs["audit"] = {
        "images": len(table),
        "unreadable": len(skipped),
        "identical_groups": int((identical > 1).sum()),
        "identical_images": int(identical[identical > 1].sum()),
        "copy_groups": int((copies > 1).sum()),
        "copy_images": int(copies[copies > 1].sum()),
    }
    return complete(table)


def _unreadable(skipped: list[dict]) -> UserError:
    """Return the error of images of which none is left."""
    first = skipped[0]
    return UserError(f"none of {len(skipped)} images can be read; the first is {first['path']}: {first['reason']}")


def check_beside(others: pd.DataFrame, table: pd.DataFrame, cache: Path | None = None) -> pd.DataFrame:
    """Return `others` as `check_images` does, in which copies of photos of `table` have their `image` number there.

    `table` was checked before.
    """
    others, count = complete(others), len(table)
    groups = others["group"] + 1 + table["group"].max()
    both = pd.concat([table[["path", "group"]], others[["path"]].assign(group=groups)], ignore_index=True)
    both = check_images(both, cache)
    kept = others["path"].isin(both["path"])
    if not kept.any():
        raise _unreadable(both.attrs["skipped"])
    found, (known, own) = others[kept].reset_index(drop=True), np.split(both["image"].to_numpy(), [count])
    numbers = dict(zip(known.tolist(), table["image"].tolist(), strict=True))
    free = 1 + int(table["image"].max())
    found["image"] = [numbers.get(number, free + number) for number in own.tolist()]
    found["group"] = both["group"].to_numpy()[count:]
    found.attrs["skipped"] = [*others.attrs.get("skipped", []), *both.attrs["skipped"]]
    return found


def tell(table: pd.DataFrame) -> None:
    """Print to stderr what was odd where the table was read, and which labels cannot be learned."""
    for line in oddities(table):
        print(line, file=sys.stderr)


def oddities(table: pd.DataFrame) -> list[str]:
    """Return a line for each reason in `attrs["deviations"]`, at most 20, and for each label that cannot be learned.

    That is one without a cell, and one of which a source has a single class or number. Of a number that a source knows
    as intervals alone a line says what is measured.
    """
    table = complete(table)
    entries = pd.DataFrame(table.attrs.get("deviations", []), columns=["path", "reason"])
    reasons = [(reason, list(paths)) for reason, paths in entries["path"].groupby(entries["reason"], sort=False)]
    lines = []
    for reason, paths in reasons[:MOST_REASONS]:
        more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        lines.append(f"{printable(str(paths[0]))}{more}: {reason}")
    if len(reasons) > MOST_REASONS:
        lines.append(f"and {len(reasons) - MOST_REASONS:,} other oddities")
    ends = {column for task in TASKS.values() for column in end_columns(task)}
    for column in label_columns(table):
        if column in ends:
            continue
        if table[column].isna().all():
            lines.append(f"{column}: no image has this label")
        for source, cells in table[column].dropna().groupby(table["source"]):
            if len(cells) > 1 and cells.nunique() == 1:
                where = f"{source}: " if source else ""
                only = f"all {len(cells):,} labels of {column} are {cells.iloc[0]}"
                lines.append(f"{where}{only}: there is nothing to tell apart")
    return lines + _intervals_alone(table)


def _intervals_alone(table: pd.DataFrame) -> list[str]:
    """Return a line for each number of which all labels of a source are intervals, since errors need numbers."""
    lines = []
    for task in TASKS.values():
        ends = table.columns.intersection(list(end_columns(task)))
        for source, rows in table.groupby("source") if len(ends) else ():
            intervals, known = int(rows[ends].notna().any(axis=1).sum()), task.name in rows and rows[task.name].notna()
            if intervals and not np.any(known):
                where = f"{source}: " if source else ""
                only = f"all {intervals:,} labels of {task.name} are intervals"
                lines.append(f"{where}{only}: the share of answers within them is measured, and no error")
    return lines


def conflicts(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose copies carry another label, copies side by side, with the columns at odds in `disagree`.

    Copies are the rows of one `image`, or of one `group` in a table that `check_images` has not seen.
    """
    differ = _disagreements(table)
    rows = table[differ.any(axis=1)].copy()
    marks = differ[differ.any(axis=1)].to_numpy()
    rows["disagree"] = [", ".join(differ.columns[row]) for row in marks]
    return rows.sort_values([image_numbers(table).name, "path"]).reset_index(drop=True)


def resolve_conflicts(table: pd.DataFrame, how: str) -> pd.DataFrame:
    """Settle the labels of copies that disagree: "keep" them, "drop" the rows, or "blank" only the cells at odds.

    Dropped rows are added to `attrs["skipped"]`.
    """
    if how not in ("keep", "drop", "blank"):
        raise UserError(f"conflicts {how!r}: expected keep, drop or blank")
    if how == "keep":
        return table
    table, differ = table.copy(), _disagreements(table)
    if how == "blank":
        for column in differ:
            table[column] = table[column].mask(differ[column])
        return table
    dropped = conflicts(table)
    reasons = [f"copies of this image disagree in {columns}" for columns in dropped["disagree"]]
    skipped = [{"path": path, "reason": reason} for path, reason in zip(dropped["path"], reasons, strict=True)]
    table = table[~differ.any(axis=1)].reset_index(drop=True)
    table.attrs["skipped"] = [*table.attrs.get("skipped", []), *skipped]
    return table


def _disagreements(table: pd.DataFrame) -> pd.DataFrame:
    """Return for every row and label column whether the copies of the row's image cannot all be right there.

    Copies that have several labels are at odds. Of a number that is known up to intervals, in columns that count
    together, they are so where no number is in all of them: 20-29 and 25-34 agree, and so do 20-29 and 25.
    """
    copies, found = image_numbers(table), {}
    for task in TASKS.values():
        columns = [column for column in (*task.columns, *end_columns(task)) if column in table]
        if not any(column in end_columns(task) for column in columns):
            found |= {each: table[each].groupby(copies).transform("nunique") > 1 for each in columns}
            continue
        ends, mask = encode_intervals(table, task)
        ends = np.where(mask[:, None] > 0, ends.reshape(len(table), -1), np.nan)  # (N, 2), of numbers alone (N, 1)
        highest_low = pd.Series(ends[:, 0], table.index).groupby(copies).transform("max")
        apart = highest_low > pd.Series(ends[:, -1], table.index).groupby(copies).transform("min")
        found |= {each: apart & table[each].notna().groupby(copies).transform("any") for each in columns}
    return pd.DataFrame(found, index=table.index, columns=label_columns(table), dtype=bool)


def write_skipped(skipped: list[dict], path: Path | str, folders: Iterable[Path | str] = ()) -> None:
    """Write the skipped files as CSV: `path`, from the name on of that of the `folders` that it is in, and `reason`.

    Files in none of these are named as counted from the folder that all of them share.
    """
    roots, files = [os.path.abspath(folder) for folder in folders], [os.path.abspath(item["path"]) for item in skipped]
    within = [next((root for root in roots if file.startswith(root + os.sep)), None) for file in files]
    others = [os.path.dirname(file) for file, root in zip(files, within, strict=True) if not root]
    shared = os.path.commonpath(others) if others else ""
    names = [os.path.relpath(f, os.path.dirname(r) if r else shared) for f, r in zip(files, within, strict=True)]
    reasons = [without_folders(str(item["reason"])) for item in skipped]
    rows = [{"path": name, "reason": reason} for name, reason in zip(names, reasons, strict=True)]
    write_rows(rows, ["path", "reason"], Path(path))
