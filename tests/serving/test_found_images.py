"""What paths, folders and patterns stand for: each image once, with a name, and nothing left out in silence."""

import os
import re

import pytest

from mtl_keras.errors import UserError
from mtl_keras.serving.found_images import find_images


def test_folders_are_searched_at_any_depth(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    names = ("a/b/1.JPG", "a/2.png", "3.bmp", "4.jpeg", "notes.txt", ".5.jpg", ".hidden/6.jpg")
    for name in names:
        (tmp_path / name).touch()
    expected = sorted(str(tmp_path / name) for name in names[:4])
    assert find_images([tmp_path]) == {path: os.path.relpath(path, tmp_path) for path in expected}
    # A file that is named is taken whatever its name, and each only once.
    named = [tmp_path / "notes.txt", tmp_path / "3.bmp", tmp_path]
    assert [*find_images(named)][:2] == [str(tmp_path / "notes.txt"), str(tmp_path / "3.bmp")]
    assert sorted(find_images(named)) == sorted([*expected, str(tmp_path / "notes.txt")])


def test_nothing_to_find_is_named(tmp_path):
    with pytest.raises(UserError, match="holds no images; expected files that end in .jpg"):
        find_images([tmp_path])
    for gone, says in (("nowhere", "no such file or folder"), ("nowhere*.jpg", "matches no file")):
        with pytest.raises(UserError, match=re.escape(f"{gone}: {says}")):
            find_images([tmp_path / gone, tmp_path / "gone.jpg"])
    # Beside what there is, what is not there is kept, to be listed.
    (tmp_path / "1.jpg").touch()
    assert find_images([tmp_path / "gone.jpg", tmp_path / "1.jpg", tmp_path / "*.png"]) == {
        str(tmp_path / name): name for name in ("gone.jpg", "1.jpg", "*.png")
    }


def test_patterns_are_expanded_and_names_that_look_like_one_are_taken_as_they_are(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("1.jpg", "2.png", "a/3.jpg", "a/b/4.jpg", "[5].jpg", "5.jpg"):
        (tmp_path / name).touch()
    for pattern, names in (
        ("*.jpg", ["1.jpg", "5.jpg", "[5].jpg"]),
        ("?.*", ["1.jpg", "2.png", "5.jpg"]),
        ("**/*.jpg", ["1.jpg", "5.jpg", "[5].jpg", "a/3.jpg", "a/b/4.jpg"]),
        ("[5].jpg", ["[5].jpg"]),
        ("[15].jpg", ["1.jpg", "5.jpg"]),
        ("a*", ["a/3.jpg", "a/b/4.jpg"]),
    ):
        assert [*find_images([tmp_path / pattern])] == [str(tmp_path / name) for name in names], pattern
