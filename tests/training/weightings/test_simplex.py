"""Weights on the simplex, against a search, and shares of some of the tasks."""

import numpy as np
import pytest

from mtl_keras.training.weightings.simplex import onto_simplex, share_of_present

EVERYONE = np.ones(3, bool)


def nearest(point) -> np.ndarray:
    """The nearest of all weights in steps of 1 / 200."""
    first, second = np.meshgrid(np.linspace(0, 1, 201), np.linspace(0, 1, 201))
    grid = np.stack([first, second, 1 - first - second], axis=-1).reshape(-1, 3)
    grid = grid[grid[:, 2] > -1e-9]
    return grid[np.square(grid - point).sum(axis=1).argmin()]


@pytest.mark.parametrize(
    "point",
    [[0.2, 0.3, 0.5], [0.9, 0.8, -0.4], [5.0, 1.0, 1.0], [-3.0, -2.9, -9.0], [0.0, 0.0, 0.0], [0.5, 0.5, 0.5]],
)
def test_it_is_the_nearest_point_of_the_simplex(point):
    found = np.asarray(onto_simplex(np.array(point, "float32"), EVERYONE))
    assert found.sum() == pytest.approx(1, abs=1e-6) and found.min() >= 0
    np.testing.assert_allclose(found, nearest(point), atol=0.0051)
    np.testing.assert_allclose(onto_simplex(np.array(point), EVERYONE, np), found, atol=1e-6)


def test_absent_tasks_have_no_part():
    point = np.array([0.9, 7.0, 0.3], "float32")
    np.testing.assert_allclose(onto_simplex(point, np.array([True, False, True])), [0.8, 0.0, 0.2], rtol=1e-6)
    np.testing.assert_array_equal(onto_simplex(point, np.zeros(3, bool)), 0)


def test_shares_add_up_to_1_and_come_with_what_is_shared():
    weights = np.array([0.3, 0.5, 0.2], "float32")
    share, total = share_of_present(weights, np.array([True, False, True]))
    np.testing.assert_allclose(share, [0.6, 0.0, 0.4], rtol=1e-6)
    assert float(total) == pytest.approx(0.5)
    share, total = share_of_present(np.array([0.0, 1.0, 0.0], "float32"), np.array([True, False, True]))
    assert np.asarray(share).tolist() == [0.5, 0.0, 0.5] and float(total) == 0
    assert np.asarray(share_of_present(weights, np.zeros(3, bool))[0]).tolist() == [0.0, 0.0, 0.0]
