"""The network and its training: logs against means by hand, what a loss is divided by, resuming, and refusals."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.data.pipeline import batches
from mtl_keras.errors import UserError
from mtl_keras.precision import computing_in
from mtl_keras.tasks import AGE, AGE_REGRESSION, ETHNICITY, GENDER, HEAD_POSE, SMILE
from mtl_keras.training import resume
from mtl_keras.training.model import MultiTaskModel

TASKS = [AGE, GENDER, HEAD_POSE]
WIDTH, ROWS, BATCH = 6, 11, 4


def network(tasks=TASKS, seed: int = 1) -> MultiTaskModel:
    """A small network on features, without dropout."""
    keras.utils.set_random_seed(seed)
    return MultiTaskModel(tasks, "features", image_size=WIDTH, shared_units=(5,), head_units=(4,), dropout=0.0)


def rows() -> tuple[np.ndarray, dict, dict]:
    """Features, labels and uneven masks: the second batch has no age."""
    random = np.random.default_rng(0)
    labels = {
        "age": random.integers(0, 117, ROWS).astype("float32"),
        "gender": random.integers(0, 2, ROWS).astype("int32"),
        "head_pose": random.normal(0, 20, (ROWS, 3)).astype("float32"),
    }
    masks = {name: (random.random(ROWS) < 0.6).astype("float32") for name in labels}
    masks["age"][BATCH : 2 * BATCH] = 0
    return random.normal(size=(ROWS, WIDTH)).astype("float32"), labels, masks


def by_hand(model: MultiTaskModel, weights: dict, loss_mean: str) -> dict[str, float]:
    """An epoch's logs as they should be, in plain NumPy."""
    features, labels, masks = rows()
    outputs = {name: output.astype("float64") for name, output in model.predict(features, verbose=0).items()}
    number = np.arange(ROWS)
    errors = {
        "age": -np.log(outputs["age"][number, labels["age"].astype(int)]),
        "gender": -np.log(outputs["gender"][number, labels["gender"]]),
        "head_pose": (((outputs["head_pose"] - labels["head_pose"]) / HEAD_POSE.scale) ** 2).mean(-1),
    }
    scores = {
        "age_mae": np.abs(outputs["age"] @ np.arange(117) - labels["age"]),
        "gender_accuracy": outputs["gender"].argmax(-1) == labels["gender"],
        "head_pose_mae": np.abs(outputs["head_pose"] - labels["head_pose"]).mean(-1),
    }
    divisors = {name: ROWS if loss_mean == "batch" else mask.sum() for name, mask in masks.items()}
    logs = {"loss": sum(weights[name] * (errors[name] * masks[name]).sum() / divisors[name] for name in errors)}
    logs |= {f"{name}_loss": np.average(error, weights=masks[name]) for name, error in errors.items()}
    return logs | {name: np.average(score, weights=masks[name.rsplit("_", 1)[0]]) for name, score in scores.items()}


# === Logs ===


@pytest.mark.parametrize("loss_mean", ["labelled", "batch"])
@pytest.mark.parametrize(
    "weights", [dict.fromkeys(["age", "gender", "head_pose"], 1.0), {"age": 0.2, "gender": 3.0, "head_pose": 1.0}]
)
def test_logs_are_masked_means_over_the_epoch(weights, loss_mean):
    model = network()
    # At rate 0 nothing moves, so that training, too, sees one and the same network.
    model.compile(keras.optimizers.SGD(0.0), weighting=weights, loss_mean=loss_mean, run_eagerly=True)
    data = tf.data.Dataset.from_tensor_slices(rows()).batch(BATCH)
    expected = by_hand(model, weights, loss_mean)
    assert model.evaluate(data, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-5)
    history = model.fit(data, validation_data=data, epochs=2, verbose=0, shuffle=False).history
    for epoch in range(2):
        assert {name: values[epoch] for name, values in history.items()} == pytest.approx(
            expected | {f"val_{name}": value for name, value in expected.items()}, rel=1e-5
        )
    assert all(isinstance(value, float) for values in history.values() for value in values)


# === What a step minimizes ===


def moved(loss_mean: str, weighting="equal") -> list[np.ndarray]:
    """How a step of SGD on 8 rows, 2 of them labelled, moves a network for gender."""
    features, labels, _ = rows()
    model = network([GENDER])
    model.compile(keras.optimizers.SGD(1.0), weighting=weighting, loss_mean=loss_mean, run_eagerly=True)
    before, mask = model.get_weights(), np.zeros(8, "float32")
    mask[[1, 6]] = 1
    model.train_on_batch(features[:8], {"gender": labels["gender"][:8]}, {"gender": mask})
    return [new - old for old, new in zip(before, model.get_weights(), strict=True)]


def test_the_mean_over_the_batch_learns_less_from_fewer_labels():
    for labelled, batch in zip(moved("labelled"), moved("batch"), strict=True):
        assert np.abs(labelled).max() > 1e-3
        np.testing.assert_allclose(batch, labelled * 2 / 8, atol=1e-6)


def test_weights_scale_the_step():
    for once, thrice in zip(moved("labelled"), moved("labelled", {"gender": 3.0}), strict=True):
        np.testing.assert_allclose(thrice, 3 * once, atol=1e-6)


def test_a_task_of_weight_0_is_not_learned():
    features, labels, masks = rows()
    model = network()
    model.compile(keras.optimizers.SGD(1.0), weighting={"age": 1, "gender": 0, "head_pose": 1}, run_eagerly=True)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    model.train_on_batch(features, labels, masks)
    for layer in model.layers:
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True):
            assert np.array_equal(old, new) == layer.name.startswith("gender_")


def combined_by_hand(weighting: str, gradients: np.ndarray) -> np.ndarray:
    """The shared gradient (P,) of two tasks' (2, P), by the methods' closed forms for two."""
    first, second = gradients
    if weighting == "pcgrad":
        against = min(first @ second, 0.0)
        return first + second - against * (second / (second @ second) + first / (first @ first))
    weight = np.clip((second - first) @ second / ((first - second) @ (first - second)), 0, 1)
    return weight * first + (1 - weight) * second


@pytest.mark.parametrize("weighting", ["mgda", "pcgrad"])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_gradients_are_combined_where_tasks_share_and_stay_as_they_are_elsewhere(weighting, l2):
    features, labels, masks = rows()
    # The same features for both, one to be raised and one to be lowered: their gradients are in conflict.
    model = network([GENDER, SMILE])
    labels, masks = ({"gender": table["gender"], "smile": table["gender"]} for table in (labels, masks))
    labels["smile"] = 1 - labels["smile"]
    for layer in ("dense_0", "scores"):
        model.get_layer(f"smile_{layer}").set_weights(model.get_layer(f"gender_{layer}").get_weights())
    model.compile(keras.optimizers.SGD(0.1), weighting=weighting, l2=l2, run_eagerly=True)
    with tf.GradientTape(persistent=True) as tape:
        outputs = model(features)
        losses = [
            -tf.reduce_sum(tf.math.log(tf.gather(outputs[name], labels[name], batch_dims=1)) * masks[name])
            / masks[name].sum()
            for name in ("gender", "smile")
        ]
    variables = model.trainable_variables
    by_task = [tape.gradient(loss, variables) for loss in losses]
    shared = [index for index, variable in enumerate(variables) if variable.path.startswith("shared")]
    assert len(shared) == 2
    flat = np.stack([np.concatenate([np.ravel(row[index]) for index in shared]) for row in by_task])
    assert flat[0] @ flat[1] < 0
    combined = combined_by_hand(weighting, flat.astype("float64"))
    pieces = np.split(combined, [variables[shared[0]].numpy().size])
    expected = []
    for index, variable in enumerate(variables):
        own = sum(np.asarray(row[index]) for row in by_task if row[index] is not None)
        gradient = pieces[shared.index(index)].reshape(variable.shape) if index in shared else own
        decay = l2 * variable.numpy() if variable.path.endswith("kernel") else 0.0
        expected.append(variable.numpy() - 0.1 * (gradient + decay))
    model.train_on_batch(features, labels, masks)
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weighting", ["mgda", "pcgrad"])
def test_one_task_alone_learns_as_ever_where_gradients_are_weighed(weighting):
    for equal, combined in zip(moved("labelled"), moved("labelled", weighting), strict=True):
        np.testing.assert_allclose(equal, combined, atol=1e-6)


def test_training_lowers_every_loss():
    model = network([AGE_REGRESSION, GENDER, HEAD_POSE])
    model.compile(keras.optimizers.Adam(0.01))
    data = tf.data.Dataset.from_tensor_slices(rows()).batch(BATCH)
    history = model.fit(data, epochs=160, verbose=0, shuffle=False).history
    for name in ("age_loss", "gender_loss", "head_pose_loss"):
        assert history[name][-1] < 0.2 * history[name][0]


# === Inputs and precision ===


def test_images_are_normalized_within_the_network(tiny_backbone):
    model = MultiTaskModel([GENDER], tiny_backbone, image_size=32)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    expected = model.trunks[0]((images - 127.5) / 128)
    got = model.feature_network()(images)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_a_border_comes_on_top_of_the_image_and_survives_saving(tiny_backbone, tmp_path):
    model = MultiTaskModel([GENDER], tiny_backbone, image_size=26, border=3)
    images = np.random.default_rng(0).integers(0, 256, (2, 26, 26, 3)).astype("uint8")
    wider = np.pad(images, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="reflect")
    got = model.feature_network()(images)
    np.testing.assert_allclose(got, model.trunks[0]((wider - 127.5) / 128), rtol=1e-4, atol=1e-4)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert again.image_size == 26 and again.get_config()["border"] == 3
    np.testing.assert_allclose(again(images)["gender"], model(images)["gender"], rtol=1e-5)
    # Without a side of its own, the trunk sees the side that it was made for.
    assert MultiTaskModel([GENDER], tiny_backbone, border=3).trunks[0].input_shape == (None, 32, 32, 3)


def test_mixed_precision_trains_and_answers_in_float32(tiny_backbone):
    with computing_in("mixed_bfloat16"):
        model = MultiTaskModel(TASKS, tiny_backbone, shared_units=(8,), head_units=(4,))
    _, labels, masks = rows()
    images = np.random.default_rng(0).integers(0, 256, (ROWS, 32, 32, 3)).astype("uint8")
    model.compile(keras.optimizers.SGD(0.01))
    before = model.get_weights()
    logs = model.train_on_batch(images, labels, masks, return_dict=True)
    assert all(np.isfinite(value) for value in logs.values())
    assert all(not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
    assert all(output.dtype == "float32" for output in model(images).values())


# === Going on where a run stopped ===


def face_network(backbone: str) -> MultiTaskModel:
    keras.utils.set_random_seed(2)
    model = MultiTaskModel([AGE, GENDER, ETHNICITY], backbone, shared_units=(8,), head_units=(4,), dropout=0.0)
    model.compile(keras.optimizers.AdamW(0.01))
    return model


def test_a_resumed_run_equals_an_uninterrupted_one(faces, tiny_backbone, tmp_path):
    table = faces.copy()
    table.loc[::2, "age"] = np.nan
    settings = {"batch_size": 7, "augment": True, "seed": 4}
    whole = face_network(tiny_backbone)
    expected = whole.fit(batches(table, whole, **settings), epochs=2, verbose=0, shuffle=False).history

    def backup():
        return keras.callbacks.BackupAndRestore(str(tmp_path / "backup"), delete_checkpoint=False)

    stopped = face_network(tiny_backbone)
    stopped.fit(batches(table, stopped, **settings), epochs=1, verbose=0, shuffle=False, callbacks=[backup()])
    resumed = face_network(tiny_backbone)
    resumed.set_weights([np.full_like(weight, 9.0) for weight in resumed.get_weights()])
    data = batches(table, resumed, first_epoch=1, **settings)
    history = resumed.fit(data, epochs=2, verbose=0, shuffle=False, callbacks=[backup()]).history
    second = {name: values[1] for name, values in expected.items()}
    assert second == pytest.approx({name: values[0] for name, values in history.items()}, rel=1e-5)
    assert all(len(values) == 1 for values in history.values())
    assert int(resumed.optimizer.iterations) == int(whole.optimizer.iterations) == 2 * -(-len(table) // 7)
    states = [[*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)] for model in (whole, resumed)]
    for one, other in zip(*states, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_a_resumed_run_with_dropout_equals_an_uninterrupted_one(staged_backbone, tmp_path):
    _, labels, masks = rows()
    images = np.random.default_rng(0).integers(0, 256, (ROWS, 8, 8, 3)).astype("uint8")
    data = tf.data.Dataset.from_tensor_slices((images, labels, masks)).batch(BATCH)

    def run(folder: str, epochs: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(3)
        # One that draws in its trunk as well as in its dense layers.
        model = MultiTaskModel(TASKS, staged_backbone, "ltb", 8, shared_units=(8,), head_units=(4,), dropout=0.5)
        model.compile(keras.optimizers.SGD(0.01), run_eagerly=True)
        resume.fit(model, lambda epoch: data, None, tmp_path / folder, epochs, patience=9)
        return model.get_weights()

    expected = run("whole", 2)
    # What this one leaves is what is there when it is killed in its second epoch.
    run("killed", 2)
    for one, other in zip(run("killed", 2), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_frozen_is_frozen_after_reloading(tiny_backbone, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype("uint8")
    _, labels, masks = rows()
    labels, masks = tf.nest.map_structure(lambda array: array[:6], (labels, masks))
    model = MultiTaskModel(TASKS, tiny_backbone, shared_units=(8,), head_units=(4,), dropout=0.0)
    model.trunks[0].trainable = False
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    model.train_on_batch(images, labels, masks)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert [v.path for v in again.trainable_variables] == [v.path for v in model.trainable_variables]
    assert not again.trunks[0].trainable_variables
    for each in (model, again):
        each.train_on_batch(images, labels, masks)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_an_uncompiled_network_is_saved_as_it_is(tmp_path):
    network().save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert not again.compiled and again.get_config() == network().get_config()


# === Refusals ===


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backbone": "facenett"}, "unknown backbone 'facenett'; expected one of facenet"),
        ({"sharing": "firm"}, "unknown way of sharing 'firm'; expected one of hard, soft, "),
        ({"tasks": []}, "at least one"),
        ({"tasks": [AGE, AGE_REGRESSION]}, "each only once"),
        ({"backbone": "facenet", "image_size": 60}, "60 is too small: give 75"),
        ({"border": 2}, "border 2: expected 0, or with images"),
        (
            {"backbone": "facenet", "image_size": 80, "border": 80},
            "fewer pixels than the side of 80 that it leaves; choose --border 0",
        ),
        ({"backbone": "facenet", "image_size": 80, "border": -1}, "border -1"),
    ],
)
def test_unknown_parts_are_one_line(settings, message):
    with pytest.raises(UserError, match=message) as error:
        MultiTaskModel(**({"tasks": [AGE], "backbone": "features"} | settings))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weighting": "uncertain"}, "unknown weighting 'uncertain'; expected one of equal"),
        ({"weighting": {"age": 1.0}}, "age, gender, head_pose"),
        ({"l2": -1.0}, "l2 -1.0: expected a number of at least 0"),
        ({"loss_mean": "mean"}, "unknown loss_mean 'mean'; expected one of labelled, batch"),
    ],
)
def test_unknown_choices_are_one_line(settings, message):
    with pytest.raises(UserError, match=message) as error:
        network().compile(**settings)
    assert "\n" not in str(error.value)


def test_penalties_leave_alone_what_only_a_task_without_a_label_reads():
    keras.utils.set_random_seed(0)
    sharing = "dselect_k:experts=3,entropy=1.0"
    model = MultiTaskModel([AGE, GENDER], "features", sharing, WIDTH, shared_units=(3,), head_units=(2,), dropout=0.0)
    model.compile(keras.optimizers.SGD(0.1), l2=0.1, run_eagerly=True)
    features, labels, _ = rows()
    del labels["head_pose"]
    before = {variable.path: variable.numpy() for variable in model.trainable_variables}
    model.train_on_batch(features, labels, {"age": np.ones(ROWS), "gender": np.zeros(ROWS)})
    moved = {v.path.split("/")[0] for v in model.trainable_variables if not np.array_equal(v, before[v.path])}
    assert "age_gate" in moved and "expert_0_dense_0" in moved
    assert not {name for name in moved if name.startswith("gender")}


def test_l2_is_half_the_squared_norm_of_the_kernels_beside_the_tasks_loss():
    features, labels, masks = rows()
    plain, decayed = network(), network()
    plain.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    decayed.compile(keras.optimizers.SGD(0.1), l2=0.01, run_eagerly=True)
    before = {variable.path: variable.numpy() for variable in decayed.trainable_variables}
    kernels = {path: kernel for path, kernel in before.items() if path.endswith("kernel")}
    logs = [model.train_on_batch(features, labels, masks, return_dict=True) for model in (plain, decayed)]
    expected = 0.01 / 2 * sum((kernel**2).sum() for kernel in kernels.values())
    assert logs[1].pop("l2") == pytest.approx(expected, rel=1e-5)
    assert list(logs[0]) == list(logs[1])
    np.testing.assert_allclose(list(logs[0].values()), list(logs[1].values()), rtol=1e-6)
    for one, other in zip(plain.trainable_variables, decayed.trainable_variables, strict=True):
        shrunk = 0.1 * 0.01 * kernels.get(other.path, np.zeros(1))
        np.testing.assert_allclose(one.numpy() - shrunk, other.numpy(), atol=1e-6)
    assert decayed.test_on_batch(features, labels, masks, return_dict=True)["l2"] < expected
