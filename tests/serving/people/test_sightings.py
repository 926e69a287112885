"""Faces become sightings, and bodies get the faces that are theirs."""

import numpy as np

from mtl_keras.faces.detectors import Detector
from mtl_keras.faces.geometry import LANDMARKS, Face
from mtl_keras.serving.people.sightings import seeing, with_faces


def face(x: int, y: int, side: int = 20) -> Face:
    """Return a face with its middle at (x, y)."""
    box = (x - side // 2, y - side // 2, side, side)
    return Face(box, 0.9, {name: (float(x), float(y)) for name in LANDMARKS})


def test_a_face_goes_to_the_body_that_it_fits_closely():
    bodies = np.array([[0, 0, 200, 400], [60, 20, 140, 260], [300, 0, 380, 200]], float)
    near, small, low, alone = face(100, 50), face(20, 60, 10), face(340, 180), face(500, 50)
    sightings = with_faces(bodies, np.array([0.9, 0.8, 0.7]), [alone, low, near, small])
    assert [sighting.face for sighting in sightings] == [small, near, None], "none in the lower half of a body"
    assert [sighting.confidence for sighting in sightings] == [0.9, 0.8, 0.7]
    np.testing.assert_array_equal(sightings[1].box, bodies[1])
    assert with_faces(np.empty((0, 4)), np.empty(0), [near]) == []


class OneFace(Detector):
    """A detector that finds a face in the middle of every image."""

    def detect(self, images):
        """Return it for each image."""
        return [[face(image.shape[1] // 2, image.shape[0] // 2)] for image in images]


def test_a_detector_of_ones_own_and_unknown_ones(one_line):
    (sighting,) = seeing(OneFace())(np.zeros((60, 80, 3), "uint8"))
    np.testing.assert_array_equal(sighting.box, [30, 20, 50, 40])
    with one_line("unknown detector 'yolo'"):
        seeing("yolo")


def test_a_preset_that_cannot_be_had_is_one_line(one_line, tmp_path):
    (tmp_path / "empty").mkdir()
    with one_line("detector keras_hub:.*cannot be had.*expected a preset"):
        seeing(f"keras_hub:{tmp_path / 'empty'}")
