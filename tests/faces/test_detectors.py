"""Every detector finds the faces of whatever images, and leaves none of a list out."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage import data

from mtl_keras.errors import UserError
from mtl_keras.faces.detectors import DETECTORS, Detector, find_detector
from mtl_keras.faces.geometry import LANDMARKS, Face

# Read by eye from the photo of Eileen Collins that scikit-image ships (NASA, public domain): her pupils, and the box
# from the hairline to the chin.
LEFT_EYE, RIGHT_EYE = (204.5, 101.5), (246.0, 103.0)
FACE_BOX = (180, 62, 265, 172)


@pytest.fixture(scope="module", params=DETECTORS)
def detector(request) -> Detector:
    return find_detector(request.param)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return data.astronaut()  # (512, 512, 3)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def assert_same(found: list[Face], expected: list[Face], pixels: float):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.box, other.box, atol=pixels)
        np.testing.assert_allclose(list(one.landmarks.values()), list(other.landmarks.values()), atol=pixels)


def test_one_face_where_it_is(detector, photo):
    (faces,) = detector.detect([photo])
    (face,) = faces
    x, y, width, height = face.box
    np.testing.assert_allclose((x, y, x + width, y + height), FACE_BOX, atol=8)
    np.testing.assert_allclose(face.landmarks["left_eye"], LEFT_EYE, atol=4)
    np.testing.assert_allclose(face.landmarks["right_eye"], RIGHT_EYE, atol=4)
    assert list(face.landmarks) == list(LANDMARKS)
    assert face.confidence > 0.9


def test_answers_are_plain_numbers(detector, photo):
    ((face,),) = detector.detect([photo])
    assert [type(number) for number in face.box] == [int] * 4
    assert type(face.confidence) is float
    assert {type(number) for point in face.landmarks.values() for number in point} == {float}
    assert pickle.loads(pickle.dumps(face)) == face


def test_list_of_mixed_sizes_answers_as_one_at_a_time(detector, photo):
    images = [photo, photo[:300, 100:401], noise(90, 130, 3), photo[:, ::-1], photo[:5, :5], photo[:300, 100:401, ::-1]]
    together = detector.detect(images)
    assert [len(faces) > 0 for faces in together] == [True, True, False, True, False, True]
    for image, faces in zip(images, together, strict=True):
        assert_same(faces, detector.detect([image])[0], pixels=1)


def test_place_in_a_photo_changes_nothing(detector, photo):
    whole, part = detector.detect([photo, photo[20:320, 100:400]])
    np.testing.assert_allclose(
        np.array(list(part[0].landmarks.values())) + (100, 20), list(whole[0].landmarks.values()), atol=4
    )


def test_faceless_images_do_not_empty_their_batch(detector, photo):
    black = np.zeros_like(photo)
    found = detector.detect([noise(*photo.shape), black, photo, black])
    assert [len(faces) for faces in found] == [0, 0, 1, 0]


@pytest.mark.parametrize("shape", [(200, 200, 3), (64, 64), (5, 5, 3), (1, 1), (19, 400, 3), (3000, 2), (20, 20, 3)])
def test_noise_and_tiny_images_have_no_face(detector, shape):
    assert detector.detect([noise(*shape)]) == [[]]


def test_empty_list(detector):
    assert detector.detect([]) == []


def test_gray_and_alpha(detector, photo):
    gray = np.asarray(Image.fromarray(photo).convert("L"))
    alpha = np.dstack([photo, noise(512, 512)])
    color, alone, channel, transparent = detector.detect([photo, gray, gray[:, :, None], alpha])
    assert_same(alone, color, pixels=5)
    assert_same(channel, alone, pixels=1)
    assert_same(transparent, color, pixels=1)


def test_large_photo_is_answered_in_its_own_pixels(detector, photo):
    large = np.asarray(Image.fromarray(photo).resize((3000, 3000)))
    ((face,),) = detector.detect([large])
    np.testing.assert_allclose(np.array(face.landmarks["left_eye"]) / 3000 * 512, LEFT_EYE, atol=4)
    np.testing.assert_allclose(np.array(face.landmarks["right_eye"]) / 3000 * 512, RIGHT_EYE, atol=4)


@pytest.mark.parametrize(("minimum_size", "count"), [(40, 1), (80, 1), (300, 0)])
def test_minimum_size(detector, photo, minimum_size, count):
    (faces,) = replace(detector, minimum_size=minimum_size).detect([photo])
    assert len(faces) == count
    for face in faces:
        np.testing.assert_allclose(face.landmarks["left_eye"], LEFT_EYE, atol=6)


def test_largest_face_comes_first_and_boxes_stay_inside(detector, photo):
    face = Image.fromarray(photo[40:200, 150:300])
    small, cut = np.asarray(face.resize((75, 80))), np.asarray(face)[:, 40:]  # an ear is cut off
    image = np.full((160, 300, 3), 128, np.uint8)
    image[:80, 200:275] = small
    image[:, : cut.shape[1]] = cut
    (faces,) = detector.detect([image])
    assert len(faces) == 2
    assert faces[0].area > faces[1].area
    for x, y, width, height in (face.box for face in faces):
        assert 0 <= x < x + width <= 300
        assert 0 <= y < y + height <= 160


@pytest.mark.parametrize(
    "bad",
    [None, "photo.jpg", [[0, 1], [2, 3]], np.zeros((30, 30, 3)), np.zeros((30, 30, 2), np.uint8), np.zeros(9, np.uint8),
     np.zeros((0, 30, 3), np.uint8), np.zeros((2, 30, 30, 3), np.uint8), np.zeros((30, 30), np.uint16)],
    ids=repr,
)  # fmt: skip
def test_what_is_no_image_is_named(detector, bad):
    with pytest.raises(UserError, match=r"^image 1: got a .*, expected a uint8 array .*$"):
        detector.detect([noise(30, 30, 3), bad])


@pytest.mark.parametrize(
    "settings",
    [
        {"minimum_size": 10},
        {"minimum_size": 20, "maximum_side": 10},
        {"minimum_confidence": 1.5},
        {"minimum_confidence": float("nan")},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(detector, settings):
    with pytest.raises(UserError, match="expected 20 <= minimum_size <= maximum_side and minimum_confidence between"):
        replace(detector, **settings)


def test_faces_that_fill_the_photo_are_found(detector, photo):
    for side in (300, 900, 2000):
        close = np.asarray(Image.fromarray(photo[20:220, 120:320]).resize((side, side)))
        ((face,),) = detector.detect([close])
        eye = np.array(face.landmarks["left_eye"]) * 200 / side + (120, 20)
        np.testing.assert_allclose(eye, LEFT_EYE, atol=4)


def test_faces_of_less_confidence_are_left_out(detector, photo):
    ((face,),) = detector.detect([photo])
    above = replace(detector, minimum_confidence=(1 + face.confidence) / 2)
    assert above.detect([photo]) == [[]]


def test_another_process_gets_a_detector_that_finds_the_same(detector, photo):
    # Its networks are read anew there, so they do not travel.
    found, sent = detector.detect([photo]), pickle.dumps(detector)
    assert len(sent) < 1000
    again = pickle.loads(sent)
    assert again == detector and again.detect([photo]) == found


# === Choosing one ===


def test_each_is_chosen_by_its_name_and_settings():
    for name in DETECTORS:
        chosen = find_detector(f"{name}:minimum_confidence=0.7,maximum_side=640")
        assert (chosen.minimum_confidence, chosen.maximum_side, chosen.minimum_size) == (0.7, 640, 20)
        assert type(chosen) is type(find_detector(name)) is DETECTORS[name]
        assert find_detector(chosen) is chosen
    # A folder of crops tells by these whether it has to be made anew.
    settings = [find_detector(name).settings for name in DETECTORS]
    settings += [find_detector(f"{name}:minimum_confidence=0.8765").settings for name in DETECTORS]
    assert len({json.dumps(each) for each in settings}) == len(settings)
    # Folders of crops that earlier versions left are told by these.
    mtcnn = {"minimum_size": 20, "maximum_side": 1600, "minimum_confidence": 0.9}
    assert find_detector("mtcnn").settings == mtcnn


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ("mtcn", "unknown detector 'mtcn'; expected one of mtcnn, yunet; did you mean mtcnn"),
        ("yunet:size=4", "yunet: unknown setting 'size'; it has minimum_size=20"),
        ("mtcnn:minimum_size=big", "minimum_size is 'big'; expected a whole number"),
        ("yunet:minimum_confidence=2", "minimum_confidence between 0 and 1"),
    ],
)
def test_an_unknown_choice_is_one_line(choice, says, one_line):
    with one_line(says):
        find_detector(choice)
