"""What `compile` takes from Keras, by task: losses and metrics that count labelled examples alone."""

import keras
import numpy as np
import pytest

from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import AGE, AGE_REGRESSION, GENDER, HEAD_POSE, Task
from mtl_keras.training.compiled import task_losses
from mtl_keras.training.model import MultiTaskModel

TASKS = [AGE_REGRESSION, GENDER, HEAD_POSE]
ROWS = 8
RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(ROWS, 4)).astype("float32")
LABELS = {
    "age": RANDOM.uniform(0, 90, ROWS).astype("float32"),
    "gender": RANDOM.integers(0, 2, ROWS).astype("int32"),
    "head_pose": RANDOM.normal(0, 20, (ROWS, 3)).astype("float32"),
}
MASKS = {"age": [1, 1, 0, 1, 0, 1, 1, 0], "gender": [2, 0.5, 1, 0, 0, 3, 1, 1], "head_pose": [0, 1, 1, 1, 1, 0, 0, 1]}
MASKS = {name: np.array(mask, "float32") for name, mask in MASKS.items()}


def network(tasks=TASKS) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    return MultiTaskModel(tasks, "features", image_size=4, shared_units=(), head_units=(), dropout=0.0)


def logged(model: MultiTaskModel) -> dict[str, float]:
    return model.test_on_batch(FEATURES, LABELS, MASKS, return_dict=True)


# === Losses ===


@pytest.mark.parametrize("loss", ["mse", keras.losses.MeanSquaredError(), keras.losses.mean_squared_error])
def test_a_loss_of_keras_takes_the_place_of_the_kinds_and_is_masked(loss):
    model = network()
    model.compile("sgd", loss={"age": loss, "head_pose": "mae"}, run_eagerly=True)
    logs, outputs = logged(model), model(FEATURES)
    errors = outputs["age"].numpy()[:, 0] - LABELS["age"]
    assert logs["age_loss"] == pytest.approx(np.average(errors**2, weights=MASKS["age"]), rel=1e-4)
    errors = np.abs(outputs["head_pose"] - LABELS["head_pose"]).mean(-1)
    assert logs["head_pose_loss"] == pytest.approx(np.average(errors, weights=MASKS["head_pose"]), rel=1e-4)
    model.compile("sgd", run_eagerly=True)
    assert logged(model)["gender_loss"] == logs["gender_loss"]


def test_one_loss_is_that_of_all_tasks_and_no_weighting():
    model = network([GENDER])
    model.compile("sgd", "sparse_categorical_crossentropy")
    ours = network([GENDER])
    ours.compile("sgd")
    given = FEATURES, LABELS["gender"], MASKS["gender"]
    assert model.test_on_batch(*given) == pytest.approx(ours.test_on_batch(*given), rel=1e-5)
    assert model.get_compile_config()["loss"]["config"]["weighting"] == "equal"


@pytest.mark.parametrize("task", [AGE, GENDER, HEAD_POSE], ids=lambda task: task.name)
def test_without_a_loss_a_task_has_that_of_its_kind(task):
    assert task_losses([task], None) == task_losses([task], {}) == {task.name: kind_of(task).loss}


# === Loss weights ===


def test_loss_weights_are_a_fixed_weighting():
    model = network()
    for weights in ({"age": 0.5, "gender": 2.0, "head_pose": 0.0}, [0.5, 2.0, 0.0]):
        model.compile("sgd", loss_weights=weights, run_eagerly=True)
        logs = logged(model)
        assert logs["loss"] == pytest.approx(0.5 * logs["age_loss"] + 2 * logs["gender_loss"], rel=1e-5)


# === Metrics ===


def test_metrics_are_masked_and_weighted_ones_are_weighted_too():
    model = network()
    metrics = {"gender": ["accuracy", keras.metrics.SparseCategoricalCrossentropy(name="ce")], "age": "mae"}
    model.compile("sgd", metrics=metrics, weighted_metrics={"gender": ["accuracy"]})
    logs, outputs = logged(model), model(FEATURES)
    right = outputs["gender"].numpy().argmax(-1) == LABELS["gender"]
    labelled = MASKS["gender"] > 0
    assert logs["gender_accuracy"] == pytest.approx(right[labelled].mean(), rel=1e-5)
    weighted = np.average(right, weights=MASKS["gender"])
    assert logs["gender_weighted_accuracy"] == pytest.approx(weighted, rel=1e-5)
    assert abs(weighted - right[labelled].mean()) > 0.01
    entropy = -np.log(outputs["gender"].numpy()[np.arange(ROWS), LABELS["gender"]])
    assert logs["gender_ce"] == pytest.approx(entropy[labelled].mean(), rel=1e-4)
    errors = np.abs(outputs["age"].numpy()[:, 0] - LABELS["age"])
    assert logs["age_mae"] == pytest.approx(errors[MASKS["age"] > 0].mean(), rel=1e-4)


def test_a_metric_that_makes_its_variables_late_is_counted_anew_in_each_epoch():
    model = network([HEAD_POSE])
    model.compile(keras.optimizers.SGD(0.0), metrics={"head_pose": [keras.metrics.R2Score(name="r2")]})
    history = model.fit(FEATURES, {"head_pose": LABELS["head_pose"]}, epochs=2, batch_size=4, verbose=0).history
    assert history["head_pose_r2"][0] == pytest.approx(history["head_pose_r2"][1], rel=1e-3)


def test_the_only_tasks_metrics_have_its_name_too():
    model = network([GENDER])
    model.compile("sgd", metrics=["sparse_categorical_crossentropy"])
    logs = model.test_on_batch(FEATURES, LABELS["gender"], return_dict=True)
    assert logs["gender_sparse_categorical_crossentropy"] == pytest.approx(logs["gender_loss"], rel=1e-4)


# === Saving ===


def test_what_was_compiled_is_compiled_after_reloading(tmp_path):
    model = network()
    metrics = {"gender": [keras.metrics.SparseTopKCategoricalAccuracy(1, name="top")]}
    choices = {"loss": {"age": keras.losses.Huber()}, "loss_weights": {"age": 0.5, "gender": 2.0, "head_pose": 1.0}}
    model.compile("adam", **choices, metrics=metrics, weighted_metrics={"age": ["mse"]}, steps_per_execution=2)
    logs = logged(model)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert logged(again) == pytest.approx(logs, rel=1e-5) and {"gender_top", "age_mse"} <= logs.keys()
    assert again.get_compile_config() == model.get_compile_config() and again.steps_per_execution == 2


def test_what_an_older_version_has_compiled_is_compiled(tmp_path):
    model = network()
    model.compile("adam")
    older = {"weighting": "uncertainty", "loss_mean": "batch", "l2": 0.1, "jit_compile": False}
    model.compile_from_config({"optimizer": model.get_compile_config()["optimizer"], **older})
    found = model.get_compile_config()["loss"]["config"]
    newer = {"loss": None, "gradients_at": "parameters", "accumulate": 1, "sync_batch_norm": True}
    assert found == {"weighting": "uncertainty", "loss_mean": "batch", "l2": 0.1, **newer}


@pytest.mark.parametrize("choices", [{}, {"weighting": "uncertainty", "metrics": {"gender": ["accuracy"]}}])
def test_a_clone_answers_and_says_how_to_train_it(choices):
    model = network()
    model.compile("adam", **choices)
    clone = keras.models.clone_model(model)
    assert list(clone(FEATURES)) == list(model(FEATURES))
    with pytest.raises(UserError, match=r"MultiTaskModel.from_config\(model.get_config\(\)\)"):
        clone.fit(FEATURES, LABELS, verbose=0)
    clone.set_weights(model.get_weights())
    for name, answers in clone(FEATURES).items():
        np.testing.assert_array_equal(answers, model(FEATURES)[name])


# === Refusals ===

METRIC = r"{} of 'gender': fails for labels \(4,\) and outputs \(4, 2\); a task of classes answers the probabilities"


@pytest.mark.parametrize("classes", range(2, 8))
def test_a_loss_of_numbers_is_none_of_classes_however_many_there_are(classes):
    task = Task("color", "categorical", classes=tuple("abcdefg"[:classes]))
    for choices in ({"loss": "mse"}, {"metrics": {"color": ["mse"]}}):
        with pytest.raises(UserError, match="of 'color': fails for"):
            network([task]).compile("sgd", **choices)


def test_a_loss_of_classes_is_none_of_numbers():
    expected = "of 'age': the same whatever number is answered; expected a loss of numbers, such as 'mse'"
    with pytest.raises(UserError, match=expected):
        network([GENDER, AGE_REGRESSION]).compile("sgd", loss="sparse_categorical_crossentropy")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"loss": "pcgrad"}, "loss 'pcgrad' is a way of weighting; expected weighting='pcgrad'"),
        ({"loss": "msee"}, "loss 'msee' of 'age': .*Could not interpret"),
        ({"loss": {"smile": "mse"}}, "loss: unknown task 'smile'; expected some of age, gender, head_pose"),
        ({"loss": {"gender": "mse"}}, r"loss 'mse' of 'gender': fails for labels \(4,\) and outputs \(4, 2\)"),
        (
            {"loss": {"age": lambda y, p: keras.ops.mean(p)}},
            r"of 'age': \(\) for 3 examples; expected a loss for each",
        ),
        ({"loss_weights": {"age": "a", "gender": 1.0, "head_pose": 1.0}}, "one weight of at least 0 for each"),
        ({"metrics": {"gender": ["binary_accuracy"]}}, METRIC.format("metrics 'binary_accuracy'")),
        ({"weighted_metrics": {"gender": [keras.metrics.AUC(name="auc")]}}, METRIC.format("weighted_metrics 'auc'")),
        ({"loss_weights": {"age": 1.0}}, "one weight of at least 0 for each of the tasks age, gender, head_pose"),
        ({"loss_weights": {"smile": 1.0}}, "loss_weights: unknown task 'smile'"),
        ({"loss_weights": [1.0, 1.0, 1.0], "weighting": "pcgrad"}, "give only one"),
        ({"metrics": ["accuracy"]}, "metrics: got 1 entries; expected {task: ...} of some of the tasks age, gender"),
        ({"metrics": {"smile": ["accuracy"]}}, "metrics: unknown task 'smile'"),
        ({"weighted_metrics": {"smile": ["accuracy"]}}, "weighted_metrics: unknown task 'smile'"),
        ({"metrics": {"age": ["acuracy"]}}, "metrics: Could not interpret metric identifier: acuracy"),
    ],
)
def test_what_cannot_be_compiled_is_one_line(choices, message):
    with pytest.raises(UserError, match=message) as error:
        network().compile("sgd", **choices)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("saved", "compiled"), [("equal", "dwa"), ("moco", "uncertainty")])
def test_weights_with_the_state_of_another_weighting_are_one_line(saved, compiled, tmp_path):
    first, second = network(), network()
    first.compile("sgd", weighting=saved)
    first.save_weights(tmp_path / "model.weights.h5")
    second.compile("sgd", weighting=compiled)
    with pytest.raises(UserError, match=f"no state of weighting '{compiled}'"):
        second.load_weights(tmp_path / "model.weights.h5")
    with pytest.warns(UserWarning, match="weighting_state"):
        second.load_weights(tmp_path / "model.weights.h5", skip_mismatch=True)
