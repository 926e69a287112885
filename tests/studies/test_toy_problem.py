"""Where every weighting's path ends on the two-objective toy problem."""

import numpy as np
import pytest
from PIL import Image

from mtl_keras.studies.plots.toy_problem import draw_toy_problem
from mtl_keras.studies.toy_problem import CHOICES, STARTS, distances_to_front, losses_of, paths_of
from mtl_keras.training.weightings import WEIGHTINGS, find

pytestmark = pytest.mark.usefixtures("compiled")
# Those that reach the front from the paper's other two starts too, in so few steps.
REACHING = {"mgda", "pcgrad", "gradvac", "nash_mtl", "fairgrad", "config", "modo"}
# Those whose own objective falls where these starts lead out of the picture.
LEAVING = {"pbi"}
SMOOTH, VALLEYS = STARTS[1], STARTS[[0, 2]]


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_losses_fall_and_the_front_is_reached_where_that_is_promised(name):
    starts = np.stack([SMOOTH, *(VALLEYS if name in REACHING | LEAVING else ())])
    paths = paths_of(CHOICES.get(name, name), starts)
    assert np.isfinite(paths).all()
    np.testing.assert_array_equal(paths[:, 0], starts)
    losses, weighting = losses_of(paths[:, [0, -1]]).numpy(), find(name, ["first", "second"], lambda: 2)
    for totals in (losses.sum(axis=-1), np.apply_along_axis(weighting.worth, -1, losses, np.ones(2, bool))):
        assert (totals[:, 1] < totals[:, 0] - 0.1).all()
    assert (losses.sum(axis=-1) @ [1, -1] > 5).all()
    assert name not in REACHING or distances_to_front(paths[:, -1]).max() < 0.5


def test_the_plain_sum_stays_in_the_valleys_and_reaches_the_front_from_elsewhere():
    ends = paths_of("equal")[:, -1]
    far = distances_to_front(ends)
    assert (far > 10).tolist() == [True, False, True, False, False]
    # There the gradients at the middle of the front add up to 0.
    np.testing.assert_allclose(ends[far < 10], [[0.0, -8.355]] * 3, atol=0.05)


def test_the_figure_marks_ends_on_the_front_and_elsewhere(tmp_path):
    def marks(name: str) -> int:
        draw_toy_problem(tmp_path / "paths.png", [name])
        with Image.open(tmp_path / "paths.png") as image:
            pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
        return int((pixels == (213, 94, 0)).all(axis=1).sum())  # the color of ends elsewhere, also in the legend

    assert marks("equal") > 2 * marks("pcgrad") > 0
