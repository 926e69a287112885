"""Multi-gate mixture of experts: the paper's formula by hand, and experts that all tasks learn."""

import keras
import numpy as np

from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.sharing.mmoe import mmoe
from mtl_keras.models.sharing.sharing import Settings, Trunk

FEATURES = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


def test_each_task_reads_the_experts_by_its_own_softmax():
    inputs = keras.Input((4,))
    shared = mmoe(Trunk(BACKBONES["features"], 4), ["age", "gender"], Settings((3,), 0.0), experts=2)
    model = keras.Model(inputs, shared(inputs))
    experts = []
    for number in range(2):
        kernel, bias = model.get_layer(f"expert_{number}_dense_0").get_weights()
        answer = FEATURES @ kernel + bias
        experts.append(np.where(answer < 0, 0.1 * answer, answer))
    for task, answer in model(FEATURES).items():
        (matrix,) = model.get_layer(f"{task}_gate").get_weights()
        weights = np.exp(FEATURES @ matrix)
        weights /= weights.sum(-1, keepdims=True)
        expected = weights[:, :1] * experts[0] + weights[:, 1:] * experts[1]
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-6)


def test_the_usual_number_of_experts_is_8_and_all_tasks_share_them():
    shared = mmoe(Trunk(BACKBONES["features"], 4), ["age", "gender"], Settings((3,), 0.0))
    inputs = keras.Input((4,))
    model = keras.Model(inputs, shared(inputs))
    assert sum(isinstance(layer, keras.layers.LeakyReLU) for layer in model.layers) == 8
    assert model.get_layer("gender_gate").output.shape == (None, 8)
    assert len(shared.trunks) == 1 and shared.common is shared.trunks[0]
