"""Uncertainty weighting: one step against the paper's loss by hand, its optimum, and what the log shows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.tasks import AGE, GENDER
from mtl_keras.training import weightings
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.weightings.weighting import Step

FEATURES = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
LABELS = {"age": np.array([3, 40, 50, 2, 70, 9], "float32"), "gender": np.array([0, 1, 1, 0, 1, 0], "int32")}
MASKS = {"age": np.array([1, 1, 0, 1, 0, 0], "float32"), "gender": np.array([0, 1, 1, 1, 1, 1], "float32")}


def network(rate: float = 0.1) -> MultiTaskModel:
    keras.utils.set_random_seed(0)
    model = MultiTaskModel([AGE, GENDER], "features", image_size=4, shared_units=(5,), head_units=(), dropout=0.0)
    model.compile(keras.optimizers.SGD(rate), weighting="uncertainty:form=classification")
    return model


def losses_of(model) -> list:
    outputs = model(FEATURES)
    age = tf.gather(outputs["age"], LABELS["age"].astype(int), batch_dims=1)
    gender = tf.gather(outputs["gender"], LABELS["gender"], batch_dims=1)
    return [
        -tf.reduce_sum(tf.math.log(chosen) * mask) / mask.sum()
        for chosen, mask in ((age, MASKS["age"]), (gender, MASKS["gender"]))
    ]


def test_a_step_follows_the_gradient_of_the_papers_loss_in_everything_that_is_trained():
    model = network()
    (log_variances,) = model.weighting_state.weights
    log_variances.assign([0.7, -0.4])
    with tf.GradientTape() as tape:
        age, gender = losses_of(model)
        s = log_variances.value
        loss = tf.exp(-s[0]) * age + s[0] / 2 + tf.exp(-s[1]) * gender + s[1] / 2
    variables = model.trainable_variables
    assert variables[-1] is log_variances
    gradients = tape.gradient(loss, variables)
    expected = [v.numpy() - 0.1 * g.numpy() for v, g in zip(variables, gradients, strict=True)]
    tested = model.test_on_batch(FEATURES, LABELS, MASKS, return_dict=True)
    logs = model.train_on_batch(FEATURES, LABELS, MASKS, return_dict=True)
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=1e-6)
    assert logs["loss"] == pytest.approx(float(loss), rel=1e-5) and tested["loss"] == pytest.approx(float(loss))
    assert logs["age_loss"] == pytest.approx(float(age), rel=1e-5)


def test_a_task_without_a_label_is_no_part_of_the_loss_and_momentum_does_not_move_its_state():
    model = network()
    model.compile(keras.optimizers.Adam(0.1), weighting="uncertainty:form=classification")
    model.train_on_batch(FEATURES, LABELS, MASKS)
    before = model.weighting_state.weights[0].numpy()
    logs = model.train_on_batch(FEATURES, LABELS, MASKS | {"age": np.zeros(6, "float32")}, return_dict=True)
    assert before[0] != 0
    assert logs["loss"] == pytest.approx(np.exp(-before[1]) * logs["gender_loss"] + before[1] / 2, rel=1e-5)
    after = model.weighting_state.weights[0].numpy()
    assert before[0] == after[0] and abs(before[1] - after[1]) > 0.01


def test_at_the_end_a_loss_weighs_one_half_whatever_its_size():
    model = network(rate=0.5)
    for layer in model.layers:
        layer.trainable = False
    model.compile(keras.optimizers.SGD(0.5), weighting="uncertainty:form=classification")
    assert len(model.trainable_variables) == 1
    for _ in range(100):
        model.train_on_batch(FEATURES, LABELS, MASKS)
    weights = np.exp(-model.weighting_state.weights[0].numpy())
    np.testing.assert_allclose(weights * np.array(losses_of(model)), 0.5, rtol=1e-3)


def test_the_state_is_of_training_and_no_part_of_the_network():
    model = network()
    plain = MultiTaskModel.from_config(model.get_config())
    assert model.count_params() == plain.count_params() and len(model.get_weights()) == len(plain.get_weights())
    model.compile("sgd", weighting="equal")
    assert model.weighting_state is None and len(model.trainable_variables) == len(plain.trainable_variables)


@pytest.mark.parametrize(
    ("form", "halved"), [("kind", [1, 0, 1]), ("classification", [0, 0, 0]), ("regression", [1, 1, 1])]
)
def test_five_steps_of_the_papers_loss_by_hand_one_without_a_task(form, halved):
    names = ["age", "gender", "head_pose"]
    weighting = weightings.find(f"uncertainty:form={form}", names, numbers=("head_pose", "age"))
    (log_variances,) = weighting.variables(trained=True)
    deviations = np.ones(3)  # the paper's sigma
    for number in range(5):
        present = np.array([True, number != 2, True])
        losses = np.float32([0.5, 2.0, 4.0]) * present + number * present
        factors = 1 / (1 + np.array(halved))
        with tf.GradientTape() as tape:
            weights = weighting.weigh(Step(losses, present))
            loss = tf.reduce_sum(weights * losses) + weighting.regularizer(present)
        # L / (2 sigma^2) + log(sigma) for numbers, L / sigma^2 + log(sigma) for classes.
        np.testing.assert_allclose(weights, factors / deviations**2, rtol=1e-5)
        expected = np.sum(present * (factors * losses / deviations**2 + np.log(deviations)))
        np.testing.assert_allclose(loss, expected, rtol=1e-5)
        log_variances.assign(log_variances.value - 0.1 * tape.gradient(loss, [log_variances.value])[0])
        # s = log(sigma^2): ds = 2 dsigma / sigma.
        slopes = present * (1 / 2 - factors * losses / deviations**2)
        deviations = np.exp((np.log(deviations**2) - 0.1 * slopes) / 2)


def test_speed_is_how_much_faster_an_optimizer_of_even_steps_moves_the_variances():
    found = []
    for speed in (1, 30):
        model = network()
        model.compile(keras.optimizers.Adam(0.01), weighting=f"uncertainty:form=classification,speed={speed}")
        assert model.train_on_batch(FEATURES, LABELS, MASKS, return_dict=True)["loss"] > 0
        loss = model.test_on_batch(FEATURES, LABELS, MASKS, return_dict=True)
        # Both losses are above 1 / 2, so both variances grow by the rate of the first step.
        s = 0.01 * speed
        assert loss["loss"] == pytest.approx(np.exp(-s) * (loss["age_loss"] + loss["gender_loss"]) + s, rel=1e-3)
        found.append(loss["loss"])
    assert found[1] < found[0]
