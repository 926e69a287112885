"""What TF_CONFIG says, what the chief tells, and who is named when a worker ends before its time."""

import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.training import distribute
from mtl_keras.training.cluster import copy_from_chief, naming_who_is_gone, read_cluster, told_by_chief
from mtl_keras.training.local_workers import free_addresses, tf_config

TWO = ["a:1", "b:2"]


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def address_of(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def describe(monkeypatch, cluster: object, task: object) -> None:
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))


def test_the_chief_is_the_first_worker_or_the_one_of_that_job(monkeypatch):
    describe(monkeypatch, {"worker": TWO}, {"type": "worker", "index": 0})
    assert read_cluster().is_chief and read_cluster().names == ("worker 0", "worker 1")
    describe(monkeypatch, {"worker": TWO, "chief": ["c:3"]}, {"type": "worker", "index": 0})
    assert not read_cluster().is_chief and read_cluster().addresses == ("c:3", *TWO)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no JSON"),
        ("[]", "is no such object"),
        ('{"task": {}}', "lacks 'cluster'"),
        ('{"cluster": {"worker": ["a:1"]}}', "lacks 'task'"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}', "lacks 'index'"),
        ('{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}', '"a:1" as the addresses of worker'),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "as the addresses of worker"),
        ('{"cluster": {"worker": ["a:99999"]}, "task": {"type": "worker", "index": 0}}', "as the addresses of worker"),
        ('{"cluster": {"worker": [1]}, "task": {"type": "worker", "index": 0}}', "as the addresses of worker"),
        ('{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}', "index 0 for 0 of type worker"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "index 1 for 1 of type worker"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": -1}}', "index -1"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "0"}}', 'index "0"'),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}', 'a task of type "chief"'),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": [], "index": 0}}', "a task of type []"),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}', "the job 'ps'"),
        ('{"cluster": {"chief": ["a:1", "b:1"]}, "task": {"type": "chief", "index": 0}}', "two chiefs"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}', "an address twice"),
        ("[" * 100_000, "is no such object"),
    ],
)
def test_a_mistake_in_tf_config_is_one_line_before_tensorflow_reads_it(monkeypatch, text, says):
    monkeypatch.setenv("TF_CONFIG", text)
    for name in ("workers", "auto"):
        with pytest.raises(UserError) as caught:
            distribute.strategy(name)
        assert says in str(caught.value) and str(caught.value).startswith("TF_CONFIG ")
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_an_empty_tf_config_describes_one_machine(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    assert not distribute.joins_workers("auto")
    with pytest.raises(UserError, match="TF_CONFIG names no workers"):
        distribute.strategy("workers")


def test_what_the_first_replica_tells_comes_as_it_is(monkeypatch, tmp_path):
    mirrored = distribute.strategy("mirrored")
    for contents in (b"", b"\0", b"four", bytes(range(256)) + b"\0"):
        assert told_by_chief(mirrored, contents) == contents
    describe(monkeypatch, {"worker": TWO}, {"type": "worker", "index": 0})
    (tmp_path / "runs.csv").write_text("run\n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    copy_from_chief(mirrored, tmp_path)
    assert (tmp_path / "runs.csv").read_text() == "run\n"


def printed(folder: Path, lines: str, srun: str = '"${@:2}"', **environment: str) -> str:
    """What a shell prints of TF_CONFIG, with stand-ins for the programs of a cluster, for one that sees four hosts."""
    for name, text in {
        "scontrol": """[[ $1 == requeue ]] && echo "requeued $2" || printf 'n%s\\n' 0 1 2 3""",
        "srun": srun,
        "python": 'echo "$TF_CONFIG"',
    }.items():
        (folder / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (folder / name).chmod(0o755)
    environment["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", lines], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == (3 if "exit 3" in srun else 0), done.stderr
    return done.stdout


def test_scripts_of_the_documentation_describe_each_worker(monkeypatch, tmp_path):
    docs = Path(__file__).parents[2] / "docs" / "many_machines"
    slurm = (docs / "slurm.sh").read_text(encoding="utf-8")
    jobset = (docs / "jobset.yaml").read_text(encoding="utf-8")
    (steps,) = re.findall(r"- \|\n(.*?)\n +resources:", jobset, re.DOTALL)
    for lines, variables in (
        (slurm, {"SLURM_JOB_NODELIST": "n[0-3]", "SLURM_PROCID": "2"}),
        (textwrap.dedent(steps), {"JOB_COMPLETION_INDEX": "2"}),
    ):
        monkeypatch.setenv("TF_CONFIG", printed(tmp_path, lines, **variables))
        assert read_cluster().place == 2 and len(read_cluster().addresses) == 4
    failing = {"srun": "exit 3", "SLURM_JOB_NODELIST": "n[0-3]", "SLURM_JOB_ID": "7"}
    assert printed(tmp_path, slurm, **failing) == "requeued 7\n"
    assert printed(tmp_path, slurm, **failing, SLURM_RESTART_COUNT="20") == ""


# === Who is awaited ===

# Joins the other workers as a command does, and then ends itself as a preemption would.
JOINS = """
import os, signal, time
from mtl_keras.errors import guarded
from mtl_keras.training import distribute

def work():
    distribute.strategy("workers")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)

guarded(work)
"""


def joining(addresses: list[str], place: int) -> subprocess.Popen:
    """Start the worker at this place among those at the addresses."""
    environment = {**os.environ, "TF_CONFIG": tf_config(addresses, place), "PYTHONPATH": str(Path(__file__).parents[2])}
    # Where the tests themselves run in the background, Ctrl+C is ignored by whatever they start.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, "-c", JOINS], env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heed
    )


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_worker_that_waits_says_for_whom_and_can_be_ended(sent, code):
    addresses = free_addresses(3)
    with socket.create_server(("127.0.0.1", port_of(addresses[1]))), joining(addresses, 0) as waits:
        for line in waits.stderr:
            if line.startswith("waiting"):
                break
        assert line == f"waiting for worker 2 ({addresses[2]})\n"
        waits.send_signal(sent)
        assert waits.wait(30) == code


def test_workers_that_have_joined_still_end_with_sigterm():
    addresses = free_addresses(2)
    with joining(addresses, 1) as second, joining(addresses, 0) as first:
        assert [first.wait(90), second.wait(90)] == [143, 143]


# === Who is gone ===

RESET = """Collective ops is aborted by: Collective ops is aborted by: recvmsg:Connection reset by peer
Additional GRPC error information from remote target /job:worker/replica:0/task:1 while calling RecvBuf:
Additional GRPC error information from remote target /job:worker/replica:0/task:2 while calling RecvBuf:"""
SILENT = """Collective ops is aborted by: Error reported from /job:worker/task:1: The following tasks are unhealthy \
(stopped sending heartbeats):
/job:worker/replica:0/task:1
The tasks have crashed. The error could be from a previous operation. Restart your program to reset."""


@pytest.fixture
def workers(monkeypatch):
    """Describe four workers of which this one, 0, and 2 take connections, and 1 and 3 do not."""
    with socket.create_server(("127.0.0.1", 0)) as here, socket.create_server(("127.0.0.1", 0)) as two:
        one, three = free_addresses(2)
        addresses = [address_of(here), one, address_of(two), three]
        monkeypatch.setenv("TF_CONFIG", tf_config(addresses, 0))
        monkeypatch.setattr("mtl_keras.training.cluster.LAST_ANSWERS", 0.5)
        yield addresses


def said(error: Exception) -> str:
    with pytest.raises(UserError) as caught, naming_who_is_gone("train.py --resume"):
        raise error
    assert "\n" not in str(caught.value) and str(caught.value).endswith("with train.py --resume")
    return str(caught.value).partition(" ended before ")[0]


def test_workers_that_do_not_answer_are_named(workers):
    # Worker 2, which TensorFlow names, lost them too, but is there; of worker 3 nobody spoke.
    expected = f"worker 1 ({workers[1]}), worker 3 ({workers[3]})"
    assert said(tf.errors.UnavailableError(None, None, RESET)) == expected
    assert said(tf.errors.AbortedError(None, None, "?")) == expected


def test_a_worker_that_ends_for_another_still_answers_a_while(workers):
    started = time.monotonic()
    said(tf.errors.UnavailableError(None, None, RESET))
    assert time.monotonic() - started > 0.5


def test_a_worker_that_hangs_is_named_although_it_takes_connections(workers):
    hangs = SILENT.replace("task:1\n", "task:2\n")
    everyone = ", ".join(f"worker {place} ({workers[place]})" for place in (1, 2, 3))
    assert said(tf.errors.UnavailableError(None, None, hangs)) == everyone


def test_an_error_while_all_are_there_stays_as_it_is(workers, monkeypatch):
    monkeypatch.setattr("mtl_keras.training.cluster._answers", lambda address: True)
    with pytest.raises(tf.errors.InternalError), naming_who_is_gone("train.py"):
        raise tf.errors.InternalError(None, None, "out of luck")
