"""Hidden faces cannot be recognized, whatever their size and wherever they are."""

import cv2
import numpy as np
import pytest

from mtl_keras.colors import COLORS
from mtl_keras.portraits.drawer import render
from mtl_keras.portraits.look import Portrait
from mtl_keras.serving.people.counts import Places
from mtl_keras.serving.people.drawn_video import SQUARES, DrawnVideo, face_box, hide
from mtl_keras.serving.people.sightings import Sighting
from mtl_keras.serving.people.tracks import Tracked


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


def test_the_face_of_a_body_without_one_is_above():
    tall, square = np.array([0, 0, 40, 120.0]), np.array([0, 0, 40, 50.0])
    assert face_box(Sighting(tall, 0.9, None)).tolist() == [0, 0, 40, 40]
    assert face_box(Sighting(square, 0.9, None)).tolist() == [0, 0, 40, 50]


def test_boxes_have_the_colors_of_the_page_and_who_is_missed_is_hidden_too(tmp_path):
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[20:100, 200:280] = np.random.default_rng(0).integers(0, 256, (80, 80, 3))
    video = DrawnVideo(tmp_path / "drawn.mp4", 10, Places(None, None, "CENTER"), show_faces=False)
    seen = Tracked(1, Sighting(np.array([40.0, 60, 140, 200]), 0.9, None))
    video.add(picture, [seen], {1: seen.sighting.box, 2: np.array([200.0, 20, 280, 100])}, {})
    video.close()
    drawn = cv2.cvtColor(cv2.VideoCapture(str(tmp_path / "drawn.mp4")).read()[1], cv2.COLOR_BGR2RGB).astype(int)
    color = np.array([int(COLORS[1][place : place + 2], 16) for place in (1, 3, 5)])
    side = drawn[130, 138:143]  # the right one of the box
    assert np.abs(side - color).sum(axis=1).min() < 0.5 * np.abs(side - color[::-1]).sum(axis=1).min()
    assert drawn[30:90, 210:270].std() < 0.5 * picture[30:90, 210:270].std()
