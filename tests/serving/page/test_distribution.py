import re

import numpy as np
import pytest

from mtl_keras.serving.page.distribution import _ticks, distribution
from mtl_keras.tasks import AGE, Task


def test_the_curve_is_highest_where_the_age_is_most_probable_and_the_line_at_its_mean():
    ages = np.arange(117)
    probabilities = np.exp(-0.5 * ((ages - 40) / 5) ** 2).astype("float32")
    svg = distribution(AGE, probabilities / probabilities.sum(), "40 ± 5")
    points = np.array([pair.split(",") for pair in re.search(r'polyline points="([^"]+)"', svg)[1].split()], float)
    assert np.argmin(points[:, 1]) == 40 and len(points) == 117
    assert float(re.search(r'class="answer" x1="([\d.]+)"', svg)[1]) == pytest.approx(points[40, 0], abs=0.1)
    assert 'aria-label="Distribution over 0 to 116 years: 40 ± 5"' in svg


def test_bins_may_stand_in_any_order_and_be_of_any_size():
    task = Task("height", "expectation", values=(2.0, 1.0, 1.5), unit='m"<b>')
    svg = distribution(task, np.array([0.1, 0.2, 0.7], "float32"), "1.5 ± 0.3")
    points = np.array([pair.split(",") for pair in re.search(r'polyline points="([^"]+)"', svg)[1].split()], float)
    assert (np.diff(points[:, 0]) > 0).all() and np.argmin(points[:, 1]) == 1 and "<b>" not in svg


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0, 116, [0, 20, 40, 60, 80, 100]), (1, 2, [1, 1.2, 1.4, 1.6, 1.8, 2])]
)
def test_ticks_are_round(low, high, expected):
    assert _ticks(low, high) == pytest.approx(expected)
