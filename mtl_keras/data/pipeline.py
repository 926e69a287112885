"""Label table -> tf.data batches of (image, {task: label}, {task: mask})."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from mtl_keras.boxes import refuse_boxes
from mtl_keras.data import sampling
from mtl_keras.data.augment import Augmentation, augment_labelled, augmentation
from mtl_keras.data.decoding import naming_images, unreadable, with_images_of_files
from mtl_keras.data.table import encode_intervals
from mtl_keras.data.worker_rows import FILLING, Share, own_rows, share_of, shared_batches
from mtl_keras.errors import UserError
from mtl_keras.tasks import Task

# Training images that take no more bytes than this, an eighth of the memory, are decoded once, larger sets anew at each
# epoch: no processor decodes as fast as an accelerator learns.
IN_MEMORY = (os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**31) // 8


@dataclass(frozen=True)
class InputSpec:
    """What a pipeline must know of the network that it feeds; a `MultiTaskModel` says the same of itself.

    Without `tasks` there are images alone, without labels and masks.
    """

    tasks: list[Task]
    image_size: int
    resize_method: str = "bilinear"


def batches(
    table: pd.DataFrame,
    model: InputSpec,
    batch_size: int | dict[str, int] = 64,
    augment: bool | Augmentation = False,
    shuffle: bool | None = None,
    seed: int = 0,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Return batches of images (B, S, S, 3) uint8, labels {task: (B,) or (B, D)} and masks {task: (B,)}.

    Where the table has intervals of a task its labels are their ends, (B, 2).

    `augment` changes the images at random (True, or how), but only so that the labels of the tasks stay true; shuffling
    is on wherever that is, unless told otherwise.
    Shuffled rows are seen as often as their `times` say (`mtl_keras.data.sampling`); a `batch_size` of {source: rows}
    fixes the rows of each source in every batch, until the source that lasts longest is seen.
    Order and changes depend on seed, epoch and row alone: an epoch is one pass over the returned dataset, counted from
    `first_epoch`, so that a resumed run sees what an uninterrupted one would have seen.
    For a model of MultiWorkerMirroredStrategy each worker prepares its own part of every batch, and `batch_size` is
    that of all together.
    """
    refuse_boxes(table)
    how = augmentation(augment)
    shuffle = bool(how) if shuffle is None else shuffle
    labels, masks = encoded(table, model.tasks, trained=shuffle)
    paths, form = tuple(table["path"]), (model.image_size, model.resize_method)
    kept = shuffle and len(paths) * 3 * model.image_size**2 <= IN_MEMORY
    # A file that was written anew since is another image.
    columns = (decoded(paths, modified_at(paths), *form) if kept else tf.constant(paths), labels, masks)

    def load(index, epoch):
        image, label, mask = tf.nest.map_structure(lambda column: tf.gather(column, index), columns)
        return (image, label, mask, index, epoch) if how else (image, label, mask)

    def changed(image, label, mask, index, epoch):
        return *augment_labelled(image, label, mask, model.tasks, stamp(seed, epoch, index), how), mask

    if isinstance(batch_size, dict) and not shuffle:
        raise UserError(f"batches of {batch_size}: a fixed composition needs shuffled rows; pass shuffle=True")
    for size in batch_size.values() if isinstance(batch_size, dict) else [batch_size]:
        if not isinstance(size, (int, np.integer)) or size < 1:
            raise UserError(f"batch_size {batch_size!r}: expected a whole number of at least 1")
    rows_at_once = sum(batch_size.values()) if isinstance(batch_size, dict) else batch_size
    if shuffle:
        order, count = shuffled(table, batch_size, seed, first_epoch)
    else:
        # Rows in their own order that are changed must know their epoch too, or every epoch would change them alike.
        order, count = passes(len(table), seed, first_epoch, False) if how else in_order(len(table)), len(table)
    share = share_of(model) if isinstance(model, keras.Model) else Share()
    alone = share.workers == 1
    if kept and not how and alone:
        # Gathering whole batches is much faster than single rows.
        return finished(order.batch(rows_at_once).map(load).prefetch(2), count, rows_at_once)
    rows = own_rows(order, rows_at_once, share).map(load, num_parallel_calls=tf.data.AUTOTUNE)
    rows = rows if kept else with_images_of_files(rows, *form)
    rows = rows.map(changed, num_parallel_calls=tf.data.AUTOTUNE) if how else rows
    if alone:
        return finished(rows.batch(rows_at_once).prefetch(2), count, rows_at_once)
    return shared_batches(rows, rows_at_once, model.image_size, -(-count // rows_at_once)).with_options(options("OFF"))


def kept_in_memory(dataset: tf.data.Dataset, count: int, size: int) -> tf.data.Dataset:
    """Return batches of `count` images in a fixed order that, if they are small enough, are decoded only once.

    Each pass over them has to be a whole one, which that of one worker of several is not.
    """
    whole = dataset.options().experimental_distribute.auto_shard_policy != tf.data.experimental.AutoShardPolicy.OFF
    return dataset.cache() if whole and count * 3 * size**2 <= IN_MEMORY else dataset


@lru_cache(maxsize=1)
def decoded(paths: tuple[str, ...], modified_at: tuple[int, ...], size: int, method: str) -> tf.Tensor:
    """Return all images of these files as (N, size, size, 3) uint8, which are kept until others are asked for."""
    files = tf.data.Dataset.from_tensor_slices(([*paths],))
    pixels = with_images_of_files(files, size, method).batch(256)
    # An accelerator's memory is for the network.
    with tf.device("CPU"), naming_images():
        return tf.concat([batch for (batch,) in pixels], axis=0)


def modified_at(paths: Iterable[str]) -> tuple[int, ...]:
    """Return when each file was last written, in nanoseconds; one that is not there is a `UserError`."""

    def stamp(path):
        try:
            return os.stat(path).st_mtime_ns
        except OSError:
            # Perhaps it lies in a cloud, where TensorFlow knows whole seconds only.
            try:
                return tf.io.gfile.stat(path).mtime_nsec
            except tf.errors.OpError:
                raise unreadable(path, "No such file") from None

    return tuple(map(stamp, paths))


def stamp(seed: int, epoch: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """Return the seed (2,) of a row's change in an epoch."""
    return tf.stack([seed * 2_000_003 + epoch, row])


def feature_batches(
    features: np.ndarray,
    table: pd.DataFrame,
    tasks: list[Task],
    batch_size: int = 256,
    seed: int | None = None,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Return batches as `batches` does, with features (N, D) in the place of images; shuffled where a seed is given."""
    if len(features) != len(table):
        raise UserError(f"got features of {len(features)} images for a table of {len(table)} rows; expected as many")
    columns = (tf.constant(features), *encoded(table, tasks, trained=seed is not None))
    order, count = in_order(len(table)), len(table)
    if seed is not None:
        order, count = shuffled(table, batch_size, seed, first_epoch)
    batched = order.map(lambda index, epoch: index).batch(batch_size)
    gathered = batched.map(lambda index: tf.nest.map_structure(lambda column: tf.gather(column, index), columns))
    return finished(gathered.prefetch(2), count, batch_size)


def encoded(table: pd.DataFrame, tasks: Iterable[Task], trained: bool) -> tuple[dict, dict]:
    """Return all labels {task: (N,) or (N, D)} and masks {task: (N,)} of a table as tensors.

    An empty table is an error, and one without a label of any task. Rows that are `trained` on must label every task;
    of many tasks, the few rows that training is validated on may lack some.
    """
    if not len(table):
        raise UserError("the label table has no rows; expected at least one image")
    pairs = {task.name: encode_intervals(table, task) for task in tasks}
    numbers = {name: int(mask.sum()) for name, (_, mask) in pairs.items()}
    if trained or not any(numbers.values()):
        check_labelled(numbers)
    return {name: tf.constant(pair[0]) for name, pair in pairs.items()}, {
        name: tf.constant(pair[1]) for name, pair in pairs.items()
    }


def check_labelled(numbers: dict[str, int]) -> None:
    """Refuse a task that no row has a label of, given each task's number of labels."""
    for name, number in numbers.items():
        if not number:
            raise UserError(
                f"no row of the label table has a label of {name!r}; leave the task out or add data with it"
            )


def in_order(count: int) -> tf.data.Dataset:
    """Return the pairs (row number, 0)."""
    return tf.data.Dataset.range(count).map(lambda index: (index, tf.constant(0, tf.int64)))


def passes(count: int, seed: int, first_epoch: int, shuffle: bool = True) -> tf.data.Dataset:
    """Return the pairs (row number, epoch) of one epoch, of the next one at each pass, shuffled anew for each."""
    epoch = tf.Variable(first_epoch - 1, dtype=tf.int64, trainable=False)

    def permutation(number):
        key = tf.stack([tf.constant(seed, tf.int64), number])
        rows = tf.data.Dataset.range(count)
        if not shuffle:
            return rows.map(lambda row: (row, number))
        return rows.map(lambda row: (tf.random.experimental.index_shuffle(row, key, count - 1), number))

    # A variable that each new pass counts up, rather than a generator in Python: it works under every strategy.
    return tf.data.Dataset.range(1).map(lambda _: epoch.assign_add(1)).flat_map(permutation)


def shuffled(
    table: pd.DataFrame, batch_size: int | dict[str, int], seed: int, first_epoch: int
) -> tuple[tf.data.Dataset, int]:
    """Return the pairs (row number, epoch) as `passes` does, balanced as the table and the batches ask, and how many.

    A row that an epoch repeats comes with another number in the place of the epoch, so that it is changed anew.
    """
    times, sources = sampling.times_of(table), table["source"].to_numpy(object) if "source" in table else None
    if isinstance(batch_size, dict):
        batch_count = sampling.composed_length(times, sources, batch_size)
        count = batch_count * sum(batch_size.values())
    elif (times == 1).all():
        return passes(len(table), seed, first_epoch), len(table)
    else:
        count = sampling.length(times)
    epoch = tf.Variable(first_epoch - 1, dtype=tf.int64, trainable=False)

    def drawn(number):
        random = np.random.default_rng([seed, int(number)])
        composed = isinstance(batch_size, dict)
        rows = sampling.compose(times, sources, batch_size, random) if composed else sampling.draw(times, random)
        occurrence = pd.Series(rows).groupby(rows).cumcount().to_numpy()
        return np.stack([rows, number + 1_000_003 * occurrence], axis=-1).astype(np.int64)  # (M, 2)

    def one_pass(number):
        pairs = tf.ensure_shape(tf.numpy_function(drawn, [number], tf.int64), (count, 2))
        return tf.data.Dataset.from_tensor_slices((pairs[:, 0], pairs[:, 1]))

    return tf.data.Dataset.range(1).map(lambda _: epoch.assign_add(1)).flat_map(one_pass), count


def finished(dataset: tf.data.Dataset, count: int, batch_size: int) -> tf.data.Dataset:
    """Tell Keras how many batches there are, and tf.distribute to give each worker its share of every batch.

    Without a known number Keras 3.15 runs one step too many: what does not depend on data, such as weight decay and
    the step counter, is done once more before it finds that there is no batch left. On a TPU, batches are `filled`.
    """
    if fills_batches():
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        dataset = filled(dataset, -(-batch_size // replicas) * replicas)
    counted = dataset.apply(tf.data.experimental.assert_cardinality(-(-count // batch_size)))
    # There are no shard files to divide.
    return counted.with_options(options("DATA"))


def fills_batches() -> bool:
    """Return whether batches are to be of one shape: in the scope of a TPU, for which each shape is compiled anew."""
    return isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)


def filled(dataset: tf.data.Dataset, rows: int) -> tf.data.Dataset:
    """Return batches that all have this number of rows, which their shape says, and the mask FILLING in added ones."""

    def fill(images, labels, masks):
        missing = rows - tf.shape(images)[0]

        def whole(x, value=0):
            sides = [[0, missing], *[[0, 0]] * (x.shape.rank - 1)]
            x = tf.pad(x, sides, constant_values=tf.cast(value, x.dtype))
            return tf.ensure_shape(x, (rows, *x.shape[1:]))

        masks = {name: whole(mask, FILLING) for name, mask in masks.items()}
        return whole(images), tf.nest.map_structure(whole, labels), masks

    return dataset.map(fill)


def options(shard_policy: str) -> tf.data.Options:
    """Return how batches are prepared, and divided among workers by tf.data's shard policy of this name.

    TensorFlow's tuner stays off: it sleeps for up to a minute and is not always woken when an epoch ends, and the next
    one began only after that (measured: 16 of 38 seconds). Without it, as many rows as there are processors are
    prepared at once.
    """
    chosen = tf.data.Options()
    chosen.autotune.enabled = False
    chosen.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy[shard_policy]
    return chosen
