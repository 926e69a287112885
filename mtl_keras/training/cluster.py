"""The workers that TF_CONFIG names: who they are, who is awaited, what the chief tells, and which of them is gone."""

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.training.replicas import over_replicas

# What a collective ends with when another worker is gone; which of them depends on where it was.
GONE = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError,
        tf.errors.InternalError, tf.errors.UnknownError, tf.errors.FailedPreconditionError)  # fmt: skip
# Seconds for which a worker still answers that ends for another's sake, so that the others see which one is gone.
LAST_ANSWERS = 3
# Bytes of a file that are sent at once; and what a length is divided by, to be sent as two integers.
CHUNK, HALF = 1 << 26, 1 << 30
TASK = re.compile(r"/job:(chief|worker)/(?:replica:\d+/)?task:(\d+)")
EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'


class Cluster(NamedTuple):
    """All workers in their order, the chief first: `names` such as "worker 1", `addresses`, and the `place` of this."""

    names: tuple[str, ...]
    addresses: tuple[str, ...]
    place: int

    @property
    def is_chief(self) -> bool:
        """Whether this is the worker that writes results."""
        return self.place == 0


def is_described() -> bool:
    """Return whether TF_CONFIG describes a cluster; some platforms set it to an empty object on a single machine."""
    return os.environ.get("TF_CONFIG", "").strip() not in ("", "{}")


def read_cluster() -> Cluster:
    """Return the cluster that TF_CONFIG describes; a mistake in it is an error of one line."""
    text = os.environ.get("TF_CONFIG", "")
    try:
        described = json.loads(text)
        jobs, task = described["cluster"], described["task"]
        if unknown := {*jobs} - {"chief", "worker"}:
            raise ValueError(f"the job {sorted(unknown)[0]!r} in cluster")
        for job, addresses in jobs.items():
            if not isinstance(addresses, list) or not all(_is_address(each) for each in addresses):
                raise ValueError(f"{json.dumps(addresses)} as the addresses of {job}")
        kind, index = task["type"], task["index"]
        if not isinstance(kind, str) or kind not in jobs:
            raise ValueError(f"a task of type {json.dumps(kind)}")
        if type(index) is not int or not 0 <= index < len(jobs[kind]):
            raise ValueError(f"index {json.dumps(index)} for {len(jobs[kind])} of type {kind}")
        if len(jobs.get("chief", [])) > 1:
            raise ValueError("two chiefs")
        every = [(job, number) for job in ("chief", "worker") for number in range(len(jobs.get(job, [])))]
        addresses = tuple(jobs[job][number] for job, number in every)
        if len({*addresses}) < len(addresses):
            raise ValueError("an address twice")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        found = f"lacks {error}" if isinstance(error, KeyError) else "is no such object"
        if type(error) is ValueError:
            found = f"has {error}"
        elif isinstance(error, json.JSONDecodeError):
            found = f"is no JSON ({error})"
        raise UserError(f"TF_CONFIG {found}; expected such as {EXAMPLE}, with an index of its own on each") from None
    return Cluster(tuple(f"{job} {number}" for job, number in every), addresses, every.index((kind, index)))


def _is_address(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[^\s/]+:\d{1,5}", value)) and 0 < _port(value) < 2**16


# === Who is awaited ===


def joined(join: Callable[[], tf.distribute.Strategy]) -> tf.distribute.Strategy:
    """Return what `join` gives, called once all workers are there; SIGTERM then does what it did before.

    TensorFlow would wait for them as well, but where Python hears of no signal, and it takes SIGTERM over.
    """
    _wait_for_all(read_cluster())
    if threading.current_thread() is not threading.main_thread():
        return join()  # Python lets no other thread say what a signal does.
    before = signal.getsignal(signal.SIGTERM)
    try:
        return join()
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _wait_for_all(cluster: Cluster) -> None:
    """Return when each of the other workers has been there once, and say meanwhile who is awaited.

    Each listens at its address, until TensorFlow does, so that the others see it.
    """
    awaited = [place for place in range(len(cluster.names)) if place != cluster.place]
    said, patience = [], time.monotonic() + 3
    with suppress(OSError), socket.create_server(("", _port(cluster.addresses[cluster.place])), backlog=4096):
        while awaited := [place for place in awaited if not _answers(cluster.addresses[place])]:
            if said != awaited and time.monotonic() > patience:
                print(f"waiting for {_named(cluster, awaited)}", file=sys.stderr, flush=True)
                said = awaited
            time.sleep(0.2)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _named(cluster: Cluster, places: list[int]) -> str:
    return ", ".join(f"{cluster.names[place]} ({cluster.addresses[place]})" for place in places)


# === What the chief tells ===


def told_by_chief(strategy: tf.distribute.Strategy, contents: bytes) -> bytes:
    """Return the chief's bytes on every worker; all have to call this, and what the others give does not matter."""
    high, low = _of_chief(strategy, np.array(divmod(len(contents), HALF), np.int32))
    length = int(high) * HALF + int(low)
    # As integers, since those that several devices add up are not of one byte.
    padded = contents[:length].ljust(-(-length // 4) * 4, b"\0")
    return _of_chief(strategy, np.frombuffer(padded, np.int32)).tobytes()[:length]


def _of_chief(strategy: tf.distribute.Strategy, numbers: np.ndarray) -> np.ndarray:
    """Return the chief's integers (N,) on every worker, each of which gives as many."""
    return strategy.experimental_local_results(_told(strategy)(numbers))[0].numpy() if len(numbers) else numbers


@cache
def _told(strategy: tf.distribute.Strategy) -> Callable:
    """Return the function that gives every replica the integers (N,) of the first one."""

    def tell(numbers):
        first = tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 0)
        return over_replicas(tf.where(first, numbers, 0))

    return tf.function(
        lambda numbers: strategy.run(tell, (numbers,)), input_signature=[tf.TensorSpec((None,), tf.int32)]
    )


def copy_from_chief(strategy: tf.distribute.Strategy, folder: Path, left_out: tuple[str, ...] = ()) -> None:
    """Give every worker the files that lie in the chief's folder, but for folders and hidden files named `left_out`."""
    chief = read_cluster().is_chief
    listed = _files(folder, left_out) if chief else []
    for name, size in json.loads(told_by_chief(strategy, json.dumps(listed).encode())):
        path = folder / name
        if not chief:
            path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "rb" if chief else "wb") as file:
            for start in range(0, size, CHUNK):
                part = told_by_chief(strategy, file.read(min(CHUNK, size - start)) if chief else b"")
                if not chief:
                    file.write(part)


def _files(folder: Path, left_out: tuple[str, ...]) -> list[tuple[str, int]]:
    """Return the names and sizes of the files in a folder."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in left_out)
        paths = [Path(place) / name for name in sorted(files) if not name.startswith(".")]
        paths = [path for path in paths if path.is_file()]  # no pipe, and no link that leads nowhere
        found += [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths]
    return found


# === Who is gone ===


@contextmanager
def naming_who_is_gone(command: str) -> Iterator[None]:
    """Let a worker that ended before its time be the one line that names it, and the `command` that goes on."""
    try:
        yield
    except GONE as error:
        if not (gone := _gone(str(error.message))):
            raise
        time.sleep(LAST_ANSWERS)
        print(file=sys.stderr)  # below the line of a progress bar
        whose = "their" if ", " in gone else "its"
        raise UserError(
            f"{gone} ended before {whose} time, so this worker ends too; what the chief has backed up is kept: start "
            f"all workers again with {command}"
        ) from None


def _gone(message: str) -> str:
    """Return in words which of the other workers do not answer any more; "" if all do."""
    cluster = read_cluster()
    # A machine that hangs may still take connections: TensorFlow names it by the heartbeats that it misses.
    silent = re.search(r"stopped sending heartbeats\):((?:\s*/job:\S+)+)", message)
    lost = {f"{job} {number}" for job, number in TASK.findall(silent[1])} if silent else set()
    # Of those that do not answer any, and not only those that TensorFlow names: where one was lost by two, it may name
    # to one of these the other, which ended for the same reason.
    away = [
        place
        for place, name in enumerate(cluster.names)
        if place != cluster.place and (name in lost or not _answers(cluster.addresses[place]))
    ]
    return _named(cluster, away)


def _answers(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        with socket.create_connection((host, _port(address)), timeout=5):
            return True
    except OSError:
        return False
