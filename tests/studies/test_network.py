"""How an experiment's network is built, frozen and joined from its parts."""

import keras
import numpy as np
import pandas as pd
import pytest

from mtl_keras.errors import UserError
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.studies.network import batches_of, composition_of, freeze_stem, precision, take_over
from mtl_keras.studies.settings import Experiment
from mtl_keras.tasks import GENDER, SMILE
from mtl_keras.training.trainer import MultiTaskModel


def heads(tasks):
    return MultiTaskModel(tasks, "features", image_size=5, shared_units=(4,), head_units=(3,))


def test_heads_are_taken_over_and_the_trunk_is_not():
    source, target = heads([GENDER, SMILE]), heads([GENDER, SMILE])
    inputs = np.ones((2, 5), "float32")
    assert not np.allclose(source(inputs)["smile"], target(inputs)["smile"])
    take_over(source, target)
    for task in ("gender", "smile"):
        np.testing.assert_array_equal(source(inputs)[task], target(inputs)[task])


def test_stem_stays_as_it_is_and_the_rest_learns():
    model = MultiTaskModel([GENDER], "facenet_small", image_size=75)
    everything = len(model.trunk.trainable_variables)
    freeze_stem(model, BACKBONES["facenet_small"].stem_end)
    frozen = [layer.name for layer in model.trunk.layers if layer.weights and not layer.trainable]
    assert len(frozen) == 12 and all(name.startswith("Conv2d_") for name in frozen)
    assert len(model.trunk.trainable_variables) == everything - 12
    keras.backend.clear_session()


def test_no_stem_freezes_nothing():
    model = heads([GENDER])
    freeze_stem(model, "")
    assert all(layer.trainable for layer in model.trunk.layers)


def test_precision_is_taken_by_its_name():
    assert precision("float32") == "float32"
    assert precision("auto") in ("float32", "mixed_bfloat16")


def test_a_batch_has_the_composition_of_the_sources_that_are_there():
    train = pd.DataFrame({"source": ["a"] * 10 + ["b"] * 3, "times": [1.0] * 10 + [2.0] * 3})
    assert batches_of(Experiment(batch_size=8), train) == (8, 2)
    # 10 rows of a by 4 take three batches, and 6 of b by 1 six.
    assert batches_of(Experiment(composition="a=4,b=1"), train) == ({"a": 4, "b": 1}, 6)
    assert composition_of(Experiment(composition="a=4,b=1"), train[:10]) == {"a": 4}
    with pytest.raises(UserError, match="expected a number of rows for each source, a, b"):
        composition_of(Experiment(composition="a=4"), train)
