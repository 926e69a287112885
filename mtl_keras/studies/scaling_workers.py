"""What several workers of one machine do in a second, and the share of their steps that the exchange takes.

Each worker is a process of its own that runs this module, as tf.distribute asks for.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from mtl_keras.errors import UserError
from mtl_keras.training.local_workers import LocalWorkers

LONGEST_WAIT = 1800  # seconds


class Load(NamedTuple):
    """What workers train: a network of these tasks from random weights, on made-up images of its usual side."""

    backbone: str = "bknet"
    tasks: tuple[str, ...] = ("age", "gender", "smile")
    batch_size: int = 64
    steps: int = 20


def measure_workers(count: int, load: Load) -> dict:
    """Return images a second and the exchange's share of a step, of a number of workers on this machine."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "measured.json")
        with LocalWorkers(count, folder, "-m", __name__, json.dumps(load), out) as workers:
            codes = workers.codes(LONGEST_WAIT)
        if any(code != 0 for code in codes):
            index = next(number for number, code in enumerate(codes) if code != 0)
            end = f"did not end in {LONGEST_WAIT} s" if codes[index] is None else f"ended with {codes[index]}"
            said = (workers.printed(index) + workers.told(index)).strip().splitlines()
            raise UserError(f"worker {index} of {count} {end}: {said[-1] if said else 'no word'}")
        return {"workers": count, **json.loads(out.read_text())}


def work(load: Load, out: str) -> None:
    """Train as one of the workers that TF_CONFIG names, or alone; the chief writes what was measured."""
    # Here, since the process that starts the workers needs none of it.
    import keras
    import numpy as np
    import tensorflow as tf

    from mtl_keras.data.pipeline import finished
    from mtl_keras.kinds import kind_of
    from mtl_keras.training import distribute
    from mtl_keras.training.cluster import is_described, read_cluster
    from mtl_keras.training.model import MultiTaskModel

    strategy = distribute.strategy("workers" if is_described() else "one")
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = MultiTaskModel(list(load.tasks), load.backbone)
        model.compile("adam")
    random, side = np.random.default_rng(0), model.image_size
    images = random.integers(0, 256, (load.batch_size, side, side, 3)).astype("uint8")
    labels = {}
    for task in model.tasks:
        made = random.integers(0, task.size, (load.batch_size, task.size) if task.outputs else load.batch_size)
        labels[task.name] = made.astype("int32" if kind_of(task).names else "float32")
    rows = tf.data.Dataset.from_tensor_slices((images, labels)).batch(load.batch_size).repeat(load.steps)
    batches, seconds = finished(rows, load.steps * load.batch_size, load.batch_size), []
    for _ in range(2):  # the first compiles
        started = time.perf_counter()
        model.fit(batches, verbose=0, shuffle=False)
        seconds.append(time.perf_counter() - started)
    exchange = exchange_seconds(strategy, exchanged(model), load.steps)
    found = {"images_per_second": load.steps * load.batch_size / seconds[1], "step_ms": 1000 * seconds[1] / load.steps}
    found |= {"exchange_ms": 1000 * exchange, "share_of_exchange": exchange * load.steps / seconds[1]}
    if not is_described() or read_cluster().is_chief:
        Path(out).write_text(json.dumps(found))


def exchanged(model) -> list[list[int]]:
    """Return the shapes that a step with equal weights adds up over replicas, those of one call in a list each.

    They are the gradients, and two vectors for each batch norm, on the way forward and on the way back.
    """
    from mtl_keras.models.normalization import norms_of

    norms = [2 * norm.moving_mean.shape[0] + 1 for norm in norms_of(model) if norm.synchronized]
    gradients = [tuple(variable.shape) for variable in model.trainable_variables]
    return [[(width,)] for width in norms for _ in range(2)] + [gradients]


def exchange_seconds(strategy, shapes: list[list[tuple]], repeats: int) -> float:
    """Return the seconds that adding up tensors of these shapes over all replicas takes, by the median."""
    import numpy as np
    import tensorflow as tf

    from mtl_keras.models.replicas import over_replicas

    def on_each():
        total = tf.zeros(())
        for call in shapes:
            # Each waits for the one before, as those of a step do.
            sums = over_replicas([tf.zeros(shape) + total for shape in call])
            total += tf.add_n([tf.reduce_max(each) for each in sums])
        return total

    exchange, seconds = tf.function(lambda: strategy.run(on_each)), []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        strategy.experimental_local_results(exchange())[0].numpy()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:]))


if __name__ == "__main__":
    backbone, tasks, *numbers = json.loads(sys.argv[1])
    work(Load(backbone, tuple(tasks), *numbers), sys.argv[2])
