"""Which rows of each batch a worker of several prepares: those that its replicas train on, and no others.

tf.distribute would have each worker prepare all rows and drop most of them. A data set of a worker's own rows is told
to be shared out already (policy OFF); it is then cut into batches for the replicas as `batch_sizes_for_worker` of
tf.data.experimental.distribute says: the parts of a batch that differ in size go round among the workers.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

# The mask of a row that only fills a batch up: it counts for nothing, neither in batch norms, unlike one of mask 0.
FILLING = -1.0


class Share(NamedTuple):
    """The place of a worker among several, their number, and the number of replicas of all of them."""

    place: int = 0
    workers: int = 1
    replicas: int = 1


def share_of(model: object = None) -> Share:
    """Return the share of this worker under the strategy of a model, or that in whose scope this is called.

    Under a strategy other than MultiWorkerMirroredStrategy there is one worker.
    """
    strategy = model.distribute_strategy if isinstance(model, keras.Model) else tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return Share(replicas=strategy.num_replicas_in_sync)
    resolver = strategy.cluster_resolver
    jobs = resolver.cluster_spec().as_dict()
    chiefs, workers = len(jobs.get("chief", ())), len(jobs.get("worker", ()))
    place = resolver.task_id + (chiefs if resolver.task_type == "worker" else 0)
    return Share(place, max(1, chiefs + workers), strategy.num_replicas_in_sync)


def own_rows(rows: tf.data.Dataset, batch_size: int, share: Share) -> tf.data.Dataset:
    """Return those of the rows of an epoch that a worker trains on, in their order: all of them where it is alone."""
    if share.workers == 1:
        return rows
    parts = np.full(share.replicas, batch_size // share.replicas)
    parts[: batch_size % share.replicas] += 1
    ends = tf.constant(parts.reshape(share.workers, -1).sum(axis=1).cumsum())

    def is_own(number, _):
        step, place = number // batch_size, number % batch_size
        return (
            tf.searchsorted(ends, [place], side="right", out_type=tf.int64)[0] == (share.place + step) % share.workers
        )

    return rows.enumerate().filter(is_own).map(lambda _, row: row)


def shared_batches(rows: tf.data.Dataset, batch_size: int, image_size: int, steps: int) -> tf.data.Dataset:
    """Return batches of a worker's own rows (image, labels, masks), of which it takes its part for `steps` steps.

    After its rows come empty images of the mask FILLING, since its part of an epoch's last batches may be smaller.
    """
    _, labels, masks = rows.element_spec
    empty = (
        tf.zeros((image_size, image_size, 3), tf.uint8),
        tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), labels),
        tf.nest.map_structure(lambda spec: tf.fill(spec.shape, tf.cast(FILLING, spec.dtype)), masks),
    )
    filled = rows.concatenate(tf.data.Dataset.from_tensors(empty).repeat())
    # Every worker must know the same number of steps, which `take` tells.
    return filled.batch(batch_size).prefetch(2).take(steps)
