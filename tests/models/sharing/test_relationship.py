"""Deep relationship networks: the prior against SciPy's, the flip-flop by hand, and what is learned and kept."""

import keras
import numpy as np
import pytest
from scipy import stats

from mtl_keras.models.backbones.alexnet import ALEXNET
from mtl_keras.models.sharing.relationship import RelatedDense, flip_flop, log_density, task_covariance
from mtl_keras.tasks import EYEGLASSES, GENDER, SMILE
from mtl_keras.training import distribute
from mtl_keras.training.model import MultiTaskModel

TASKS = [GENDER, SMILE, EYEGLASSES]
RANDOM = np.random.default_rng(0)
TENSOR = RANDOM.normal(size=(3, 2, 4)).astype("float32")
FEATURES = RANDOM.normal(size=(8, 5)).astype("float32")
LABELS = {task.name: RANDOM.integers(0, 2, 8).astype("int32") for task in TASKS}


def covariance(size: int) -> np.ndarray:
    rows = RANDOM.normal(size=(size, 9))
    return (rows @ rows.T / 9).astype("float32")


def related(settings: str = "units=3,every=2", tasks=TASKS, backbone="features", size=5) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    return MultiTaskModel(
        tasks, backbone, f"relationship:{settings}", size, shared_units=(4,), head_units=(), dropout=0.0
    )


def trained(model: MultiTaskModel, steps: int) -> MultiTaskModel:
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    for _ in range(steps):
        model.train_on_batch(FEATURES, {task.name: LABELS[task.name] for task in model.tasks})
    return model


def layer_of(model) -> RelatedDense:
    return model.get_layer("related_dense_0")


def kernels_of(layer: RelatedDense) -> np.ndarray:
    return np.stack([dense.kernel.numpy() for dense in layer.dense], axis=-1)


# === The formulas ===


@pytest.mark.parametrize("fixed", [(), (0,), (0, 1)], ids=str)
def test_the_density_is_that_of_a_normal_vector_with_the_kronecker_product(fixed):
    covariances = [covariance(size) for size in TENSOR.shape]
    given = [None if axis in fixed else each for axis, each in enumerate(covariances)]
    product = np.eye(1)
    for each, size in zip(given, TENSOR.shape, strict=True):
        product = np.kron(product, np.eye(size) if each is None else each)
    expected = stats.multivariate_normal(np.zeros(24), product).logpdf(TENSOR.ravel())
    assert float(log_density(TENSOR, given)) == pytest.approx(expected, rel=1e-4)


def test_a_round_of_flip_flop_by_hand():
    first, second, third = (covariance(size) for size in TENSOR.shape)
    got = flip_flop(TENSOR, [first, second, third], 0.1)

    def estimated(spec: str, one, other, of: int):
        found = np.einsum(spec, TENSOR, np.linalg.inv(one), np.linalg.inv(other), TENSOR) / of
        return found + (0.1 * np.trace(found) / len(found) + 1e-7) * np.eye(len(found))

    expected = estimated("fut,uv,ts,gvs->fg", second, third, 8)
    first = expected / np.diag(expected).mean()
    expected = estimated("fut,fg,ts,gvs->uv", first, third, 12)
    second = expected / np.diag(expected).mean()
    third = estimated("fut,fg,uv,gvs->ts", first, second, 6)
    for one, other in zip(got, (first, second, third), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_rounds_of_flip_flop_find_the_covariances_that_a_tensor_was_drawn_from():
    known = np.array([[2.0, 1.6, 0.0], [1.6, 2.0, 0.0], [0.0, 0.0, 2.0]])
    outputs = np.array([[1.0, -0.5], [-0.5, 1.0]])
    factor = np.kron(np.linalg.cholesky(outputs), np.linalg.cholesky(known))
    tensor = (RANDOM.normal(size=(400, 6)) @ factor.T).reshape(400, 2, 3).astype("float32")
    start = [None, np.eye(2, dtype="float32"), np.eye(3, dtype="float32")]
    found, densities = start, []
    for _ in range(3):
        densities.append(float(log_density(tensor, found)))
        found = flip_flop(tensor, found, 1e-6)
    assert found[0] is None and densities == sorted(densities)
    np.testing.assert_allclose(found[1], outputs, atol=0.1)
    np.testing.assert_allclose(found[2], known, atol=0.3)


def test_kernels_of_zeros_keep_a_covariance_that_can_be_inverted():
    zeros = np.zeros((3, 2, 4), "float32")
    found = flip_flop(zeros, [np.eye(size, dtype="float32") for size in zeros.shape], 0.1)
    assert np.isfinite(float(log_density(zeros, found)))


# === The layer ===


def test_each_task_has_a_dense_layer_of_its_own_and_the_prior_is_added_for_each_number():
    layer = RelatedDense(["age", "gender"], 3, strength=2.0, every=9, largest=8)
    features = [FEATURES, 2 * FEATURES]
    layer.build([x.shape for x in features])
    assert (kernels_of(layer)[..., 0] == kernels_of(layer)[..., 1]).all(), "alike at first"
    layer.dense[1].kernel.assign(RANDOM.normal(size=(5, 3)))
    answers = layer(features)
    for x, dense, answer in zip(features, layer.dense, answers, strict=True):
        np.testing.assert_allclose(answer, x @ dense.kernel.numpy() + dense.bias.numpy(), rtol=1e-4, atol=1e-5)
    squares = (kernels_of(layer) ** 2).mean()
    assert [float(loss) for loss in layer.losses] == [pytest.approx(np.log(2 * np.pi) + squares, rel=1e-5)]


@pytest.mark.parametrize("every", [1, 99])
def test_the_gradient_pulls_the_kernels_of_related_tasks_together(every):
    model = trained(related(f"units=3,every={every},strength=5"), 0)
    layer = layer_of(model)
    layer.covariances[2].assign([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    before = kernels_of(layer)
    inverses = [np.linalg.inv(each.numpy()) for each in layer.covariances]
    model.train_on_batch(FEATURES, LABELS, {name: np.zeros(8, "float32") for name in LABELS})
    # d / dW of |W whitened|^2 / 2, for each of the 4 x 3 x 3 numbers: no gradient goes through the covariances.
    step = 0.1 * 5 / 36 * np.einsum("fut,fg,uv,ts->gvs", before, *inverses)
    np.testing.assert_allclose(kernels_of(layer), before - step, rtol=1e-2, atol=1e-3)


def test_covariances_are_estimated_in_every_nth_step_of_training_alone():
    model = related("units=3,every=2")
    layer = layer_of(model)
    states = []
    for _ in range(3):
        trained(model, 1)
        kernels = kernels_of(layer)
        states.append([each.numpy() for each in layer.covariances])
        if len(states) == 2:
            expected = flip_flop(kernels, [np.eye(size, dtype="float32") for size in (4, 3, 3)], 0.1)
    for first, second, third, hand in zip(*states, expected, strict=True):
        np.testing.assert_array_equal(first, np.eye(len(first)))
        np.testing.assert_allclose(second, hand, rtol=1e-3, atol=1e-5)
        np.testing.assert_array_equal(second, third)
    assert int(layer.steps) == 3


@pytest.mark.parametrize(("largest", "kept"), [(4, [4, 3, 3]), (3, [3, 3]), (1, [3])])
def test_more_features_or_outputs_than_the_largest_have_no_covariance(largest, kept):
    layer = layer_of(trained(related(f"units=3,every=1,largest={largest}"), 1))
    found = [each for each in layer.covariances if each is not None]
    assert [each.shape for each in found] == [(size, size) for size in kept]
    assert all(np.abs(each - np.eye(size)).max() > 0 for each, size in zip(found, kept, strict=True))


# === The network ===


def test_a_task_alone_has_a_variance():
    names, found = task_covariance(trained(related("units=3,every=1", [GENDER]), 1))
    assert names == ["gender"] and found.shape == (1, 1) and 0 < found[0, 0] < 1
    assert task_covariance(MultiTaskModel([GENDER], "features", image_size=5)) is None


def test_what_was_learned_is_saved_and_is_the_layers_last(tmp_path):
    model = trained(related("units=4/3,every=1"), 2)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    names, found = task_covariance(again)
    assert names == ["gender", "smile", "eyeglasses"]
    np.testing.assert_array_equal(found, model.get_layer("related_dense_1").covariances[2].numpy())
    assert int(layer_of(again).steps) == 2
    for one in (model, again):
        trained(one, 1)
    np.testing.assert_allclose(task_covariance(again)[1], task_covariance(model)[1], rtol=1e-5)


def test_two_replicas_equal_one_device():
    found = []
    for strategy in ("one", "mirrored"):
        with distribute.strategy(strategy).scope():
            model = related("units=3,every=2")
            model.compile(keras.optimizers.SGD(0.1), weighting="mgda")
        model.fit(FEATURES, LABELS, batch_size=4, epochs=2, shuffle=False, verbose=0)
        found.append([*model.get_weights()])
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
    assert np.abs(task_covariance(model)[1] - np.eye(3)).max() > 0.1


def test_the_prior_is_computed_in_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = trained(related("units=3,every=1,strength=1"), 3)
        model(FEATURES)
    finally:
        keras.config.set_dtype_policy("float32")
    layer = layer_of(model)
    assert layer.dense[0].compute_dtype == "bfloat16" and layer.covariances[0].dtype == "float32"
    prior = -float(log_density(kernels_of(layer), [each.numpy() for each in layer.covariances])) / 36
    assert float(layer.losses[0]) == pytest.approx(prior, rel=1e-4)


def test_alexnets_convolutions_are_shared():
    model = related("units=3", TASKS[:2], "alexnet", 63)
    assert [trunk.name for trunk in model.trunks] == ["alexnet"] and model.feature_network().output_shape == (None, 256)
    assert model.trunks[0].get_layer(ALEXNET.stages[-1]).output.shape == (None, 1, 1, 256)


@pytest.mark.parametrize("setting", ["units=", "units=0", "every=0", "strength=-1", "largest=0"])
def test_settings_out_of_range_are_refused(setting, one_line):
    with one_line("expected units, every and largest of at least 1", "relationship"):
        related(setting)


def test_branches_that_read_maps_are_refused(one_line):
    with one_line("branches of backbone 'gender_eyeglasses' read maps; take another backbone", "sharing relationship"):
        related(backbone="gender_eyeglasses", size=16)
