"""Heads as rotations: of the documented signs and order, and how far one is from another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat
from scipy.spatial.transform import Rotation

from mtl_keras.rotations import angles_of, axes, geodesic, rotation_of, tilted_first, tilted_last

POSES = st.tuples(st.floats(-89, 89), st.floats(-179, 179), st.floats(-179, 179)).map(np.array)
RIGHT, UP, OUT = np.eye(3)


@settings(max_examples=30, deadline=None)
@given(POSES, POSES)
def test_a_head_nods_after_it_turned_and_turns_after_it_tilted(pose, other):
    yaw, pitch, roll = pose
    expected = Rotation.from_euler("XYZ", (-pitch, -yaw, -roll), degrees=True)
    np.testing.assert_allclose(rotation_of(pose), expected.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(angles_of(rotation_of(np.stack([pose, other]))), [pose, other], atol=1e-6)
    between = expected.inv() * Rotation.from_matrix(rotation_of(other))
    assert geodesic(pose, other) == pytest.approx(np.degrees(between.magnitude()), abs=1e-5)


def test_signs_are_those_that_a_viewer_sees():
    left, down, clockwise = (rotation_of(30.0 * angle) for angle in np.eye(3))
    np.testing.assert_allclose(left @ OUT, [-0.5, 0, np.sqrt(0.75)])  # the nose
    np.testing.assert_allclose(down @ OUT, [0, 0.5, np.sqrt(0.75)])
    np.testing.assert_allclose(clockwise @ UP, [0.5, np.sqrt(0.75), 0], atol=1e-12)  # the crown


def test_angles_of_heads_that_tilt_last_are_those_of_the_same_rotation():
    angles = np.random.default_rng(0).uniform(-60, 60, (20, 3))
    last = tilted_last(angles)
    turns = Rotation.from_euler("xyz", -last[:, [1, 0, 2]], degrees=True).as_matrix()
    np.testing.assert_allclose(turns, rotation_of(angles), atol=1e-12)
    np.testing.assert_allclose(tilted_first(last), angles, atol=1e-9)


@pytest.mark.parametrize(
    ("pose", "other", "degrees"),
    [
        ((10, 0, 0), (10, 0, 0), 0),
        ((-20, 0, 0), (10, 0, 0), 30),
        ((0, 179, 0), (0, -179, 0), 2),
        ((0, 0, 0), (90, 90, 0), 120),
        # The same head by other angles: with a yaw of 90 only the difference of the others counts.
        ((90, 40, 0), (90, 0, -40), 0),
        ((0, 0, 180), (0, 180, 0), 180),
    ],
)
def test_geodesic_errors_are_the_smallest_turn_between_two_heads(pose, other, degrees):
    for pair in ((pose, other), (other, pose)):
        assert geodesic(*map(np.array, pair)) == pytest.approx(degrees, abs=1e-5)


def test_axes_point_where_the_face_does():
    frontal = axes({"yaw": 0.0, "pitch": 0.0, "roll": 0.0})
    assert [end for _, *end in frontal] == [[1, 0], [0, 1], [0, 0]]
    colors = [color for color, _, _ in frontal]
    found = {color: end for color, *end in axes({"yaw": 30.0, "pitch": 0.0, "roll": 0.0})}
    # Turned to the image's left, its own left side comes nearer: that axis is drawn over the one that points down.
    np.testing.assert_allclose([found[color] for color in colors], [[np.sqrt(0.75), 0], [0, 1], [-0.5, 0]], atol=1e-12)
    assert list(found) == [colors[1], colors[0], colors[2]]
    assert axes({"yaw": 1.0, "pitch": None, "roll": 0.0}) == axes({"class": "male", "probability": 0.9}) == []


@pytest.mark.realdata
def test_the_slope_of_the_eyes_in_real_photos_is_the_roll_of_heads_that_tilt_last(real_data):
    off = []
    for path in sorted((real_data / "AFLW2000").glob("*.mat")):
        found = loadmat(path)
        pitch, yaw, roll = np.degrees(found["Pose_Para"][0, :3])
        x, y = found["pt3d_68"][:2, 42:48].mean(axis=1) - found["pt3d_68"][:2, 36:42].mean(axis=1)
        slope = np.degrees(np.arctan2(y, x))
        off.append((slope - tilted_last(np.array([yaw, pitch, roll]))[2], slope - roll))
    last, first = np.abs(off).max(axis=0)
    # They are turned by up to 71 degrees and lifted by up to 40.
    assert last < 3 and first > 50
