"""From files to people: one object an image, whatever the image is."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from mtl_keras.data import images
from mtl_keras.data.images import read_image, resize
from mtl_keras.errors import UserError
from mtl_keras.evaluation.predictions import predictions
from mtl_keras.faces.cut import CropSettings
from mtl_keras.faces.detectors import DETECTORS, Detector
from mtl_keras.faces.geometry import LANDMARKS, UTKFACE_CROP, Face, align
from mtl_keras.faces.mtcnn import FaceDetector
from mtl_keras.serving import predictor
from mtl_keras.serving.drawing import SMALLEST_DRAWING, draw
from mtl_keras.serving.found_images import find_images
from mtl_keras.serving.predictor import Predictor
from mtl_keras.tasks import AGE_REGRESSION, GENDER, HEAD_POSE, PERSON_KEYS, SMILE
from mtl_keras.training.model import MultiTaskModel
from mtl_keras.training.model_folder import save

# What a network is to the machine that runs it is a test of `runtime`.
pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    """A photo of one woman (NASA, public domain) beside a copy of herself at half the size."""
    woman = Image.fromarray(data.astronaut())
    both = Image.new("RGB", (800, 512), "gray")
    both.paste(woman, (0, 0))
    both.paste(woman.resize((256, 256)), (530, 100))
    path = tmp_path_factory.mktemp("photos") / "two.png"
    both.save(path)
    return path


def assert_person(person: dict, model: MultiTaskModel) -> None:
    """That a person is as the contract says."""
    assert list(person) == [*PERSON_KEYS, *(task.name for task in model.tasks)]
    assert person["reliable"] is (person["landmarks"] and person["reason"] is None)
    assert len(person["box"]) == 4 and all(type(number) is int for number in person["box"])
    assert person["age"].keys() == {"value", "std"}
    assert 0 <= person["age"]["value"] <= 116 and 0 <= person["age"]["std"] < 60
    assert person["gender"]["class"] in ("male", "female") and 0.5 <= person["gender"]["probability"] <= 1
    assert person["head_pose"].keys() == {"yaw", "pitch", "roll"}
    assert json.loads(json.dumps(person, allow_nan=False)) == person


# === Crops ===


KINDS = ("jpg", "png", "webp", "gif", "tif", "avif", "jfif")


def test_crops_are_answered_as_the_evaluation_answers_them(tiny_model, tiny_folder, faces, tmp_path):
    # Of every kind in turn, some turned as a camera writes them that was held upright.
    turned = Image.Exif()
    turned[0x0112] = 6
    table = faces.assign(path=[str(tmp_path / f"{row}.{KINDS[row % len(KINDS)]}") for row in range(len(faces))])
    for row, (source, path) in enumerate(zip(faces["path"], table["path"], strict=True)):
        image, settings = Image.open(source), {}
        if row % 2 and KINDS[row % len(KINDS)] != "gif":
            image, settings = image.transpose(Image.Transpose.ROTATE_90), {"exif": turned}
        image.save(path, **settings)
    expected = predictions(tiny_model, table)
    assert expected["age.value"].std() > 0.5, "a model that answers all faces alike would pass many a test"
    results = Predictor(tiny_folder, faces="crop").predict(table["path"])
    assert [result["path"] for result in results] == table["path"].tolist()
    for result, (_, row) in zip(results, expected.iterrows(), strict=True):
        assert result.keys() == {"path", "error", "people"} and result["error"] is None
        (person,) = result["people"]
        assert_person(person, tiny_model)
        assert person["box"] == [0, 0, 64, 64] and person["confidence"] is person["landmarks"] is None
        assert person["gender"]["class"] == row["gender.class"]
        assert person["ethnicity"]["probability"] == pytest.approx(row["ethnicity.probability"], abs=1e-4)
        for found, column in (
            (person["age"]["value"], "age.value"),
            (person["age"]["std"], "age.std"),
            (person["head_pose"]["yaw"], "head_pose.yaw.value"),
        ):
            assert found == pytest.approx(row[column], abs=1e-4)


def test_batches_change_nothing(tiny_model, faces, monkeypatch):
    paths = faces["path"][:7]
    together = Predictor(tiny_model, faces="crop").predict(paths)
    monkeypatch.setattr(predictor, "BATCH_PIXELS", 2 * 64 * 64)
    sizes = [len(batch) for batch in predictor._batches(list(paths))]
    assert sizes == [2, 2, 2, 1]
    for one, other in zip(together, Predictor(tiny_model, faces="crop").predict(paths), strict=True):
        assert one["path"] == other["path"]
        assert one["people"][0]["age"]["value"] == pytest.approx(other["people"][0]["age"]["value"], abs=1e-3)


def test_other_kinds_of_tasks(tiny_backbone, faces):
    model = MultiTaskModel([AGE_REGRESSION, SMILE], tiny_backbone, shared_units=(4,))
    (result,) = Predictor(model, faces="crop").predict(faces["path"][:1])
    (person,) = result["people"]
    assert person["age"]["std"] is None and isinstance(person["age"]["value"], float)
    assert person["smile"]["class"] in SMILE.classes


def test_an_image_that_cannot_be_read_does_not_stop_the_others(tiny_model, faces, tmp_path):
    truncated, empty, text = tmp_path / "truncated.jpg", tmp_path / "empty.png", tmp_path / "text.jpg"
    truncated.write_bytes(Path(faces["path"][0]).read_bytes()[:700])
    empty.touch()
    text.write_text("no image")
    bad = [truncated, empty, text, tmp_path / "missing.jpg", tmp_path]
    good = [faces["path"][0], faces["path"][1]]
    results = Predictor(tiny_model, faces="crop").predict([good[0], *bad, good[1]])
    assert [len(result["people"]) for result in results] == [1, 0, 0, 0, 0, 0, 1]
    errors = [result["error"] for result in results]
    assert errors[0] is errors[-1] is None
    reasons = ("damaged", "empty", "not a JPEG", "No such file", "not a regular file")
    for error, expected in zip(errors[1:-1], reasons, strict=True):
        assert expected in error and "\n" not in error and str(tmp_path) not in error
    assert all(result["people"] == [] for result in Predictor(tiny_model, faces="crop").predict(bad))
    assert Predictor(tiny_model).predict([]) == []


def test_unusual_images(tiny_model, tmp_path):
    for mode, size in (("L", (8, 90)), ("RGBA", (40, 40)), ("CMYK", (30, 60)), ("1", (9, 300)), ("P", (16, 16))):
        suffix = "jpg" if mode == "CMYK" else "png"
        Image.new(mode, size).save(tmp_path / f"{mode}.{suffix}")
    Image.new("RGB", (1, 1)).save(tmp_path / "a face.png")
    *results, dot = Predictor(tiny_model, faces="crop").predict(
        sorted(find_images([tmp_path]), key=lambda p: "a face" in p)
    )
    assert dot["people"] == [] and dot["error"] == "1 x 1 pixels are too few; expected at least 8 a side"
    assert len(results) == 5
    for result in results:
        (person,) = result["people"]
        assert person["box"][:2] == [0, 0]
        assert max(draw(result["path"], result["people"]).size) == SMALLEST_DRAWING


# === Photos ===


def test_faces_of_a_photo_are_found_and_aligned_as_the_model_folder_says(tiny_model, tiny_folder, photo, monkeypatch):
    results = Predictor(tiny_folder).predict([photo])
    people = results[0]["people"]
    assert [result["error"] for result in results] == [None] and len(people) == 2
    for person in people:
        assert_person(person, tiny_model)
        assert person["confidence"] > 0.9 and list(person["landmarks"]) == list(LANDMARKS)
    assert people[0]["box"][0] < 400 < people[1]["box"][0], "the larger face comes first"
    pixels = read_image(photo)
    face = FaceDetector().detect([pixels])[0][0]
    assert people[0]["box"] == list(face.box)
    crop = resize(CropSettings(keep_roll=True).cut(pixels, face), 32)
    outputs = tiny_model.predict(crop[None], verbose=0)
    assert people[0]["age"]["value"] == pytest.approx(float(outputs["age"][0] @ np.arange(117)), abs=1e-3)
    assert people[0]["head_pose"]["roll"] == pytest.approx(float(outputs["head_pose"][0, 2]), abs=1e-3)

    # Another geometry in the folder makes other crops, and so other answers.
    about = json.loads((tiny_folder / "model.json").read_text())
    points = about["crop"]["landmarks"]
    about["crop"]["landmarks"] = {name: [0.5 + (x - 0.5) / 2, 0.5 + (y - 0.5) / 2] for name, (x, y) in points.items()}
    (tiny_folder / "model.json").write_text(json.dumps(about))
    wider = Predictor(tiny_folder).predict([photo])[0]["people"]
    assert wider[0]["box"] == people[0]["box"] and wider[0]["age"] != people[0]["age"]


def test_heads_are_turned_upright_unless_the_model_tells_how_they_are_held(tiny_backbone, photo, tmp_path):
    pixels = read_image(photo)
    face = FaceDetector().detect([pixels])[0][0]
    upright, held = align(pixels, face, UTKFACE_CROP, 200), CropSettings(keep_roll=True).cut(pixels, face)
    assert np.abs(upright.astype(int) - held).mean() > 2, "a head that is upright already would pass as well"
    for tasks, crop in (([GENDER], upright), ([GENDER, HEAD_POSE], held)):
        model = MultiTaskModel(tasks, tiny_backbone, shared_units=(4,))
        expected = model.predict(resize(crop, 32)[None], verbose=0)["gender"].max()
        # What else is asked for changes nothing.
        for answering in (Predictor(model), Predictor(model, tasks=["gender"])):
            assert answering(photo)[0].answers["gender"]["probability"] == pytest.approx(float(expected), abs=1e-4)
    # A network of one task may have been trained on heads as another task needs them.
    alone = MultiTaskModel([GENDER], tiny_backbone, shared_units=(4,))
    save(alone, tmp_path / "alone", UTKFACE_CROP.for_tasks([HEAD_POSE]))
    expected = alone.predict(resize(held, 32)[None], verbose=0)["gender"].max()
    (person, _) = Predictor(tmp_path / "alone")(photo)
    assert person.answers["gender"]["probability"] == pytest.approx(float(expected), abs=1e-4)


def test_a_photo_without_people_and_one_that_is_turned(tiny_model, photo, tmp_path):
    Image.new("RGB", (200, 150), "navy").save(tmp_path / "nobody.png")
    turned, exif = Image.open(photo).convert("RGB").rotate(90, expand=True), Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    turned.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    nobody, upright = Predictor(tiny_model).predict([tmp_path / "nobody.png", tmp_path / "turned.jpg"])
    assert nobody == {"path": str(tmp_path / "nobody.png"), "error": None, "people": []}
    assert len(upright["people"]) == 2
    expected = Predictor(tiny_model).predict([photo])[0]["people"][0]["box"]
    np.testing.assert_allclose(upright["people"][0]["box"], expected, atol=6)
    assert draw(tmp_path / "turned.jpg", upright["people"]).size == (800, 512)


def test_faces_of_a_very_large_photo_are_told_in_its_own_pixels(tiny_model, photo, tmp_path, monkeypatch):
    """Here one of more than 200,000 pixels, in place of 50 million."""
    expected = Predictor(tiny_model).predict([photo])[0]["people"]
    monkeypatch.setattr(images, "MOST_KEPT", 200_000)
    assert read_image(photo).shape == (256, 400, 3)
    (result,) = Predictor(tiny_model).predict([photo])
    for person, whole in zip(result["people"], expected, strict=True):
        np.testing.assert_allclose(person["box"], whole["box"], atol=12)
        for name, point in person["landmarks"].items():
            np.testing.assert_allclose(point, whole["landmarks"][name], atol=8)
    assert draw(photo, result["people"]).size == (480, 307)
    (crop,) = Predictor(tiny_model, faces="crop").predict([photo])
    assert crop["people"][0]["box"] == [0, 0, 800, 512]


class Square(Detector):
    """Finds one face in every image, a quarter of its sides away from each edge."""

    def detect(self, images):
        return [[self.found(*image.shape[1::-1])] for image in images]

    def found(self, width, height):
        points = (np.array((width, height)) / 4 + UTKFACE_CROP.points * (width / 2, height / 2)).tolist()
        box = (width // 4, height // 4, width // 2, height // 2)
        return Face(box, 0.5, dict(zip(LANDMARKS, map(tuple, points), strict=True)))


def test_a_face_whose_landmarks_lie_in_one_point_spoils_nothing(tiny_model, faces):
    pixels = read_image(faces["path"][0])
    height, width = pixels.shape[:2]
    fine = Square().found(width, height)
    corner = Face((width, height, 0, 0), 0.6, {name: (float(width), float(height)) for name in LANDMARKS})
    crops = Predictor(tiny_model, "crop")
    bad, good = crops.about(pixels, [corner, fine])
    assert "too small" in bad.reason and bad.answers and crops.about(pixels, []) == []
    (expected,) = Predictor(tiny_model, detector=Square())(pixels)
    assert (good.box, good.answers, good.reason) == (expected.box, expected.answers, expected.reason)


def test_faces_are_found_by_whatever_detector_is_named(tiny_model, faces, photo):
    paths = list(faces["path"][:3])
    people = Predictor(tiny_model, detector=Square())(paths)
    assert [[person.box for person in each] for each in people] == [[(16, 16, 32, 32)]] * 3
    assert all(person.confidence == 0.5 for (person,) in people)
    # By name, YuNet finds the same two people as MTCNN.
    found = [Predictor(tiny_model, detector=name).predict(photo)[0]["people"] for name in DETECTORS]
    assert [len(each) for each in found] == [2] * len(DETECTORS)
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one["box"], other["box"], atol=25)
    assert found[0] != found[1]
    for whole in (Predictor(tiny_model, detector="none"), Predictor(tiny_model, faces="crop")):
        assert whole.predict(paths) == Predictor(tiny_model, "crop").predict(paths)
    with pytest.raises(UserError, match="unknown detector 'mtcn'"):
        Predictor(tiny_model, detector="mtcn")


def test_people_tell_whether_their_answers_are_reliable(tiny_model, photo, faces, tmp_path):
    sharp, small = Predictor(tiny_model, detector="mtcnn")(photo)
    assert sharp.reliable and sharp.reason == "" and small.reliable
    for person in Predictor(tiny_model, detector="mtcnn").predict(photo)[0]["people"]:
        assert person["reliable"] is True and person["reason"] is None
    Image.open(photo).filter(ImageFilter.GaussianBlur(7)).save(tmp_path / "blurred.png")
    (blurred,) = Predictor(tiny_model, detector=Square())(tmp_path / "blurred.png")
    assert not blurred.reliable and "blurred" in blurred.as_json()["reason"]
    # In a photo that is read smaller, what counts are the pixels that were seen.
    tiny = Image.open(faces["path"][0]).resize((40, 40))
    (person,) = Predictor(tiny_model, detector=Square())(tiny)
    assert "too small" in person.reason
    (whole,) = Predictor(tiny_model, detector="none")(tiny)
    assert whole.reliable is None is whole.as_json()["reliable"]


# === Images that are in memory ===


def test_arrays_and_pictures_are_answered_as_their_files(tiny_model, faces, tmp_path):
    paths = []
    for number, path in enumerate(faces["path"][:3]):
        Image.open(path).resize((40, 40)).save(tmp_path / f"{number}.png")
        paths.append(tmp_path / f"{number}.png")
    crops = Predictor(tiny_model, faces="crop")
    expected = [{**result, "path": None} for result in crops.predict(paths)]
    arrays = np.stack([read_image(path) for path in paths])
    assert len({json.dumps(result) for result in expected}) == 3
    pictures = [Image.open(path) for path in paths]
    for given in (arrays, arrays.astype("float32"), list(arrays), arrays.astype("int64"), pictures):
        assert crops.predict(given) == expected
    for one in (arrays[0], pictures[0]):
        assert crops.predict(one) == expected[:1]
    assert crops.predict(paths[0])[0]["path"] == str(paths[0])
    mixed = crops.predict([paths[0], arrays[1], pictures[2]])
    assert [result["people"] for result in mixed] == [result["people"] for result in expected]
    gray = crops.predict(arrays[0, :, :, 0])
    assert gray == crops.predict(np.repeat(arrays[0, :, :, :1], 3, axis=2)) == crops.predict(arrays[0, :, :, :1])
    assert crops.predict([]) == []


def test_contents_and_damaged_pictures_are_images_too(tiny_model, faces, one_line):
    contents, crops = Path(faces["path"][0]).read_bytes(), Predictor(tiny_model, faces="crop")
    torn = Image.open(io.BytesIO(contents[:700]))
    good, damaged, other, small = crops.predict([contents, torn, contents[:700], Image.new("RGB", (7, 9))])
    assert [good] == crops.predict(contents) and good["path"] is None
    assert good["people"] == crops.predict(faces["path"][0])[0]["people"]
    for found, says in ((damaged, "damaged"), (other, "damaged"), (small, "7 x 9 pixels are too few")):
        assert found["people"] == [] and says in found["error"]
    with one_line("truncated", "image 1: "):
        crops([contents, contents[:700]])
    for none in (None, 7):
        with one_line("expected a path", f"images: got {none}"):
            crops.predict(none)


def test_a_picture_is_turned_upright_and_a_photo_searched_for_faces(tiny_model, photo):
    turned = Image.open(photo).rotate(90, expand=True)
    turned.getexif()[0x0112] = 6  # to be turned clockwise
    expected = Predictor(tiny_model).predict([photo])[0]["people"]
    assert len(expected) == 2
    assert Predictor(tiny_model).predict(turned)[0]["people"] == expected
    assert Predictor(tiny_model).predict(np.asarray(Image.open(photo)))[0]["people"] == expected


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.ones((4, 4, 3)), "image 1: holds numbers of 0 to 1; .* multiply them by 255"),
        (np.full((4, 4, 3), 256.0), "numbers from 256 to 256; expected 0 to 255"),
        (np.full((4, 4, 3), -1), "numbers from -1 to -1"),
        (np.full((4, 4, 3), np.nan), "numbers from nan"),
        (np.zeros((4, 4, 5)), r"image 1: got a uint8 array \(4, 4, 5\)"),
        (np.zeros((2, 4, 4, 3)), r"float64 of shape \(2, 4, 4, 3\); expected a path"),
        (np.zeros((0, 4, 3)), r"shape \(0, 4, 3\)"),
        (np.zeros((1, 1, 3)), "image 1: 1 x 1 pixels are too few"),
        (None, "image 1: got object"),
        (np.array(["a"]), "image 1: got <U1"),
    ],
)
def test_what_is_no_image_is_one_line(tiny_model, image, says, one_line):
    with one_line(says):
        Predictor(tiny_model, faces="crop").predict([np.zeros((8, 8, 3), "uint8"), image])


# === Wrong use ===


def test_what_the_images_are_must_be_known(tiny_model):
    with pytest.raises(UserError, match="faces 'whole': expected one of detect, crop"):
        Predictor(tiny_model, faces="whole")


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(UserError, match="no model.json in it"):
        Predictor(tmp_path)
