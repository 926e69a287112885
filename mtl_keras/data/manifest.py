"""The manifest of a folder of shards: what they hold, in which order, and whether each is whole.

`manifest.json` gives the format's version, the tasks that are labelled, the numbers of rows and of labels in each
split, every shard's rows, bytes and sha256, and a sha256 of itself. It is written last; until then `progress.json`
stands for it, so that packing can go on after an interruption.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from mtl_keras.data.table import SPLITS
from mtl_keras.errors import UserError
from mtl_keras.files import open_regular, replacing
from mtl_keras.state_files import CELL, DamagedFileError, count, parse_json
from mtl_keras.tasks import Task, task_from

FORMAT = 1
MANIFEST, PROGRESS = "manifest.json", "progress.json"
# Rows are packed in this order of their splits; those without one come last.
ORDER = (*SPLITS, "")


def shard_name(value: object) -> bool:
    """Tell whether a value is the name of a shard's file."""
    return isinstance(value, str) and re.fullmatch(r"shard-[0-9]+-of-[0-9]+\.tfrecord", value) is not None


SCHEMA = {
    "format": int,
    "tasks": [{"name": str, "kind": str}],
    "intervals?": [str],
    "rows": count,
    "labels": {str: {str: count}},
    "table": str,
    "cut_out?": [str],
    "shards": [{"file": shard_name, "rows": count, "splits": {str: count}, "bytes": count, "sha256": str}],
}
MEND = "copy it anew, or pack the table into an empty folder"


@dataclass(frozen=True)
class Shards:
    """The shards of a label table, or of one split of it."""

    folder: str
    manifest: dict
    split: str | None = None

    @property
    def parts(self) -> list[tuple[dict, int, int]]:
        """Each shard with rows of the split: its entry in the manifest, how many rows to skip, how many to read."""
        parts = []
        for shard in self.manifest["shards"]:
            rows = [shard["splits"].get(split, 0) for split in ORDER]
            place = None if self.split is None else ORDER.index(self.split)
            parts.append((shard, 0, sum(rows)) if place is None else (shard, sum(rows[:place]), rows[place]))
        return [part for part in parts if part[2]]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(rows for _, _, rows in self.parts)

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks that are labelled, as they were when the table was packed."""
        return {fields["name"]: task_from(fields) for fields in self.manifest["tasks"]}

    def labelled(self, task: str) -> int:
        """Return how many rows have a label of the task."""
        labels = self.manifest["labels"]
        return sum(labels[split].get(task, 0) for split in labels if self.split in (None, split))


def write_manifest(manifest: dict, path: Path) -> None:
    """Write a manifest with its own sha256; an old one stays whole until the new one is complete."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({**manifest, "sha256": _seal(manifest)}, indent=1) + "\n", encoding="utf-8")


def _seal(manifest: dict) -> str:
    """Return the sha256 of a manifest's contents, so that any damage to it shows."""
    contents = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def read_manifest(folder: str, name: str = MANIFEST) -> dict:
    """Read a folder's manifest; a missing or damaged one, or one of another version, is an error."""
    path = f"{folder}/{name}"
    try:
        if not tf.io.gfile.exists(path):
            unfinished = tf.io.gfile.exists(f"{folder}/{PROGRESS}")
            mend = "repeat the interrupted packing" if unfinished else "expected a folder that pack_shards wrote"
            raise UserError(f"{folder}: holds no {name}; {mend}")
        # TensorFlow would wait for a pipe, but what lies in a cloud only it reaches.
        with tf.io.gfile.GFile(path, "rb") if "://" in path else open_regular(path) as file:
            text = file.read()
    except tf.errors.OpError as error:
        raise UserError(f"{path}: cannot be read ({reason(error)})") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    found = parse_json(text, {"format?": CELL}, path, MEND)
    if found.get("format", FORMAT) != FORMAT:
        raise UserError(f"{path}: is of format {found['format']!r}, expected {FORMAT}; pack the table anew")
    # The seal tells of damage, the schema of a manifest that was not written here.
    if found.get("sha256") != _seal(found):
        raise DamagedFileError(path, "its sha256 is another", MEND)
    manifest = parse_json(text, SCHEMA, path, MEND)
    shards = manifest["shards"]
    if any(sum(shard["splits"].values()) != shard["rows"] or {*shard["splits"]} - {*ORDER} for shard in shards):
        raise DamagedFileError(path, "the splits of a shard are not those of its rows", MEND)
    if name == MANIFEST and sum(shard["rows"] for shard in shards) != manifest["rows"]:
        raise DamagedFileError(path, f"its shards have not {manifest['rows']} rows", MEND)
    for fields in manifest["tasks"]:
        try:
            task_from(fields)
        except UserError as error:
            raise DamagedFileError(path, error, MEND) from None
    return manifest


def reason(error: tf.errors.OpError) -> str:
    """Say in one line why TensorFlow could not read or write a file."""
    return " ".join(error.message.split())


def file_sha256(path: str) -> str:
    """Return the sha256 of a file's contents, read in pieces."""
    digest = hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def damage(folder: str, shard: dict, verify: bool) -> str:
    """Say in a few words what is wrong with a shard file, by its size or also by its contents; "" if nothing is."""
    path = f"{folder}/{shard['file']}"
    try:
        size = tf.io.gfile.stat(path).length
        if size != shard["bytes"]:
            return f"has {size} bytes, expected {shard['bytes']}"
        return "its sha256 is not the one in the manifest" if verify and file_sha256(path) != shard["sha256"] else ""
    except tf.errors.NotFoundError:
        return "the shard is missing"
    except tf.errors.OpError as error:
        return f"cannot be read ({reason(error)})"
