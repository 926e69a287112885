"""Any CSV file with a column `path`: a label table of one's own, or one that this library wrote.

Paths count from the CSV file's folder. Every column that a task names (`mtl-keras list tasks`; head_pose.yaw and so on)
is a label; `source`, `split` (train, validation, test) and `group` are read too. Other columns are left out, and
named in `attrs["deviations"]`: `mtl_keras.add_task` makes one a task of one's own.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.datasets.lists import refuse
from mtl_keras.errors import UserError
from mtl_keras.files import TEXT
from mtl_keras.tasks import CROP_COLUMNS, TABLE_COLUMNS, TASKS


def csv_file(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a CSV file, or the only one of a folder, into a label table.

    Rows without a path or whose image is missing are in `attrs["skipped"]`; with `strict` the first is an error.
    """
    path = _only_csv(Path(folder))
    text = {column for task in TASKS.values() if task.classes for column in task.columns}
    try:
        read = pd.read_csv(
            path,
            dtype=dict.fromkeys(["path", "source", "split", "group", *text], str),
            keep_default_na=False,
            na_values=[""],
        )
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read as CSV ({' '.join(str(error).split())}); save it as UTF-8 CSV"
        ) from None
    columns = [column for task in TASKS.values() for column in task.columns if column in read]
    if "path" not in read or not columns:
        lacking = "path" if "path" not in read else "of any task (mtl_keras.add_task adds one's own)"
        raise UserError(f"{path}: has no column {lacking}; its columns are {', '.join(map(str, read))[:200]}")
    place = str(path.parent)  # once, since os.path.join would turn a Path into text for each row
    read["path"] = read["path"].map(lambda name: os.path.join(place, name), na_action="ignore")
    missing = ~read["path"].map(os.path.isfile, na_action="ignore").fillna(False).astype(bool)
    skipped = [
        {
            "path": str(path) if pd.isna(name) else name,
            "reason": f"row {row} has no path" if pd.isna(name) else "the image is missing",
        }
        for row, name in read["path"][missing].items()
    ]
    if skipped and strict:
        raise UserError(f"{skipped[0]['path']}: {skipped[0]['reason']}; mend it, or read without strict")
    if missing.all():
        raise UserError(f"{path}: none of its {len(read)} images is there; paths count from the folder of the CSV file")
    read = read[~missing].reset_index(drop=True)
    group = None
    if "group" in read:
        # A row without a group is alone.
        group = pd.factorize(read["group"])[0]
        group = np.where(group < 0, len(read) + np.arange(len(read)), group)
    split = read.get("split")
    others = [str(name) for name in read if name not in {*columns, *TABLE_COLUMNS, *CROP_COLUMNS}]
    left_out = f"left out, since no task names them: {', '.join(others)}; mtl_keras.add_task adds a task of one's own"
    deviations = [{"path": str(path), "reason": left_out}] if others else []
    if strict:
        refuse(deviations)
    labels = {name: read[name] for name in columns}
    table = label_table("csv_file", read["path"], labels, split, group, skipped, deviations)
    if "source" in read:
        table["source"] = read["source"].astype(TEXT).fillna("csv_file")
    return table


def _only_csv(path: Path) -> Path:
    """Return the path if it is a file, or the one CSV file of that folder."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; expected a CSV file with a column `path`")
    found = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if len(found) != 1:
        raise UserError(f"{path}: holds {len(found)} CSV files; expected exactly one, or name the file itself")
    return found[0]
