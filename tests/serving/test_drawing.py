"""Boxes and answers can be read on every picture, and no drawing replaces a photo."""

import os
import shutil

import numpy as np
from PIL import Image, ImageDraw

from mtl_keras.serving.drawing import describe, draw, drawings, labels_of
from mtl_keras.serving.found_images import find_images

PERSON = {
    "box": [40, 60, 80, 100],
    "confidence": 0.99,
    "landmarks": None,
    "age": {"value": 31.4, "std": 5.6},
    "gender": {"class": "female", "probability": 0.983},
    "age_group": {"class": "24-39", "probability": 0.5},
    "smile": {"class": "not_smiling", "probability": None},
    "head_pose": {"yaw": -0.3, "pitch": 3.0, "roll": 12.0},
}


# Without axes on the face.
UNPOSED = {name: answer for name, answer in PERSON.items() if name != "head_pose"}
UNPOSED["eyeglasses"] = {"class": "no_eyeglasses", "probability": 0.7}


def test_words_for_a_person():
    assert describe(PERSON) == [
        "age 31 ± 6",
        "female 98 %",
        "age group 24-39 50 %",
        "not smiling ? %",
        "yaw 0, pitch 3, roll 12",
    ]
    assert describe({**PERSON, "age": {"value": 31.4, "std": None}})[0] == "age 31"


def test_several_people_have_numbers_and_many_nothing_else():
    assert labels_of([]) == [] and labels_of([UNPOSED])[0].startswith("age 31")
    assert [label.splitlines()[:2] for label in labels_of([UNPOSED] * 2)] == [["1", "age 31 ± 6"], ["2", "age 31 ± 6"]]
    assert labels_of([PERSON] * 9) == list("123456789")


def test_a_drawing_has_boxes_and_labels_that_can_be_read(tmp_path):
    Image.new("RGB", (400, 300), (120, 130, 140)).save(tmp_path / "photo.png")
    others = [{**UNPOSED, "box": [250, 60, 80, 100]}, {**UNPOSED, "box": [0, 0, 30, 30]}]
    picture = draw(tmp_path / "photo.png", [UNPOSED, *others])
    assert picture.size == (480, 360), "small pictures are enlarged"
    plain = draw(tmp_path / "photo.png", [])
    changed = (np.asarray(picture) != np.asarray(plain)).any(axis=2)
    assert changed[72, 48:144].all() and changed[72:192, 48].all(), "the upper and left edge of the first box"
    assert not changed[104:180, 70:120].any(), "no label hides a face where there is room elsewhere"
    for color in ("#0072B2", "#D55E00", "#009E73"):
        red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
        assert (np.asarray(picture) == (red, green, blue)).all(axis=2).sum() > 1000, "each person has a color"
    assert (np.asarray(picture) == 255).all(axis=2).sum() > 500, "letters stand out"


def test_axes_of_the_head_stand_in_the_middle_of_its_box(tmp_path):
    Image.new("RGB", (600, 600), (120, 130, 140)).save(tmp_path / "photo.png")
    person = {"box": [100, 100, 200, 240], "head_pose": {"yaw": 30.0, "pitch": 0.0, "roll": 0.0}}
    picture = draw(tmp_path / "photo.png", [person])
    # From (200, 220): the nose 50 to the image's left, the chin 100 down, the head's side 87 to the right.
    points = {(155, 220): "#0072B2", (200, 315): "#009E73", (280, 220): "#D55E00"}
    assert {place: "#{:02X}{:02X}{:02X}".format(*picture.getpixel(place)) for place in points} == points
    person["head_pose"] |= {"yaw": None}
    assert draw(tmp_path / "photo.png", [person]).getpixel((200, 315)) == (120, 130, 140)


def test_letters_grow_with_the_picture(tmp_path, monkeypatch):
    sizes, original = [], ImageDraw.ImageDraw.multiline_text

    def noted(self, place, text, **settings):
        sizes.append(settings["font"].size)
        return original(self, place, text, **settings)

    monkeypatch.setattr(ImageDraw.ImageDraw, "multiline_text", noted)
    for side in (100, 1000, 4000):
        Image.new("L", (side, side)).save(tmp_path / f"{side}.png")
        drawn = draw(tmp_path / f"{side}.png", [{**PERSON, "box": [side // 4, side // 4, side // 2, side // 2]}])
        assert drawn.mode == "RGB" and drawn.width == max(480, side)
    assert sizes[0] >= 14 and sizes[0] < sizes[1] < sizes[2]


def test_a_label_stays_inside_the_picture_even_if_the_face_fills_it(tmp_path, faces):
    shutil.copy(faces["path"][0], tmp_path / "face.jpg")
    picture = np.asarray(draw(tmp_path / "face.jpg", [{**UNPOSED, "box": [0, 0, 64, 64]}]))
    assert picture.shape == (480, 480, 3)
    label = (picture == (0, 0x72, 0xB2)).all(axis=2)
    assert label[:, 5:-5].sum() > 3000 and not label[10:300, 200:470].any()


def test_drawings_of_several_places_have_short_names_of_their_own(tmp_path, one_line):
    long = "x" * 244 + ".jpg"
    for name in ("a/deep/down/1.jpg", "b/1.JPG", "b/2.png", "c.jpg/3.bmp", "b/c.jpg", f"b/{long}", f"d/{long}"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    # A file is drawn under its name, those of a folder as they lie in it.
    named = [tmp_path / "a" / "deep" / "down" / "1.jpg", tmp_path / "b", tmp_path / "d", tmp_path / "a"]
    found = drawings(find_images([*named, tmp_path]), tmp_path / "drawn")
    names = {os.path.relpath(image, tmp_path): os.path.relpath(to, tmp_path / "drawn") for image, to in found.items()}
    cut = "x" * 200
    assert names == {
        "a/deep/down/1.jpg": "1.jpg",
        "b/1.JPG": "1_2.JPG",
        "b/2.png": "2.png",
        # A folder has this name.
        "b/c.jpg": "c_2.jpg",
        f"b/{long}": f"{cut}.jpg",
        f"d/{long}": f"{cut}_2.jpg",
        "c.jpg/3.bmp": "c.jpg/3.bmp",
    }
    assert not (tmp_path / "drawn").exists()
    (tmp_path / "drawn" / "2.png").mkdir(parents=True)
    with one_line("2.png: cannot be written"):
        drawings(find_images([tmp_path / "b"]), tmp_path / "drawn")


def test_what_pillow_may_not_write_is_drawn_as_png(tmp_path):
    images = {"/a/photo.heic": "photo.heic", "/a/photo": "photo", "/a/p.JPEG": "p.JPEG"}
    assert [path.name for path in drawings(images, tmp_path).values()] == ["photo.heic.png", "photo.png", "p.JPEG"]
