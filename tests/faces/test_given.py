"""Faces of given boxes: each is the found face that lies there, or one by the box alone, and never another's."""

import numpy as np
import pytest

from mtl_keras.faces.geometry import LANDMARKS, Face
from mtl_keras.faces.given import IN_BOX, faces_in


def found(*box: int, confidence: float = 0.99) -> Face:
    points = np.array(box[:2]) + IN_BOX * box[2:] + 1
    return Face(box, confidence, dict(zip(LANDMARKS, map(tuple, points.tolist()), strict=True)))


def chosen(boxes, faces, height=200, width=300) -> list[Face | None]:
    return faces_in(np.array(boxes, float), faces, height, width)


def test_of_the_found_faces_each_box_gets_its_own():
    left, right, far = found(10, 20, 60, 80), found(100, 25, 50, 70), found(200, 100, 60, 80)
    assert chosen([[105, 20, 50, 80], [5, 15, 70, 90]], [far, left, right]) == [right, left]


def test_a_face_that_was_not_found_stands_where_faces_stand_in_boxes():
    (face,) = chosen([[20, 40, 100, 130]], [found(200, 100, 60, 80)])
    assert face.box == (20, 40, 100, 130) and face.confidence == 0
    np.testing.assert_allclose(face.points, (20, 40) + IN_BOX * (100, 130))
    assert chosen([[20, 40, 100, 130]], [])[0] == face


@pytest.mark.parametrize("neighbor", [(62, 20, 60, 80), (45, 24, 60, 80), (0, 0, 300, 200), (30, 40, 20, 25)])
def test_no_box_gets_a_neighbors_face(neighbor):
    """One beside it, one half behind it, a much larger one and a much smaller one."""
    (face,) = chosen([[10, 20, 60, 80]], [found(*neighbor)])
    assert face.confidence == 0


def test_a_found_face_counts_for_the_box_that_it_shares_most_with():
    behind = found(26, 20, 60, 80)
    faces = chosen([[10, 20, 60, 80], [28, 22, 58, 78]], [behind])
    assert [face.confidence for face in faces] == [0, 0.99] and faces[1] == behind
    assert chosen([[10, 20, 60, 80]], [behind]) == [behind], "as a box may be loose"


def test_boxes_reach_beyond_the_photo_and_may_lie_outside():
    inside, outside, thin = chosen([[-20, -10, 60, 80], [300, 10, 60, 80], [10, 193, 60, 80]], [])
    assert inside.box == (0, 0, 40, 70) and outside is None and thin is None
    np.testing.assert_allclose(inside.points, (-20, -10) + IN_BOX * (60, 80))


def test_a_box_that_is_far_larger_than_the_photo_is_none():
    # Its crop would hold a million million pixels.
    assert chosen([[0, 0, 1e6, 1e6], [0, 0, 4000, 30], [-500, -500, 1000, 1000]], []) == [None] * 3
    loose, half = chosen([[-10, -10, 600, 400], [150, -100, 200, 200]], [])
    assert loose and half
