"""Hidden faces cannot be recognized, whatever their size and wherever they are."""

import cv2
import numpy as np
import pytest

from mtl_keras.portraits.drawer import render
from mtl_keras.portraits.look import Portrait
from mtl_keras.serving.people.drawn_video import SQUARES, hide


@pytest.mark.parametrize("side", [20, 100, 400])
def test_little_is_left_of_a_face(side):
    picture = np.asarray(render(Portrait(seed=1), side)).copy()
    before = picture.copy()
    hide(picture, np.array([0.2, 0.1, 0.8, 0.9]) * side, cv2)
    middle = picture[side // 3 : side // 2, side // 3 : side // 2]
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) <= SQUARES**2
    corner = slice(0, side // 20 or 1)
    np.testing.assert_array_equal(picture[-1, corner], before[-1, corner], "what is around stays")


def test_a_box_at_the_edge_or_outside_changes_what_lies_inside():
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    before = picture.copy()
    hide(picture, np.array([-30.0, -30, -10, -10]), cv2)
    np.testing.assert_array_equal(picture, before)
    hide(picture, np.array([60.0, 40, 100, 90]), cv2)
    assert (picture[45:, 65:] != before[45:, 65:]).any() and (picture[:20, :40] == before[:20, :40]).all()
