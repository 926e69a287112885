"""Chooses and builds the tf.distribute strategy."""

import functools
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.training.cluster import is_described, joined, read_cluster

STRATEGIES = ("auto", "one", "mirrored", "workers", "tpu")


def strategy(name: str = "auto") -> tf.distribute.Strategy:
    """Return the strategy of this name.

    `one` device; `mirrored` over the GPUs of this machine; `workers` over several machines, which TF_CONFIG names;
    `tpu`; `auto` takes workers where TF_CONFIG is set, else mirrored where there are two GPUs or more, else one.
    """
    if name not in STRATEGIES:
        raise UserError(f"unknown strategy {name!r}; expected one of {', '.join(STRATEGIES)}")
    if joins_workers(name):
        # Without a look at the devices: it would start TensorFlow, and then no cluster can be joined any more.
        if not is_described():
            raise UserError("strategy 'workers': TF_CONFIG names no workers; set it on each of them to name all")
        read_cluster()
        return _workers()
    if name == "auto":
        name = "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "one"
    if name == "mirrored":
        # Without a GPU the virtual CPUs serve, so that the same code can be tried on any machine.
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        return _mirrored(tuple(device.name for device in tf.config.list_logical_devices(kind)))
    if name == "tpu":
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
            tf.config.experimental_connect_to_cluster(resolver)
            tf.tpu.experimental.initialize_tpu_system(resolver)
        except (ValueError, KeyError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"strategy 'tpu': no TPU was found ({reason}); run on a TPU machine or choose another"
            ) from None
        return tf.distribute.TPUStrategy(resolver)
    return tf.distribute.get_strategy()


def joins_workers(name: str) -> bool:
    """Return whether the strategy of this name trains together with the other workers that TF_CONFIG names."""
    return name == "workers" or (name == "auto" and is_described())


def answering(name: str) -> AbstractContextManager:
    """Return the scope in which models answer: the strategy's own, but of several workers each answers alone."""
    return nullcontext() if joins_workers(name) else strategy(name).scope()


# Each only once in a process: TensorFlow numbers the exchanges of every such strategy from the same start, and those of
# two strategies whose steps differ are taken for one another. A cluster can be joined only once anyway.
@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy(list(devices))


@functools.cache
def _workers() -> tf.distribute.Strategy:
    return joined(tf.distribute.MultiWorkerMirroredStrategy)


def device() -> str:
    """Return what this machine trains on: the name of its GPU, "TPU" or "CPU"."""
    if tf.config.list_physical_devices("TPU"):
        return "TPU"
    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"


def computes_bfloat16() -> bool:
    """Say whether this machine computes in bfloat16 faster than in float32: a TPU, a recent GPU or a recent CPU."""
    if tf.config.list_physical_devices("TPU"):
        return True
    if gpus := tf.config.list_physical_devices("GPU"):
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return capability >= (8, 0)
    # Linux tells what the processor can do; elsewhere float32 is the safe choice.
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text() or "amx_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
