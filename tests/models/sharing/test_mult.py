"""MulT: the shared attention by hand, whose matrix is the reference task's, and networks with it."""

import keras
import numpy as np
import pytest

from mtl_keras.models.sharing.mult import SharedAttention
from mtl_keras.precision import computing_in
from mtl_keras.tasks import EYEGLASSES, GENDER, SMILE
from mtl_keras.training.model import MultiTaskModel

TASKS = [GENDER, SMILE, EYEGLASSES]
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (4, 8, 8, 3)).astype("uint8")
LABELS = {task.name: np.array([0, 1, 1, 0], "int32") for task in TASKS}


def trunk() -> keras.Model:
    """Images (B, 8, 8, 3) to maps (B, 2, 2, 5)."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(5, 4, 4, name="patches")(x), name="trunk")


def network(settings: str = "", tasks=TASKS, backbone=None, size=8) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    settings = f"mult:heads=2,width=6{settings}"
    return MultiTaskModel(tasks, backbone or trunk(), settings, size, shared_units=(), head_units=(), dropout=0.0)


def dense(layer: keras.layers.Dense, x: np.ndarray) -> np.ndarray:
    kernel, bias = layer.get_weights()
    return x @ kernel + bias


@pytest.mark.parametrize("reference", [0, 1])
def test_every_task_gathers_its_own_values_by_the_references_attention(reference):
    layer = SharedAttention(["age", "gender"], reference, heads=2)
    inputs = [RANDOM.normal(size=(2, 5, 6)).astype("float32") for _ in range(2)]
    answers = layer(inputs)
    query, key = (dense(part, inputs[reference]) for part in (layer.query, layer.key))
    for tokens, value, projection, answer in zip(inputs, layer.values, layer.projections, answers, strict=True):
        gathered = []
        for head in (slice(0, 3), slice(3, 6)):
            scores = np.exp(np.einsum("bnd,bmd->bnm", query[..., head], key[..., head]) / np.sqrt(3))
            attention = scores / scores.sum(-1, keepdims=True)
            gathered.append(np.einsum("bnm,bmd->bnd", attention, dense(value, tokens)[..., head]))
        expected = dense(projection, np.concatenate(gathered, -1))
        np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-5)


def test_a_layer_is_built_again_from_its_settings():
    layer = SharedAttention(["age", "gender"], 1, heads=2)
    again = SharedAttention.from_config(layer.get_config())
    assert (again.tasks, again.reference, again.heads) == (["age", "gender"], 1, 2)


def test_a_block_is_attention_and_a_perceptron_each_added_to_the_tokens():
    model = network(",depth=1", TASKS[:2])
    parts = {layer.name: layer for layer in model.layers}
    names = ["smile_tokens", "shared_attention_1", "smile_block_1_add_2", "smile_mean"]
    tokens, attended, block, mean = keras.Model(model.inputs[0], [parts[name].output for name in names])(IMAGES)
    attended = attended[1].numpy()
    x = tokens.numpy() + attended
    inner = parts["smile_block_1_dense_1"](parts["smile_block_1_norm_2"](x))
    x = x + dense(parts["smile_block_1_dense_2"], inner.numpy())
    np.testing.assert_allclose(block, x, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(mean, parts["smile_norm"](x).numpy().mean(1), rtol=1e-3, atol=1e-4)
    assert tokens.shape == (4, 4, 6) and inner.shape == (4, 4, 24)


@pytest.mark.parametrize(("settings", "place"), [("", 0), (",reference=smile", 1)])
def test_the_reference_is_the_first_task_or_the_named_one(settings, place):
    model = network(settings)
    assert [model.get_layer(f"shared_attention_{block}").reference for block in (1, 2)] == [place, place]
    # A task's loss reaches its own decoder, the reference's, and no other.
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    before = {variable.path: variable.numpy() for variable in model.trainable_variables}
    model.train_on_batch(IMAGES, LABELS, {name: np.full(4, float(name == "eyeglasses")) for name in LABELS})
    moved = {v.path for v in model.trainable_variables if np.abs(v.numpy() - before[v.path]).max() > 0}
    names = {name: [path for path in moved if path.startswith(f"{name}_")] for name in LABELS}
    assert names["eyeglasses"] and names[TASKS[place].name] and not names[TASKS[1 - place].name]
    assert "shared_attention_1/query/kernel" in moved


def test_a_task_alone_is_its_own_reference():
    assert network(",reference=smile", [GENDER]).get_layer("shared_attention_1").reference == 0


def test_mixed_precision_answers_nearly_alike():
    exact = network()(IMAGES)
    with computing_in("mixed_bfloat16"):
        model = network()
        assert model.get_layer("gender_mean").output.dtype == "float32"
        for name, answer in model(IMAGES).items():
            np.testing.assert_allclose(answer, exact[name], atol=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": ",reference=smiles"}, "reference 'smiles': expected one of the tasks gender, smile, eyeglasses"),
        ({"settings": ",heads=4"}, "heads 4, width 6, depth 2: expected at least 1, and a width that is a multiple"),
        ({"settings": ",depth=0"}, "depth 0: expected at least 1"),
        ({"backbone": "features"}, "backbone 'features_trunk' has no maps .* take a backbone of images, or share hard"),
        ({"backbone": "bknet", "size": 16}, "the last maps are a single place; raise image_size, or share hard"),
        ({"backbone": "gender_eyeglasses", "size": 16}, "branches of backbone 'gender_eyeglasses' read maps"),
    ],
)
def test_what_does_not_work_is_one_line(changes, message, one_line):
    with one_line(message):
        network(**changes)
