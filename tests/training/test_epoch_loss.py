"""The loss of an epoch: rows that come set by set count as they would all at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.tasks import AGE, GENDER
from mtl_keras.training import distribute
from mtl_keras.training.model import MultiTaskModel

# Of 117 ages and of 2 classes, all held for equally probable.
AGE_LOSS, GENDER_LOSS = np.log(117), np.log(2)
ROWS = 256


def even(strategy: str = "one") -> MultiTaskModel:
    """A network that finds every answer equally probable."""
    with distribute.strategy(strategy).scope():
        model = MultiTaskModel([AGE, GENDER], "features", image_size=3, shared_units=(), head_units=(), dropout=0.0)
        # Few steps of one device are taken faster than compiled.
        model.compile(keras.optimizers.SGD(0.0), run_eagerly=strategy == "one")
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    return model


def set_by_set(batch: int) -> tf.data.Dataset:
    """64 rows that label age, then 192 that label gender."""
    first = (np.arange(ROWS) < 64).astype("float32")
    labels = {"age": np.zeros(ROWS, "float32"), "gender": np.zeros(ROWS, "int32")}
    rows = np.zeros((ROWS, 3), "float32"), labels, {"age": first, "gender": 1 - first}
    return tf.data.Dataset.from_tensor_slices(rows).batch(batch)


@pytest.mark.parametrize(("batch", "strategy"), [(64, "one"), (128, "one"), (256, "one"), (128, "mirrored")])
def test_the_loss_is_the_sum_of_the_tasks_losses_whatever_the_batches(batch, strategy):
    model, data = even(strategy), set_by_set(batch)
    expected = {"loss": 5.456, "age_loss": 4.762, "gender_loss": 0.693}
    assert pytest.approx(expected["loss"], abs=1e-3) == AGE_LOSS + GENDER_LOSS
    logs = model.fit(data, validation_data=data, verbose=0, shuffle=False).history
    for name, value in expected.items():
        assert [*logs[name], *logs[f"val_{name}"]] == pytest.approx([value, value], abs=1e-3)


def test_the_loss_shown_during_an_epoch_is_that_of_the_rows_seen_so_far():
    seen = []

    def on_test_batch_end(batch, logs):
        seen.append(np.asarray(logs["loss"]).item())

    shown = keras.callbacks.LambdaCallback(on_test_batch_end=on_test_batch_end)
    even().evaluate(set_by_set(64), verbose=0, callbacks=[shown])
    assert seen == pytest.approx([AGE_LOSS] + 3 * [AGE_LOSS + GENDER_LOSS], rel=1e-5)


@pytest.mark.parametrize("strategy", ["one", "mirrored"])
def test_training_and_validation_have_losses_of_their_own(strategy):
    data = set_by_set(64)
    logs = even(strategy).fit(data.take(1), validation_data=data.skip(1), verbose=0, shuffle=False).history
    assert logs["loss"] == pytest.approx([AGE_LOSS], rel=1e-5)
    assert logs["val_loss"] == pytest.approx([GENDER_LOSS], rel=1e-5)


def test_each_epoch_begins_anew():
    model = even()

    def surer(epoch, logs):
        # From the second epoch on, gender is answered rightly with a probability of 0.9.
        model.set_weights([np.log([9, 1]) if weight.shape == (2,) else weight for weight in model.get_weights()])

    shown = keras.callbacks.LambdaCallback(on_epoch_end=surer)
    losses = model.fit(set_by_set(64), epochs=2, verbose=0, shuffle=False, callbacks=[shown]).history["loss"]
    assert losses == pytest.approx([AGE_LOSS + GENDER_LOSS, AGE_LOSS - np.log(0.9)], rel=1e-5)
