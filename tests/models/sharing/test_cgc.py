"""Customized gate control: the paper's formula by hand, and experts of a task that the others do not reach."""

import keras
import numpy as np

from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.sharing.cgc import cgc
from mtl_keras.models.sharing.sharing import Settings, Trunk

FEATURES = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


def network() -> keras.Model:
    inputs = keras.Input((4,))
    shared = cgc(
        Trunk(BACKBONES["features"], 4), ["age", "gender"], Settings((3,), 0.0), shared_experts=2, task_experts=1
    )
    return keras.Model(inputs, shared(inputs))


def test_each_task_reads_its_own_and_the_shared_experts():
    model = network()

    def expert(name: str) -> np.ndarray:
        kernel, bias = model.get_layer(f"{name}_dense_0").get_weights()
        answer = FEATURES @ kernel + bias
        return np.where(answer < 0, 0.1 * answer, answer)

    for task, answer in model(FEATURES).items():
        weights = np.exp(FEATURES @ model.get_layer(f"{task}_gate").get_weights()[0])
        weights /= weights.sum(-1, keepdims=True)
        readable = [expert(f"{task}_expert_0"), expert("shared_expert_0"), expert("shared_expert_1")]
        expected = sum(weights[:, [n]] * each for n, each in enumerate(readable))
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-6)


def test_a_tasks_own_experts_are_no_other_tasks():
    model = network()
    before = {task: answer.numpy() for task, answer in model(FEATURES).items()}
    for change, changed in (("age_expert_0", ["age"]), ("shared_expert_0", ["age", "gender"])):
        layer = model.get_layer(f"{change}_dense_0")
        start = layer.get_weights()
        layer.set_weights([weight + 1 for weight in start])
        after = model(FEATURES)
        assert [task for task in before if np.abs(after[task] - before[task]).max() > 1e-4] == changed
        layer.set_weights(start)
