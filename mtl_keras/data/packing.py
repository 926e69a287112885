"""Label table -> TFRecord shards, for training from many machines or from an object store.

A record is a tf.train.Example: `image` is the image file as it was on disk, `path` its name below the folder that all
images have in common, then `source`, `split` (absent if empty), `group`, and a feature for each label: the index of the
class, or a number. A missing label is an absent feature. Rows are shuffled once, then sorted by split, so that a
split's rows follow each other.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from mtl_keras.boxes import refuse_boxes
from mtl_keras.data.images import contents_of, decode, reason_of
from mtl_keras.data.manifest import (
    FORMAT,
    MANIFEST,
    ORDER,
    PROGRESS,
    damage,
    file_sha256,
    read_manifest,
    reason,
    write_manifest,
)
from mtl_keras.data.table import bounds, complete, encode_intervals, label_columns
from mtl_keras.errors import UserError, printable
from mtl_keras.files import check_writable, replacing
from mtl_keras.intervals import end_columns
from mtl_keras.kinds import kind_of
from mtl_keras.owner import owned
from mtl_keras.tasks import CROP_COLUMNS, TASKS, Task, task_from

# Columns that need no mention when they are not packed: numbers of images are told by their groups too.
KNOWN = ("path", "source", "split", "group", "image", *CROP_COLUMNS, "_name", "_bytes")


def pack_shards(table: pd.DataFrame, folder: str | Path, rows_per_shard: int = 4096, seed: int = 0) -> dict:
    """Write a label table with its images as shards of at most `rows_per_shard` rows, and return the manifest.

    The shards are equally large. One image at a time is in memory. Packing that was interrupted goes on where it
    stopped when the call is repeated; whole shards are kept if none of their images has changed since. Of the columns
    only those named above are packed; a line with the names of all others is printed.
    """
    check_packing(folder, rows_per_shard, seed)
    if not len(table):
        raise UserError("the label table has no rows; expected at least one image")
    refuse_boxes(table)
    folder, table = Path(folder), _dealt(complete(table), seed)
    tasks = [task for task in TASKS.values() if {*task.columns, *end_columns(task)} & {*table.columns}]
    if others := [str(column) for column in table if column not in {*KNOWN, *label_columns(table)}]:
        names = ", ".join(others)
        print(f"not packed, since no task names them: {names}; mtl_keras.add_task adds a task", file=sys.stderr)
    plan = _plan(table, tasks, rows_per_shard, seed)
    count = -(-len(table) // rows_per_shard)
    files = [f"shard-{number:05d}-of-{count:05d}.tfrecord" for number in range(count)]
    with owned(folder):
        done = _finished_shards(folder, plan, files)
        with tqdm(total=len(table), desc=f"packing {folder.name}", unit="image") as bar:
            for number, file in enumerate(files):
                # Rounded so that any number of workers that divides that of shards divides the rows between shards.
                rows = table.iloc[len(table) * number // count : len(table) * (number + 1) // count]
                if file in done and not _changed_since(folder / file, rows["path"]):
                    bar.update(len(rows))
                    continue
                with replacing(folder / file) as temporary:
                    _write_shard(rows, tasks, temporary, bar)
                    splits = rows["split"].fillna("").value_counts(sort=False)
                    done[file] = {
                        "file": file,
                        "rows": len(rows),
                        "splits": {split: int(splits[split]) for split in ORDER if split in splits},
                        "bytes": temporary.stat().st_size,
                        "sha256": file_sha256(str(temporary)),
                    }
                write_manifest({**plan, "shards": [done[each] for each in files if each in done]}, folder / PROGRESS)
        manifest = {**plan, "shards": [done[file] for file in files]}
        write_manifest(manifest, folder / MANIFEST)
        (folder / PROGRESS).unlink(missing_ok=True)
        return manifest


def check_packing(folder: str | Path, rows_per_shard: int, seed: int) -> None:
    """Refuse what no table can be packed with."""
    if rows_per_shard < 1:
        raise UserError(f"rows_per_shard {rows_per_shard}: expected at least 1")
    if seed < 0:
        raise UserError(f"seed {seed} is negative; expected 0 or more")
    check_writable(folder, folder=True)
    found = {path.name for path in Path(folder).iterdir()} if Path(folder).is_dir() else set()
    _refuse_others({name for name in found - {MANIFEST, PROGRESS} if not name.startswith((".", "shard-"))}, folder)


def _refuse_others(names: set[str], folder: str | Path) -> None:
    """Refuse a folder that holds files of these names, which are not of its shards."""
    if names:
        other = printable(min(names))
        raise UserError(
            f"{folder}: holds other files than these shards (such as {other}); name a new folder or empty it"
        )


def _dealt(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the table shuffled and then sorted by split, with each file's name and size."""
    table = table.iloc[np.random.default_rng(seed).permutation(len(table))]
    places = table["split"].fillna("").map({split: place for place, split in enumerate(ORDER)})
    table = table.iloc[np.argsort(places.to_numpy(), kind="stable")].reset_index(drop=True)
    paths = [os.path.abspath(path) for path in table["path"]]
    common = os.path.commonpath([os.path.dirname(path) for path in paths])
    try:
        sizes = [os.path.getsize(path) for path in paths]
    except OSError as error:
        raise UserError(
            f"{printable(error.filename)}: {reason_of(error)}; run check_images to drop such rows"
        ) from None
    return table.assign(_name=[os.path.relpath(path, common).replace(os.sep, "/") for path in paths], _bytes=sizes)


def _plan(table: pd.DataFrame, tasks: list[Task], rows_per_shard: int, seed: int) -> dict:
    """Return all of the manifest but its shards; `table` in it changes with everything that is packed."""
    columns = ["_name", "_bytes", "source", "split", "group", *label_columns(table)]
    contents = table[columns].to_csv(index=False).encode("utf-8", "surrogateescape")
    split = table["split"].fillna("")
    labelled = pd.DataFrame(
        {task.name: encode_intervals(table, task)[1].astype(int) for task in tasks}, index=table.index
    )
    plan = {
        "format": FORMAT,
        "tasks": [asdict(task) for task in tasks],
        # Tasks of which some rows have an interval.
        "intervals": [task.name for task in tasks if bounds(table, task) is not None],
        "rows": len(table),
        "labels": {name: {k: int(v) for k, v in part.sum().items()} for name, part in labelled.groupby(split)},
        "rows_per_shard": rows_per_shard,
        "seed": seed,
        "table": hashlib.sha256(contents).hexdigest(),
    }
    # Sets of photos whose faces were cut out already, so that nobody does it again.
    if "photo" in table and table["photo"].notna().any():
        plan["cut_out"] = sorted(set(table["source"][table["photo"].notna()]))
    return json.loads(json.dumps(plan))


def _with_tasks(plan: dict) -> dict:
    """Return a plan with its tasks whole: an older version noted less of each."""
    return {"intervals": [], **plan, "tasks": [task_from(fields) for fields in plan["tasks"]]}


def _finished_shards(folder: Path, plan: dict, files: list[str]) -> dict[str, dict]:
    """Return the entries of the shards that an earlier call left whole; a folder with anything else is an error."""
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    for name in [name for name in found if name.startswith(".")]:
        found.remove(name)
        # What a killed process was writing.
        if name.startswith((".shard-", f".{PROGRESS}.", f".{MANIFEST}.")):
            (folder / name).unlink(missing_ok=True)
    _refuse_others(found - {*files, MANIFEST, PROGRESS}, folder)
    for name in [name for name in (MANIFEST, PROGRESS) if name in found]:
        manifest = read_manifest(str(folder), name)
        found_plan = {key: value for key, value in manifest.items() if key not in ("shards", "sha256")}
        if _with_tasks(found_plan) != _with_tasks(plan):
            raise UserError(
                f"{folder}: holds shards of another table or of other settings; name a new folder or empty it"
            )
        return {shard["file"]: shard for shard in manifest["shards"] if not damage(str(folder), shard, verify=True)}
    return {}


def _changed_since(shard: Path, paths: Iterable[str]) -> bool:
    """Tell whether one of the images was written after the shard: it may have another content of as many bytes."""
    return max(os.stat(path).st_mtime_ns for path in paths) > shard.stat().st_mtime_ns


def _write_shard(rows: pd.DataFrame, tasks: list[Task], path: Path, bar: tqdm) -> None:
    columns = ((column, task) for task in tasks for column in (*task.columns, *end_columns(task)))
    labels = {column: kind_of(task) for column, task in columns if column in rows}
    rows = rows.assign(**{column: kind.numbers(rows[column]) for column, kind in labels.items()})
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for row in rows.to_dict("records"):
                features = {"image": _feature(_image(row["path"])), "group": _feature(row["group"])}
                features["path"] = _feature(row["_name"].encode("utf-8", "surrogateescape"))
                features["source"] = _feature(row["source"].encode())
                if pd.notna(row["split"]):
                    features["split"] = _feature(row["split"].encode())
                for column, kind in labels.items():
                    if pd.notna(row[column]):
                        features[column] = _feature(int(row[column]) if kind.names else row[column])
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
                bar.update()
    except tf.errors.OpError as error:
        raise OSError(reason(error)) from None


def _feature(value: bytes | int | float) -> tf.train.Feature:
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def _image(path: str) -> bytes:
    """Return an image file's bytes; what cannot be read would otherwise stop a training weeks later."""
    try:
        contents = contents_of(path)
        decode(contents)
        return contents
    except (OSError, UserError) as error:
        raise UserError(f"{printable(path)}: {reason_of(error)}; run check_images to drop such rows") from None
