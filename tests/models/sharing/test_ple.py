"""Progressive layered extraction: both levels by hand, and gates that stand where the paper has them."""

import keras
import numpy as np

from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.sharing.ple import ple
from mtl_keras.models.sharing.sharing import Settings, Trunk

FEATURES = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


def network(**settings) -> keras.Model:
    inputs = keras.Input((4,))
    return keras.Model(
        inputs, ple(Trunk(BACKBONES["features"], 4), ["age", "gender"], Settings((3,), 0.0), **settings)(inputs)
    )


def test_a_level_reads_what_the_gates_of_the_level_before_have_mixed():
    model = network()

    def expert(name: str, x: np.ndarray) -> np.ndarray:
        kernel, bias = model.get_layer(f"{name}_expert_0_dense_0").get_weights()
        answer = x @ kernel + bias
        return np.where(answer < 0, 0.1 * answer, answer)

    def mixed(name: str, x: np.ndarray, experts: list[np.ndarray]) -> np.ndarray:
        weights = np.exp(x @ model.get_layer(f"{name}_gate").get_weights()[0])
        weights /= weights.sum(-1, keepdims=True)
        assert weights.shape[1] == len(experts)
        return sum(weights[:, [n]] * each for n, each in enumerate(experts))

    first = {name: expert(f"{name}_level_1", FEATURES) for name in ("age", "gender", "shared")}
    age, gender = (mixed(f"{task}_level_1", FEATURES, [first[task], first["shared"]]) for task in ("age", "gender"))
    shared = mixed("shared_level_1", FEATURES, list(first.values()))
    answers = model(FEATURES)
    for task, x in (("age", age), ("gender", gender)):
        expected = mixed(task, x, [expert(task, x), expert("shared", shared)])
        np.testing.assert_allclose(answers[task], expected, rtol=1e-4, atol=1e-6)


def test_every_level_has_its_experts_and_the_last_no_shared_gate():
    model = network(shared_experts=3, task_experts=2, levels=3)
    names = [layer.name for layer in model.layers]
    gates = [name for name in names if name.endswith("_gate")]
    assert sorted(gates) == sorted(
        ["age_gate", "gender_gate"]
        + [f"{reader}_level_{level}_gate" for reader in ("age", "gender", "shared") for level in (1, 2)]
    )
    assert sum("_expert_" in name and "dense" in name for name in names) == 3 * (3 + 2 + 2)
    assert model.get_layer("shared_level_2_gate").output.shape == (None, 7)
    assert model.get_layer("age_gate").output.shape == (None, 5)
