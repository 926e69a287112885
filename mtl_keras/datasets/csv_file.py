"""Any CSV file with a column `path`: a label table of one's own, or one that this library wrote.

Paths count from the CSV file's folder. Every column that a task names (`mtl-keras list tasks`; head_pose.yaw and so on)
is a label, also one of `mtl_keras.add_task`, or of a `tasks.json` beside the file (`mtl_keras.datasets.task_file`); a
number may be an interval, "20-29" or "70+". `source`, `split` (train, validation, test) and `group` are read too, and
`box`, "x y width height" in pixels (`mtl_keras.boxes`): the row is that face of the photo then.
Names may differ in blanks, capitals, `_`, `-` and `.`. Other columns are left out. Both are told in
`attrs["deviations"]`.
"""

import os
from pathlib import Path

import pandas as pd

from mtl_keras.boxes import repeated
from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import header_notes, notes, read_columns, refuse, with_endings
from mtl_keras.datasets.task_file import add_tasks_of, overruled, task_file_beside
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.files import TEXT, as_numbers, image_files, unescaped
from mtl_keras.intervals import end_columns
from mtl_keras.tasks import CROP_COLUMNS, TABLE_COLUMNS, TASKS

LEFT_OUT = "columns left out, since no task names them (mtl_keras.add_task, or a tasks.json beside it, adds one's own)"


def csv_file(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a CSV file, or the only one of a folder, into a label table.

    Rows without a path or whose image is missing are in `attrs["skipped"]`, columns that no task names or nearly does
    in `attrs["deviations"]`; with `strict` the first of either is an error.
    """
    path = _only_csv(Path(folder))
    if own := task_file_beside(path):
        add_tasks_of(own)
    tasks = {column: task for task in TASKS.values() for column in task.columns}
    ends = [column for task in TASKS.values() for column in end_columns(task)]
    optional, unused = ["box", "source", "split", "group", "photo", *tasks, *ends], [*TABLE_COLUMNS, *CROP_COLUMNS]
    read, header = read_columns(path, ["path"], optional=optional, unused=unused)
    read = unescaped(read)
    columns, deviations = [name for name in tasks if name in read], header_notes(path, header, LEFT_OUT)
    ends = [name for name in ends if name in read]
    if not columns and not ends:
        others = "; ".join(entry["reason"] for entry in deviations) or "it has none"
        raise UserError(f"{path}: has no column of any task; {others}")
    read = read.mask(read == "")
    skipped = [{"path": str(path), "reason": f"row {row + 1} has no path"} for row in read.index[read["path"].isna()]]
    place = str(path.parent)  # once, since os.path.join would turn a Path into text for each row
    rows = read[read["path"].notna()]
    rows = rows.assign(path=[os.path.join(place, name) for name in rows["path"]])
    rows, endings = _with_endings(rows, path)
    there = rows["path"].map(os.path.isfile).astype(bool)
    skipped += notes(rows["path"][~there], "the image is missing")
    deviations += endings
    if strict:
        refuse([*skipped, *deviations])
    if not there.any():
        first = f", such as {rows['path'].iloc[0]}" if len(rows) else ""
        counted = "paths count from the folder of the CSV file"
        raise UserError(f"{path}: none of its {len(read)} images is there{first}; {counted}")
    rows = rows[there].reset_index(drop=True)
    if twice := repeated(rows.assign(path=rows["path"].map(os.path.normpath))):
        raise UserError(
            f"{path}: {twice} is in several rows; keep one, or give each of several faces in it a `box` of its own"
        )
    deviations += overruled(path)
    labels = {name: _numbers(rows[name]) if not tasks[name].classes else rows[name] for name in columns}
    labels |= {name: _numbers(rows[name]) for name in ends}
    labels |= {"box": rows["box"]} if "box" in rows else {}
    table = label_table("csv_file", rows["path"], labels, rows.get("split"), rows.get("group"), skipped, deviations)
    if "source" in rows:
        table["source"] = rows["source"].astype(TEXT).fillna("csv_file")
    # Faces that were cut out of photos before are not to be looked for again.
    if "photo" in rows:
        table.attrs["cut_out"] = sorted(set(table["source"][rows["photo"].notna()]))
    return table


def _numbers(cells: pd.Series) -> pd.Series:
    """Return a column of text as numbers, or as it is where a cell is none: that is named with its image later."""
    numbers = as_numbers(cells)
    return numbers if (numbers.notna() == cells.notna()).all() else cells


def _with_endings(rows: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[dict]]:
    """Return the rows with the endings that their images have, and a note where these are not the listed ones."""
    there = rows["path"].map(os.path.isfile).astype(bool)
    folders = sorted({os.path.dirname(name) for name in rows["path"][~there]})
    images = pd.Series([name for folder in folders for name in image_files(folder)], dtype=object).drop_duplicates()
    missing, told = with_endings(rows[~there], images[~images.isin(rows["path"])], path)
    return pd.concat([rows[there], missing]).sort_index(), told


def _only_csv(path: Path) -> Path:
    """Return the path if it is a file, or the one CSV file of that folder."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; expected a CSV file with a column `path`")
    found = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if len(found) != 1:
        raise LayoutError(f"{path}: holds {len(found)} CSV files; expected exactly one, or name the file itself")
    if not found[0].is_file():
        raise UserError(f"{found[0]}: is not a regular file; expected a CSV file, which is read twice")
    return found[0]
