"""Files of our own: where they can be written is known before, and their names are free and short enough."""

import os
import stat

import pytest

from mtl_keras.errors import UserError
from mtl_keras.files import check_writable, free_name, replacing, replacing_folder

LONGEST = 255  # bytes of a name


def test_a_place_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path, one_line):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path, folder in (("file", False), ("new", False), ("a/b/new", False), ("folder", True), ("a/b", True)):
        check_writable(tmp_path / path, folder)
        check_writable(os.path.relpath(tmp_path / path), folder)
    for path, folder, says in (
        ("folder", False, "is a folder; expected a file"),
        ("file", True, "is a file; expected a folder"),
        ("file/new", False, "Not a directory"),
        ("file/a/b", True, "Not a directory"),
        ("x" * (LONGEST + 1), False, "File name too long"),
        ("x" * (LONGEST + 1), True, "File name too long"),
    ):
        with one_line(says, tmp_path / path):
            check_writable(tmp_path / path, folder)
    for folder in (False, True):
        with one_line("expected a name", "-: cannot be written"):
            check_writable("-", folder)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"] and not os.listdir(tmp_path / "folder")


def test_a_device_or_a_pipe_is_not_replaced(tmp_path, one_line):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", os.devnull):
        with one_line("is a device or a pipe; expected a file", place):
            check_writable(place)


def test_a_folder_that_takes_no_files_is_refused():
    # Not even for root.
    with pytest.raises(UserError, match="/proc/figures.json: cannot be written"):
        check_writable("/proc/figures.json")


def test_the_longest_names_can_be_written(tmp_path):
    for name in ("x" * (LONGEST - 5) + ".json", "a." + "x" * (LONGEST - 2), "ä" * (LONGEST // 2)):
        with replacing(tmp_path / "files" / name) as temporary:
            temporary.write_text("{}")
            assert temporary.suffix == (".json" if name.endswith(".json") else temporary.suffix)
        with replacing_folder(tmp_path / "folders" / name):
            pass
        with replacing_folder(tmp_path / "folders" / name):
            pass
        assert (tmp_path / "files" / name).read_text() == "{}" and (tmp_path / "folders" / name).is_dir()


def test_names_are_free_and_short():
    taken = {"a/b"}
    assert [free_name(name, ".jpg", taken) for name in ("x", "X", "y/x", "x", "x_2")] == [
        "x.jpg", "X_2.jpg", "y/x.jpg", "x_3.jpg", "x_2_2.jpg"
    ]  # fmt: skip
    assert free_name("A/b", "", taken) == "A/b_2"
    long = {free_name(f"y/{'ä' * 120}{number}", ".jpg", taken) for number in range(3)}
    assert len(long) == 3 and all(len(name.encode()) < LONGEST for name in long)
    assert free_name("\udcff", ".jpg", taken) == "image.jpg"


def test_new_files_and_folders_have_the_rights_that_the_user_chose(tmp_path):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "file") as temporary:
            temporary.touch()
        with replacing_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    rights = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file", "folder")]
    assert rights == [0o640, 0o750]
