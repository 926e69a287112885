"""Processes that know of each other, what they say, and that none is left."""

import json
import subprocess
import time

import pytest

from mtl_keras.training.cluster import read_cluster
from mtl_keras.training.local_workers import LocalWorkers, free_addresses, tf_config

SAYS = """
import os, sys, tempfile
print(os.environ.get("TF_CONFIG"), tempfile.gettempdir(), sep="\\n")
sys.exit("no luck" if sys.argv[1] in os.environ.get("TF_CONFIG", "") else 0)
"""


def test_addresses_differ_and_make_a_cluster(monkeypatch):
    addresses = free_addresses(3)
    assert len({*addresses}) == 3
    monkeypatch.setenv("TF_CONFIG", tf_config(addresses, 2))
    assert read_cluster() == (("worker 0", "worker 1", "worker 2"), tuple(addresses), 2)


def test_each_has_its_place_its_own_folder_and_its_own_words(tmp_path):
    with LocalWorkers(2, tmp_path, "-c", SAYS, '"index": 1') as workers:
        assert workers.codes(60) == [0, 1]
    for place in range(2):
        cluster, temporary = workers.printed(place).splitlines()
        assert json.loads(cluster)["task"]["index"] == place
        assert json.loads(cluster)["cluster"]["worker"] == workers.addresses
        assert temporary == str(tmp_path / str(place) / "tmp")
    assert (workers.told(0), workers.told(1)) == ("", "no luck\n")


def test_one_alone_is_no_cluster_although_this_process_is_in_one(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config(free_addresses(2), 0))
    with LocalWorkers(1, tmp_path, "-c", SAYS, "?") as workers:
        assert workers.codes(60) == [0]
    assert workers.printed(0).startswith("None\n")


def test_what_still_runs_is_ended(tmp_path):
    with pytest.raises(KeyError), LocalWorkers(2, tmp_path, "-c", "import time; time.sleep(600)") as workers:
        assert workers.codes(0.1) == [None, None]
        raise KeyError
    assert workers.codes(1) == [-9, -9]


def test_the_seconds_are_those_of_all_together(tmp_path):
    with LocalWorkers(3, tmp_path, "-c", "import time; time.sleep(600)") as workers:
        started = time.monotonic()
        assert workers.codes(1) == [None] * 3
        assert time.monotonic() - started < 2


def test_of_workers_that_cannot_all_be_started_none_is_left(tmp_path, monkeypatch):
    started, start = [], subprocess.Popen

    def once(*words, **settings):
        if started:
            raise OSError("no more processes")
        started.append(start(*words, **settings))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", once)
    with pytest.raises(OSError, match="no more processes"):
        LocalWorkers(2, tmp_path, "-c", "import time; time.sleep(600)")
    assert started[0].poll() == -9
