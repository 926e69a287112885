"""Faces become sightings, and bodies get the faces that are theirs."""

import numpy as np
import pytest
from skimage import data

from mtl_keras.faces.detectors import Detector
from mtl_keras.faces.geometry import LANDMARKS, Face
from mtl_keras.faces.yunet import YuNet
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


def test_a_frame_is_looked_at_closely_only_for_landmarks():
    photo, see = data.astronaut(), seeing("yunet")
    (sighting,), (expected,) = see(photo), YuNet().detect([photo])[0]
    assert sighting.face.box == expected.box and sighting.face.landmarks != expected.landmarks
    assert see.closely(photo, [sighting.face]) == [expected]
    other = face(30, 30)
    assert see.closely(photo, [other]) == [other] and seeing(OneFace()).closely(photo, [other]) == [other]


def test_a_preset_that_cannot_be_had_is_one_line(one_line, tmp_path):
    (tmp_path / "empty").mkdir()
    with one_line("detector keras_hub:.*cannot be had.*expected a preset"):
        seeing(f"keras_hub:{tmp_path / 'empty'}")


@pytest.mark.slow
def test_bodies_are_seen_by_a_preset_of_keras_hub_in_pixels_of_the_frame(tmp_path):
    """A network of random weights that takes every place for a person, in images of 128 x 128 pixels."""
    from keras_hub import layers, models
    from keras_hub.src.models.retinanet.retinanet_label_encoder import RetinaNetLabelEncoder

    trunk = models.ResNetBackbone([64], [7], [64, 64, 64], [1, 1, 1], [1, 2, 2], "basic_block")
    pyramid = models.RetinaNetBackbone(image_encoder=trunk, min_level=3, max_level=4, use_p5=False)
    size = {"pad_to_aspect_ratio": True, "crop_to_aspect_ratio": False, "bounding_box_format": "xyxy"}
    converter = layers.RetinaNetImageConverter(image_size=(128, 128), **size)
    anchors = layers.AnchorGenerator("yxyx", 3, 4, num_scales=1, aspect_ratios=[1.0], anchor_size=4.0)
    network = models.RetinaNetObjectDetector(
        pyramid,
        num_classes=2,
        label_encoder=RetinaNetLabelEncoder(anchors, "yxyx"),
        bounding_box_format="yxyx",
        anchor_generator=anchors,
        preprocessor=models.RetinaNetObjectDetectorPreprocessor(image_converter=converter),
    )
    for weight in network.weights:
        if "logits" in weight.path:  # of two classes; boxes are the anchors themselves
            weight.assign([3.0, -9.0] if weight.shape == (2,) else np.zeros(weight.shape))
    network.save_to_preset(tmp_path)
    frame = np.random.default_rng(0).integers(0, 256, (90, 320, 3), np.uint8)
    found = seeing(f"keras_hub:{tmp_path}")(frame)
    boxes = np.array([sighting.box for sighting in found])
    assert len(found) > 10 and all(sighting.confidence > 0.5 for sighting in found)
    assert 250 < boxes[:, 2].max() <= 320 and 70 < boxes[:, 3].max() <= 90, "across is across"
