"""Unit costs of workers and shards: reading is measured, exchange is what a step adds up, needs follow from both."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mtl_keras.data.packing import pack_shards
from mtl_keras.studies.scaling import exchanged_numbers, measure_reading, report, write_images
from mtl_keras.studies.timing import CLEAR
from mtl_keras.tasks import AGE_REGRESSION, GENDER, SMILE
from mtl_keras.training import distribute
from mtl_keras.training.model import MultiTaskModel

TASKS = [AGE_REGRESSION, GENDER, SMILE]


@pytest.mark.parametrize(
    ("kind", "weighting", "place"),
    [
        ("losses", "equal", ""),
        ("Gramian", "mgda", "features"),
        ("Gramian", "mgda", "parameters"),
        ("gradients", "graddrop", "parameters"),
    ],
)
def test_a_step_exchanges_the_numbers_that_are_told(kind, weighting, place, monkeypatch):
    sizes, strategy = [], distribute.strategy("mirrored")
    with strategy.scope():
        model = MultiTaskModel(TASKS, "features", image_size=40, shared_units=(30,), head_units=(), dropout=0.0)
        model.compile(keras.optimizers.SGD(0.1), weighting=weighting, gradients_at=place or "parameters")
        model.optimizer.build(model.trainable_variables)
    usual = tf.distribute.ReplicaContext.all_reduce

    def counted(context, operation, value, options=None):
        if context.replica_id_in_sync_group == 0:
            sizes.extend(each.shape.num_elements() for each in tf.nest.flatten(value))
        return usual(context, operation, value, options)

    monkeypatch.setattr(tf.distribute.ReplicaContext, "all_reduce", counted)
    labels = {"age": tf.constant([20.0, 30.0]), "gender": tf.constant([0, 1]), "smile": tf.constant([1, 0])}
    strategy.run(model.train_step, ((tf.ones((2, 40)), labels),))
    parameters = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    told = {row[:2]: row[2] for row in exchanged_numbers(parameters, model.shared_size(), 3)}[kind, place]
    # Besides: counts, losses and what layers add, a few numbers for each task.
    assert told <= sum(sizes) <= told + 30


@pytest.mark.skipif(not CLEAR.exists(), reason="peak memory is measured on Linux")
def test_reading_counts_all_rows_of_all_shards(tmp_path):
    table = write_images(tmp_path / "images", 12, side=40)
    pack_shards(table, tmp_path / "shards", 4)
    found = measure_reading(str(tmp_path / "shards"), 16, 5)
    assert found["shards"] == 3 and found["images"] == 12
    assert found["images_per_core_second"] > 0 and found["peak_mib"] >= 0
    size = (tmp_path / "images" / "0.jpg").stat().st_size
    assert size < found["bytes_per_image"] < size + 300


def test_needs_follow_from_unit_costs():
    measured = {"images_per_second": [100.0, 150.0], "step_ms": 640.0, "exchange_ms": 64.0, "share_of_exchange": 0.1}
    workers = pd.DataFrame({"workers": [1, 2], **measured})
    columns = ["shards", "images", "images_per_second", "images_per_core_second", "peak_mib", "bytes_per_image"]
    reading = pd.DataFrame(
        [[1, 10, 900.0, 500.0, 50.0, 2000.0], [10, 100, 900.0, 400.0, 51.0, 1024.0]], columns=columns
    )
    lines = report(workers, reading, 2**20 * 10, {"tiny": (2**18, 2**17)}, 3).splitlines()
    assert "| 2 | 150 | 1.50 | 640 | 64.0 | 10 |" in lines and "| 10 | 100 | 900 | 400 | 51 | 1,024 |" in lines
    assert "| shards of 4,096 images | 2,560 |" in lines and "| bytes of all shards (GiB) | 10 |" in lines
    assert (
        "| hours that one core reads | 7.3 |" in lines
        and "| hours that one worker as measured trains | 29.1 |" in lines
    )
    assert "| workers for an epoch a day, if exchange were free | 2 |" in lines
    assert "| reading cores that keep one worker busy | 0.25 |" in lines
    assert "| losses |  | 1.00 |" in lines and "| gradients | parameters | 2.50 |" in lines
