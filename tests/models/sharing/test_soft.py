"""Soft sharing: both penalties and their gradients by hand, which kernels are pulled, and that a step pulls them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.sharing.soft import squared_distance, trace_norm
from mtl_keras.tasks import EYEGLASSES, GENDER, SMILE
from mtl_keras.training.model import MultiTaskModel

TASKS = [GENDER, SMILE, EYEGLASSES]
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("uint8")
LABELS = {task.name: np.array([0, 1, 1, 0], "int32") for task in TASKS}


def pulled(backbone, sharing="soft", tasks=TASKS, **settings) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    settings = {"shared_units": (3,), "head_units": (), "dropout": 0.0, **settings}
    model = MultiTaskModel(tasks, backbone, sharing, 8, **settings)
    model.compile(keras.optimizers.SGD(0.1))
    return model


def kernels(model) -> list[list[keras.Variable]]:
    """The kernels of each layer, one a task: of the trunks and of the dense layers behind them."""
    dense = [[model.get_layer(f"{task.name}_soft_dense_0").kernel] for task in model.tasks]
    return [*zip(*([*trunk.weights[::2], *own] for trunk, own in zip(model.trunks, dense, strict=True)), strict=True)]


def penalty(columns: list) -> tuple[float, list]:
    """The trace norm and its gradient at each of the columns."""
    columns = [tf.constant(column, "float32") for column in columns]
    with tf.GradientTape() as tape:
        tape.watch(columns)
        value = trace_norm(columns)
    return float(value), [gradient.numpy() for gradient in tape.gradient(value, columns)]


def test_the_squared_distance_is_half_of_that_of_all_pairs():
    assert float(squared_distance([np.float32([3, 0]), np.float32([0, 4])])) == pytest.approx((9 + 16) / 2)
    assert float(squared_distance([np.float32([[x]]) for x in (0, 1, 3)])) == pytest.approx((1 + 9 + 4) / 2)


def test_the_trace_norm_is_the_sum_of_the_singular_values():
    random = np.random.default_rng(0)
    columns = random.normal(size=(3, 2, 2, 5))
    u, singular, v = np.linalg.svd(columns.reshape(3, -1).T, full_matrices=False)
    value, gradients = penalty(columns)
    assert value == pytest.approx(singular.sum(), rel=1e-5)
    np.testing.assert_allclose(np.reshape(gradients, (3, -1)).T, u @ v, atol=1e-4)
    assert penalty([[3, 0], [0, 4]])[0] == pytest.approx(7, rel=1e-5)


@pytest.mark.parametrize(
    ("columns", "value", "gradient"),
    [
        ([[3, 0], [0, 3]], 6, [[1, 0], [0, 1]]),
        ([[1, 2], [1, 2]], np.sqrt(10), np.array([[1, 2], [1, 2]]) / np.sqrt(10)),
        ([[0, 0], [0, 0]], 0, [[0, 0], [0, 0]]),
        ([[0, 0], [3, 4]], 5, [[0, 0], [0.6, 0.8]]),
    ],
    ids=["alike", "rank 1", "zero", "one zero"],
)
def test_its_gradient_is_finite_where_singular_values_are_alike_or_zero(columns, value, gradient):
    found, gradients = penalty(columns)
    assert found == pytest.approx(value, rel=2e-3, abs=1e-6)
    np.testing.assert_allclose(gradients, gradient, atol=1e-3)


@pytest.mark.parametrize(("norm", "function"), [("l2", squared_distance), ("trace", trace_norm)])
def test_all_layers_penalties_are_in_the_loss(norm, function, staged_backbone):
    model = pulled(staged_backbone, f"soft:norm={norm},strength=0.5")
    assert [group[0].shape for group in kernels(model)] == [(3, 3, 3, 4), (3, 3, 4, 6), (1, 1, 6, 5), (5, 3)]
    expected = 0.5 * sum(float(function([kernel.numpy() for kernel in group])) for group in kernels(model))
    logs = model.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
    assert expected > 1
    assert logs["loss"] - sum(logs[f"{task.name}_loss"] for task in TASKS) == pytest.approx(expected, rel=1e-4)


def test_a_step_moves_the_kernels_towards_one_another_and_nothing_else(staged_backbone):
    alone, model = (pulled(staged_backbone, f"soft:strength={strength}") for strength in (0, 0.5))
    starts = [[kernel.numpy() for kernel in group] for group in kernels(model)]
    for each in (alone, model):
        each.train_on_batch(IMAGES, LABELS)
    moved = set()
    for before, ours, theirs in zip(starts, kernels(model), kernels(alone), strict=True):
        for start, kernel, other in zip(before, ours, theirs, strict=True):
            pull = 0.1 * 0.5 * (3 * start - sum(before))
            np.testing.assert_allclose(kernel.numpy() - other.numpy(), -pull, atol=1e-6)
            moved.add(kernel.path)
    for ours, theirs in zip(model.trainable_weights, alone.trainable_weights, strict=True):
        assert ours.path in moved or np.array_equal(ours, theirs)


def test_precomputed_features_have_their_dense_layers_pulled():
    model = pulled("features", "soft:strength=2")
    first, second, third = (model.get_layer(f"{task.name}_soft_dense_0").kernel.numpy() for task in TASKS)
    expected = sum(((a - b) ** 2).sum() for a, b in ((first, second), (first, third), (second, third)))
    assert [float(loss) for loss in model.losses] == pytest.approx([expected])


def test_what_is_frozen_and_one_task_alone_are_not_pulled(staged_backbone):
    model = pulled(staged_backbone)
    assert len(model.losses) == 4
    model.freeze_stem()
    assert len(model.losses) == 3
    assert pulled(staged_backbone, "soft:norm=trace", [GENDER]).losses == []


def test_pretrained_trunks_start_alike_and_a_regularizer_of_their_own_stays(tmp_path):
    def own(side: int) -> keras.Model:
        inputs = keras.Input((side, side, 3))
        x = keras.layers.Conv2D(2, 3, name="only", kernel_regularizer=keras.regularizers.L2(0.1))(inputs)
        return keras.Model(inputs, x, name="own")

    trunk = own(8)
    trunk.save_weights(tmp_path / "own.weights.h5")
    backbone = Backbone(own, image_size=8, channels=3, mean=0.0, scale=1.0)
    model = pulled(backbone, weights=tmp_path / "own.weights.h5", shared_units=())
    squares = 0.1 * (trunk.get_layer("only").kernel.numpy() ** 2).sum()
    assert sum(float(loss) for loss in model.losses) == pytest.approx(3 * squares, rel=1e-5)


def test_in_mixed_precision_the_penalty_has_all_digits(staged_backbone):
    exact = [float(loss) for loss in pulled(staged_backbone).losses]
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        alone, model = (pulled(staged_backbone, f"soft:strength={strength}") for strength in (0, 0.5))
        assert [float(loss) for loss in pulled(staged_backbone).losses] == exact
        for each in (alone, model):
            each.train_on_batch(IMAGES, LABELS)
    finally:
        keras.config.set_dtype_policy("float32")
    ours, theirs = (each.trunks[1].get_layer("first").kernel.numpy() for each in (model, alone))
    assert np.abs(ours - theirs).max() > 1e-4


def test_a_negative_strength_is_refused(staged_backbone):
    with pytest.raises(UserError, match="^strength -1.0: expected a number of at least 0$"):
        pulled(staged_backbone, "soft:strength=-1")
