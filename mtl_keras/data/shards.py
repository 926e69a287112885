"""TFRecord shards -> label table, and batches like those of `mtl_keras.data.pipeline.batches`.

`mtl_keras.data.packing` writes the shards. They are read through tf.io.gfile, so that the folder may also be one of an
object store that TensorFlow knows. Under MultiWorkerMirroredStrategy each worker reads a range of rows of its own, and
opens only the shards that hold them: with shards of one size, and as many of them as a multiple of the workers, no
shard is read twice.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from mtl_keras.data.augment import Augmentation, augment_labelled, augmentation
from mtl_keras.data.decoding import with_images
from mtl_keras.data.manifest import Shards, damage, read_manifest, reason
from mtl_keras.data.pipeline import InputSpec, check_labelled, finished, options, stamp
from mtl_keras.data.table import SPLITS, complete
from mtl_keras.data.worker_rows import share_of, shared_batches
from mtl_keras.errors import UserError
from mtl_keras.intervals import end_columns
from mtl_keras.kinds import add_task, kind_of
from mtl_keras.tasks import TASKS, Task

# Numbers of shards that a shuffled pass reads by turns, and of their encoded records that it mixes in memory.
READERS, WINDOW = 8, 1024
# Records that are parsed at once for the label table, which has no use for their images.
CHUNK = 256
MEND = "copy the shard anew, or pack the table again"
TEXTS = ("path", "source", "split")


def read_shards(folder: str | Path, split: str | None = None, verify: bool = True) -> Shards:
    """Open the shards of a folder, or those with rows of one split, after checking that each is whole.

    `verify` reads every file to compare its sha256; without it only the manifest and the files' sizes are checked.
    """
    folder = str(folder).rstrip("/")
    if split not in (None, *SPLITS):
        raise UserError(f"split {split!r}: expected None or one of {', '.join(SPLITS)}")
    shards = Shards(folder, read_manifest(folder), split)
    if not shards.rows:
        raise UserError(f"{folder}: none of its {shards.manifest['rows']} rows is of split {split!r}; read another one")
    parts = shards.parts
    for shard, _, _ in tqdm(parts, desc="verifying shards", unit="shard", disable=not verify):
        if wrong := damage(folder, shard, verify):
            raise UserError(f"{folder}/{shard['file']}: {wrong}; {MEND}")
    return shards


def shard_table(shards: Shards) -> pd.DataFrame:
    """Return the label table of the shards, in their order; `path` is each image's name below the packed folder.

    Packed tasks that TASKS does not hold are added to it.
    """
    tasks = shards.tasks
    for task in tasks.values():
        if task.name not in TASKS:
            add_task(task)
    _check_agreement(shards, [TASKS[name] for name in tasks])
    spec = {name: tf.io.FixedLenFeature((), tf.string, "") for name in TEXTS}
    spec |= {"group": tf.io.FixedLenFeature((), tf.int64, 0), **_label_spec(tasks.values(), shards)}
    chunks = []
    for shard, skip, rows in shards.parts:
        path = f"{shards.folder}/{shard['file']}"
        records = tf.data.TFRecordDataset(path).skip(skip).take(rows).batch(CHUNK)
        try:
            read = [tf.nest.map_structure(lambda cells: cells.numpy(), tf.io.parse_example(r, spec)) for r in records]
        except tf.errors.OpError as error:
            raise UserError(f"{path}: cannot be read ({reason(error)}); {MEND}") from None
        except UnicodeDecodeError:  # of TensorFlow's own message
            raise UserError(f"{path}: cannot be read (its records are damaged); {MEND}") from None
        if sum(len(chunk["path"]) for chunk in read) != rows:
            raise UserError(f"{path}: ends before its {rows} rows; {MEND}")
        chunks += read
    cells = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in spec}
    table = pd.DataFrame({name: [c.decode("utf-8", "surrogateescape") for c in cells[name]] for name in TEXTS})
    table["split"] = table["split"].mask(table["split"] == "")
    table["group"] = cells["group"]
    for task in tasks.values():
        for column in (*task.columns, *_ends(task, shards)):
            if kind_of(task).names and not ((cells[column] >= -1) & (cells[column] < task.size)).all():
                raise UserError(f"{shards.folder}: a label of {column!r} is none of its {task.size} classes; {MEND}")
            table[column] = kind_of(task).cells(cells[column])
    return complete(table)


def shard_batches(
    shards: Shards,
    model: InputSpec,
    batch_size: int = 64,
    augment: bool | Augmentation = False,
    shuffle: bool | None = None,
    seed: int = 0,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Return the batches that `mtl_keras.data.pipeline.batches` gives for the same rows, read from shards.

    Rows are changed as there. A shuffled pass takes the shards in a new order and mixes the records of a few of them
    at a time, as seed and epoch say. Under MultiWorkerMirroredStrategy (that of `model`, or in whose scope this is
    called) each worker gets other rows; `batch_size` is still that of all workers together. A worker's last batches may
    be filled with empty images of masks FILLING.
    """
    _check_agreement(shards, model.tasks)
    check_labelled({task.name: shards.labelled(task.name) for task in model.tasks})
    how = augmentation(augment)
    shuffle = bool(how) if shuffle is None else shuffle
    spec = {name: tf.io.FixedLenFeature((), tf.string) for name in ("path", "image")} | _label_spec(model.tasks, shards)

    def parsed(row, epoch, record):
        features = tf.io.parse_single_example(record, spec)
        pairs = {task.name: _label(task, features, _ends(task, shards)) for task in model.tasks}
        labels = {name: pair[0] for name, pair in pairs.items()}
        masks = {name: pair[1] for name, pair in pairs.items()}
        return features["path"], features["image"], row, epoch, labels, masks

    def changed(image, row, epoch, labels, masks):
        if how:
            image, labels = augment_labelled(image, labels, masks, model.tasks, stamp(seed, epoch, row), how)
        return image, labels, masks

    def load(rows):
        files = rows.map(parsed, num_parallel_calls=tf.data.AUTOTUNE)
        loaded = with_images(files, model.image_size, model.resize_method)
        return loaded.map(changed, num_parallel_calls=tf.data.AUTOTUNE)

    index, workers, replicas = share_of(model)
    total = shards.rows
    if workers == 1:
        rows = load(_passes(_share(shards, 0, total), seed, first_epoch, shuffle))
        return finished(rows.batch(batch_size).prefetch(2), total, batch_size)
    if batch_size % replicas:
        raise UserError(f"batch_size {batch_size}: expected a multiple of {replicas}, one part for each replica")
    if total < workers:
        raise UserError(f"{shards.folder}: {total} rows are too few for {workers} workers; expected one for each")
    share = _share(shards, total * index // workers, total * (index + 1) // workers)
    rows = load(_passes(share, seed, first_epoch, shuffle))
    own = shared_batches(rows, batch_size, model.image_size, -(-total // batch_size))
    return own.with_options(options("OFF"))


def _share(shards: Shards, begin: int, end: int) -> list[tuple[str, int, int, int]]:
    """Return where rows `begin` to `end` lie: a file, how many of its rows to skip and to read, the first's number."""
    share, first = [], 0
    for shard, skip, rows in shards.parts:
        low, high = max(begin, first), min(end, first + rows)
        if low < high:
            share.append((f"{shards.folder}/{shard['file']}", skip + low - first, high - low, low))
        first += rows
    return share


def _passes(share: list[tuple[str, int, int, int]], seed: int, first_epoch: int, shuffle: bool) -> tf.data.Dataset:
    """Return (row number, epoch, record) of one epoch, of the next one at each pass, shuffled anew for each."""
    counter = tf.Variable(first_epoch - 1, dtype=tf.int64, trainable=False)
    read = _reader(share)

    def one_pass(epoch):
        key = tf.stack([tf.constant(seed, tf.int64), epoch])

        def mixed(numbers, records):
            count = tf.shape(numbers)[0]
            places = tf.random.experimental.index_shuffle(tf.range(count), key, count - 1)
            return tf.gather(numbers, places), tf.gather(records, places)

        parts = tf.data.Dataset.range(len(share))
        if shuffle:
            parts = parts.map(lambda part: tf.random.experimental.index_shuffle(part, key, len(share) - 1))
            turns = parts.interleave(read, READERS, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            rows = turns.batch(WINDOW).map(mixed).prefetch(1).unbatch()
        else:
            rows = parts.flat_map(read)
        return rows.map(lambda row, record: (row, epoch, record))

    # A variable that each new pass counts up, as in `mtl_keras.data.pipeline.passes`.
    return tf.data.Dataset.range(1).map(lambda _: counter.assign_add(1)).flat_map(one_pass)


def _reader(share: list[tuple[str, int, int, int]]) -> Callable[[tf.Tensor], tf.data.Dataset]:
    """Return a function that gives the pairs (row number, record) of the part of a share with this number."""
    paths, skips, counts, firsts = (tf.constant(column) for column in zip(*share, strict=True))
    skips, counts, firsts = (tf.cast(column, tf.int64) for column in (skips, counts, firsts))

    def read(part):
        records = tf.data.TFRecordDataset(paths[part]).skip(skips[part]).take(counts[part])
        return tf.data.Dataset.zip(tf.data.Dataset.range(firsts[part], firsts[part] + counts[part]), records)

    return read


def _ends(task: Task, shards: Shards) -> tuple[str, ...]:
    """Return the columns of the ends of intervals, of a task that has some in these shards."""
    return end_columns(task) if task.name in shards.manifest.get("intervals", ()) else ()


def _label_spec(tasks: Iterable[Task], shards: Shards) -> dict[str, tf.io.FixedLenFeature]:
    """Say how labels are read: -1 or NaN where there is none."""
    return {
        column: tf.io.FixedLenFeature((), tf.int64, -1)
        if kind_of(task).names
        else tf.io.FixedLenFeature((), tf.float32, np.nan)
        for task in tasks
        for column in (*task.columns, *_ends(task, shards))
    }


def _label(task: Task, features: dict[str, tf.Tensor], ends: tuple[str, ...]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a record's label and mask as `mtl_keras.data.table.encode_intervals` gives them for a row."""
    if ends:
        number = features[task.name]
        label = tf.stack([tf.where(tf.math.is_nan(number), features[end], number) for end in ends])  # (2,)
        known = ~tf.reduce_all(tf.math.is_nan(label))
        label = tf.where(tf.math.is_nan(label), tf.constant(kind_of(task).range, tf.float32), label)
        return tf.where(known, label, 0.0), tf.cast(known, tf.float32)
    label = tf.stack([features[column] for column in task.columns])  # (D,)
    known = tf.reduce_all(label >= 0 if kind_of(task).names else ~tf.math.is_nan(label))
    label = tf.where(known, label, tf.zeros_like(label))
    label = tf.cast(label, kind_of(task).dtype)
    return label[0] if len(task.columns) == 1 else label, tf.cast(known, tf.float32)


def _check_agreement(shards: Shards, tasks: Iterable[Task]) -> None:
    """Refuse shards whose labels mean something else than those of the tasks."""
    packed = shards.tasks
    for task in tasks:
        old = packed.get(task.name, task)
        same = (kind_of(old).names, old.classes, old.outputs) == (kind_of(task).names, task.classes, task.outputs)
        (low, high), (old_low, old_high) = kind_of(task).range, kind_of(old).range
        # What was packed without a range may still be within the task's.
        if not same or (np.isfinite(old_high - old_low) and not low <= old_low <= old_high <= high):
            raise UserError(
                f"{shards.folder}: task {task.name!r} was packed as {_described(old)}, expected {_described(task)}; "
                "pack the table anew"
            )


def _described(task: Task) -> str:
    if task.classes or task.outputs:
        return f"one of {', '.join(task.classes)}" if task.classes else f"numbers of {', '.join(task.outputs)}"
    return kind_of(task).expected
