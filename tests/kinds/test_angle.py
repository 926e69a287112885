"""Angles: errors go the shorter way around the circle."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mtl_keras.kinds import kind_of, metric_of
from mtl_keras.tasks import AGE, GENDER, HEAD_POSE, Task

LABELS = np.array([[179.0, -90.0, 10.0], [-170.0, 0.0, 359.0]], "float32")
ANSWERS = np.array([[-179.0, -80.0, 10.0], [170.0, 180.0, 0.0]], "float32")
ERRORS = np.array([[2.0, 10.0, 0.0], [20.0, 180.0, 1.0]])


def test_the_error_between_179_and_minus_179_is_2():
    kind = kind_of(HEAD_POSE)
    np.testing.assert_allclose(kind.loss(LABELS, ANSWERS), np.mean((ERRORS / HEAD_POSE.scale) ** 2, axis=-1), rtol=1e-6)
    np.testing.assert_allclose(kind.score(LABELS, ANSWERS), ERRORS.mean(-1), rtol=1e-6)
    found = kind.measure(LABELS, ANSWERS, np.ones(2))
    assert found["mae"] == pytest.approx(ERRORS.mean())
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(ERRORS**2)))
    for number, output in enumerate(HEAD_POSE.outputs):
        assert found[f"{output}_mae"] == pytest.approx(ERRORS[:, number].mean())
        assert found[f"{output}_rmse"] == pytest.approx(np.sqrt(np.mean(ERRORS[:, number] ** 2)))


def test_what_is_shown_of_a_head_pose_is_the_error_of_the_rotation_and_of_each_angle():
    shown = [metric.name for metric in kind_of(HEAD_POSE).shown]
    assert shown == ["geodesic", "yaw_mae", "pitch_mae", "roll_mae"]
    for outputs, expected in (((), ["rmse", "mae"]), (("yaw", "pitch"), ["mae", "yaw_mae", "pitch_mae"])):
        kind = kind_of(Task("gaze", "angle", outputs=outputs))
        assert [metric.name for metric in kind.shown] == expected
        assert "geodesic" not in [metric.name for metric in kind.metrics]
    assert metric_of("head_pose.geodesic").lower_is_better


def test_the_geodesic_error_is_that_of_the_rotation_whatever_the_order_of_the_outputs():
    # Once a head is turned by 90 degrees, a tilt is a nod the other way: the two cancel out.
    labels, answers = np.array([[90.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), np.array([[90.0, 30.0, 30.0], [0.0, -7.0, 0.0]])
    found = kind_of(HEAD_POSE).measure(labels, answers, np.ones(2))
    assert found["geodesic"] == pytest.approx(3.5, abs=1e-5) and found["mae"] == pytest.approx(67 / 6)
    kind = kind_of(Task("tipped", "angle", outputs=("pitch", "roll", "yaw")))
    found = kind.measure(labels[:, [1, 2, 0]], answers[:, [1, 2, 0]].astype("float32"), np.ones(2))
    assert found["geodesic"] == pytest.approx(3.5, abs=1e-5)


def test_the_gradient_turns_an_answer_the_shorter_way():
    answers = tf.constant([[-179.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(answers)
        loss = kind_of(HEAD_POSE).loss(np.array([[179.0, 0.0, 0.0]], "float32"), answers)
    # -179 is 181: down from there to 179.
    np.testing.assert_allclose(tape.gradient(loss, answers), [[2 * 2 / HEAD_POSE.scale**2 / 3, 0, 0]], rtol=1e-5)


def test_any_finite_number_of_degrees_is_a_label():
    assert kind_of(HEAD_POSE).numbers(pd.Series([-400.0, 359.0, np.inf])).notna().tolist() == [True, True, False]


def test_means_go_around_the_circle():
    kind = kind_of(Task("tilt", "angle"))
    looks = [np.array([[179.0], [10.0]]), np.array([[-179.0], [20.0]])]
    np.testing.assert_allclose(np.abs(kind.mean(looks)), [[180.0], [15.0]], atol=1e-9)
    assert kind.mean(looks[:1]) is looks[0]
    assert abs(kind.constant(np.array([179.0, -179.0, 175.0]))[0]) == pytest.approx(179.0)
    np.testing.assert_allclose(kind_of(HEAD_POSE).constant(np.array([[1.0, 2, 3], [3, 2, 1], [2, 2, 8]])), [2, 2, 3])


def test_a_mirror_turns_yaw_and_roll_to_the_other_side():
    kind, expected = kind_of(HEAD_POSE), [[-10.0, 20.0, -30.0]]
    for values in (np.array([[10.0, 20.0, 30.0]]), tf.constant([[10.0, 20.0, 30.0]])):
        mirrored = kind.mirrored(values)
        assert mirrored.dtype == values.dtype
        np.testing.assert_array_equal(mirrored, expected)
        np.testing.assert_array_equal(kind.mirrored(mirrored), values)
    gaze = kind_of(Task("gaze", "angle", outputs=("pitch", "yaw"), oriented=True))
    np.testing.assert_array_equal(gaze.mirrored(np.array([[5.0, 6.0]])), [[5.0, -6.0]])
    assert kind.mirrors and gaze.mirrors
    # Labels that hold for the mirrored image hold for what is answered about it.
    unturned = kind_of(Task("gaze", "angle", outputs=("pitch", "yaw")))
    np.testing.assert_array_equal(unturned.mirrored(np.array([[5.0, 6.0]])), [[5.0, 6.0]])


@pytest.mark.parametrize(
    ("task", "mirrors"),
    [
        (AGE, True),
        (GENDER, True),
        (Task("tilt", "angle"), True),
        (Task("tilt", "angle", oriented=True), False),
        (Task("wind", "angle", outputs=("from", "yaw"), oriented=True), False),
        (Task("arrow", "categorical", classes=("left", "right"), oriented=True), False),
    ],
    ids=lambda value: value.name if isinstance(value, Task) else "",
)
def test_other_tasks_are_the_same_in_a_mirror_or_not_known_there(task, mirrors):
    values = np.ones((2, 3))
    assert kind_of(task).mirrors == mirrors
    if not task.outputs:
        assert kind_of(task).mirrored(values) is values
