"""Drawn people are where their paths say, hide each other, and are seen nowhere else."""

import numpy as np
import pytest

from mtl_keras.portraits.drawer import cut_out
from mtl_keras.portraits.look import Portrait
from mtl_keras.portraits.moving import FACE, Scene, Stop, Walker
from mtl_keras.portraits.scene import Frame


@pytest.fixture(scope="module")
def passing() -> Scene:
    """One walks from left to right before somebody who stands still in the middle, and is twice as large."""
    walks = Walker(Portrait(seed=1), (Stop(0, 20, 60, 60), Stop(4, 180, 60, 60)))
    stands = Walker(Portrait(seed=2), (Stop(1, 100, 60, 30), Stop(4, 100, 60, 30)))
    return Scene((walks, stands), 4, width=200, height=120, frame_rate=5)


def test_people_are_where_their_paths_say(passing):
    for number in range(0, passing.frames, 3):
        _, truth = passing.frame(number)
        (walks,) = (seen for seen in truth if seen.person == 0)
        x = 20 + 40 * number / 5
        np.testing.assert_allclose(walks.box, 60 * (FACE - 0.5) + (x, 60, x, 60))


def test_who_is_hidden_or_away_is_not_in_the_truth(passing):
    assert passing.frames == 20
    people = [{seen.person for seen in passing.frame(number)[1]} for number in range(20)]
    assert people[2] == {0} and people[5] == {0, 1}, "the second comes after a second"
    assert people[10] == {0} and people[19] == {0, 1}, "and is hidden while the first is before them"
    assert min(seen.visible for seen in passing.frame(19)[1]) > 0.8


def test_a_cut_out_has_what_the_portrait_shows_and_nothing_around_it():
    picture = cut_out(Portrait(seed=3), Frame(90, 126, 60, 15, 18))
    assert picture.shape == (126, 90, 4)
    assert picture[0, 0, 3] == 0 and picture[55, 45, 3] == 255 and picture[125, 45, 3] == 255
    assert picture[48, 45, :3].max() > 30, "colors are not those of the ground that it was drawn on"
