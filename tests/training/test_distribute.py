"""Choosing a strategy: names, what `auto` takes, and one line of help where a strategy cannot be had."""

import json

import pytest
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.training import distribute
from mtl_keras.training.distribute import STRATEGIES, strategy


@pytest.fixture(autouse=True)
def one_machine(monkeypatch):
    """No cluster is described, and no TPU named, whatever the machine's environment says."""
    for name in ("TF_CONFIG", "TPU_NAME", "KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS"):
        monkeypatch.delenv(name, raising=False)


def test_one_device():
    assert strategy("one").num_replicas_in_sync == 1


def test_mirrored_takes_the_virtual_cpus_where_there_is_no_gpu():
    mirrored = strategy("mirrored")
    assert isinstance(mirrored, tf.distribute.MirroredStrategy)
    assert mirrored.num_replicas_in_sync == len(tf.config.list_logical_devices("CPU")) == 2


@pytest.mark.parametrize(("gpus", "expected"), [(0, "CPU"), (1, "NVIDIA H200")])
def test_a_device_has_the_name_of_its_first_gpu(monkeypatch, gpus, expected):
    devices = {"GPU": [tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")] * gpus}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices.get(kind, []))
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: {"device_name": "NVIDIA H200"})
    assert distribute.device() == expected


def test_there_is_only_one_mirrored_strategy():
    # Two of them would take each other's exchanges for their own.
    assert strategy("mirrored") is strategy("mirrored")


def test_auto_is_one_device_without_gpus_and_without_a_cluster():
    chosen = strategy()
    assert chosen.num_replicas_in_sync == 1 and not isinstance(chosen, tf.distribute.MirroredStrategy)


@pytest.mark.parametrize(("gpus", "expected"), [(1, "get_strategy"), (2, "MirroredStrategy")])
def test_auto_is_mirrored_from_two_gpus_on(monkeypatch, gpus, expected):
    devices = {"GPU": [tf.config.LogicalDevice(f"/device:GPU:{index}", "GPU") for index in range(gpus)]}
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: devices.get(kind, []))
    for name in ("get_strategy", "MirroredStrategy"):
        monkeypatch.setattr(tf.distribute, name, lambda *names, name=name: (name, *names))
    chosen = strategy("auto")
    assert chosen == ((expected, ["/device:GPU:0", "/device:GPU:1"]) if gpus > 1 else (expected,))


def test_auto_takes_workers_where_a_cluster_is_described(monkeypatch):
    cluster = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: "workers")
    # A look at the devices would start TensorFlow, which cannot join a cluster after that.
    monkeypatch.delattr(tf.config, "list_logical_devices")
    distribute._workers.cache_clear()
    assert strategy("auto") == strategy("workers") == "workers"
    distribute._workers.cache_clear()


def test_workers_train_together_and_answer_alone(monkeypatch):
    with distribute.answering("workers"):
        assert not tf.distribute.has_strategy()
    with distribute.answering("mirrored"):
        assert tf.distribute.get_strategy() is strategy("mirrored")


@pytest.mark.parametrize(
    ("name", "message"),
    [("mirorred", ", ".join(STRATEGIES)), ("workers", "TF_CONFIG names no workers"), ("tpu", "no TPU was found")],
)
def test_what_cannot_be_had_is_one_line(name, message):
    with pytest.raises(UserError, match=message) as error:
        strategy(name)
    assert repr(name) in str(error.value) and "\n" not in str(error.value)
