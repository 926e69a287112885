"""Label table -> TFRecord shards, for training from many machines or from an object store.

A record is a tf.train.Example: `image` is the image file as it was on disk, `path` its name below the folder that all
images have in common, then `source`, `split` (absent if empty), `group`, and a feature for each label: the index of the
class, or a number. A missing label is an absent feature. Rows are shuffled once, then sorted by split, so that a
split's rows follow each other.
"""

import hashlib
import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from mtl_keras.data.images import open_image, reason_of
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
from mtl_keras.data.table import complete, encode, label_columns
from mtl_keras.errors import UserError
from mtl_keras.files import replacing
from mtl_keras.tasks import TASKS, Task


def pack_shards(table: pd.DataFrame, folder: str | Path, rows_per_shard: int = 4096, seed: int = 0) -> dict:
    """Write a label table with its images as shards of at most so many rows, and return the manifest.

    The shards are equally large. One image at a time is in memory. Packing that was interrupted goes on where it
    stopped when the call is repeated; whole shards are kept. Of the columns only those named above are packed.
    """
    if "://" in str(folder):
        raise UserError(f"{folder}: shards are packed into a local folder; pack them there, then copy the folder")
    if rows_per_shard < 1:
        raise UserError(f"rows_per_shard {rows_per_shard}: expected at least 1")
    if not len(table):
        raise UserError("the label table has no rows; expected at least one image")
    folder, table = Path(folder), _dealt(complete(table), seed)
    tasks = [task for task in TASKS.values() if set(task.columns) & set(table.columns)]
    plan = _plan(table, tasks, rows_per_shard, seed)
    count = -(-len(table) // rows_per_shard)
    files = [f"shard-{number:05d}-of-{count:05d}.tfrecord" for number in range(count)]
    done = _finished_shards(folder, plan, files)
    with tqdm(total=len(table), desc=f"packing {folder.name}", unit="image") as bar:
        for number, file in enumerate(files):
            # Rounded so that any number of workers that divides the number of shards divides the rows between shards.
            rows = table.iloc[len(table) * number // count : len(table) * (number + 1) // count]
            if file in done:
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
        raise UserError(f"{_shown(error.filename)}: {reason_of(error)}; run check_images to drop such rows") from None
    return table.assign(_name=[os.path.relpath(path, common).replace(os.sep, "/") for path in paths], _bytes=sizes)


def _plan(table: pd.DataFrame, tasks: list[Task], rows_per_shard: int, seed: int) -> dict:
    """Return all of the manifest but its shards; `table` in it changes with everything that is packed."""
    columns = ["_name", "_bytes", "source", "split", "group", *label_columns(table)]
    contents = table[columns].to_csv(index=False).encode("utf-8", "surrogateescape")
    split = table["split"].fillna("")
    labelled = pd.DataFrame({task.name: encode(table, task)[1].astype(int) for task in tasks}, index=table.index)
    plan = {
        "format": FORMAT,
        "tasks": [
            {
                "name": task.name,
                "kind": task.kind,
                "classes": list(task.classes),
                "values": list(task.values),
                "outputs": list(task.outputs),
            }
            for task in tasks
        ],
        "rows": len(table),
        "labels": {name: {k: int(v) for k, v in part.sum().items()} for name, part in labelled.groupby(split)},
        "rows_per_shard": rows_per_shard,
        "seed": seed,
        "table": hashlib.sha256(contents).hexdigest(),
    }
    return json.loads(json.dumps(plan))


def _finished_shards(folder: Path, plan: dict, files: list[str]) -> dict[str, dict]:
    """Return the entries of the shards that an earlier call left whole; a folder with anything else is an error."""
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    for name in [name for name in found if name.startswith(".")]:
        found.remove(name)
        # What a killed process was writing.
        if name.startswith((".shard-", f".{PROGRESS}.", f".{MANIFEST}.")):
            (folder / name).unlink(missing_ok=True)
    if others := found - {*files, MANIFEST, PROGRESS}:
        other = _shown(min(others))
        raise UserError(
            f"{folder}: holds other files than these shards (such as {other}); name a new folder or empty it"
        )
    for name in [name for name in (MANIFEST, PROGRESS) if name in found]:
        manifest = read_manifest(str(folder), name)
        if {key: value for key, value in manifest.items() if key not in ("shards", "sha256")} != plan:
            raise UserError(
                f"{folder}: holds shards of another table or of other settings; name a new folder or empty it"
            )
        return {shard["file"]: shard for shard in manifest["shards"] if not damage(str(folder), shard, verify=True)}
    return {}


def _write_shard(rows: pd.DataFrame, tasks: list[Task], path: Path, bar: tqdm) -> None:
    labels = [(column, task) for task in tasks for column in task.columns if column in rows]
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for row in rows.to_dict("records"):
                features = {"image": _feature(_image(row["path"])), "group": _feature(row["group"])}
                features["path"] = _feature(row["_name"].encode("utf-8", "surrogateescape"))
                features["source"] = _feature(row["source"].encode())
                if pd.notna(row["split"]):
                    features["split"] = _feature(row["split"].encode())
                for column, task in labels:
                    if pd.notna(row[column]):
                        label = task.classes.index(row[column]) if task.kind == "categorical" else row[column]
                        features[column] = _feature(label)
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
    """Return an image file's bytes; what is plainly no image would otherwise stop a training weeks later."""
    try:
        contents = Path(path).read_bytes()
        with open_image(io.BytesIO(contents)):
            return contents
    except (OSError, UserError) as error:
        raise UserError(f"{_shown(path)}: {reason_of(error)}; run check_images to drop such rows") from None


def _shown(path: str) -> str:
    return path.encode(errors="replace").decode()
