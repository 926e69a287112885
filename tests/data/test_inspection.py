"""The one pass over image files: reasons, signatures, and the cache that saves a second pass."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mtl_keras.data import inspection
from mtl_keras.data.images import read_image
from mtl_keras.data.inspection import SIDE, inspect_images
from mtl_keras.errors import UserError


def noise(seed: int, size: int = 96) -> Image.Image:
    """A soft random color picture, different for every seed."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    return Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC)


def make_files(folder: Path) -> dict[str, str]:
    """Write good and bad files and return what should be said of each."""
    noise(0).save(folder / "good.jpg")
    noise(1).save(folder / "good.png")
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no picture")
    (folder / "cut.jpg").write_bytes((folder / "good.jpg").read_bytes()[:-300])
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:-300])
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "broken_link.jpg").symlink_to(folder / "nowhere.jpg")
    return {
        "good.jpg": "",
        "good.png": "",
        "empty.jpg": "the file is empty (0 bytes)",
        "text.jpg": "not a JPEG, PNG, BMP",
        "cut.jpg": "truncated or damaged",
        "cut.png": "truncated or damaged",
        "pipe.jpg": "not a regular file",
        "folder.jpg": "not a regular file",
        "broken_link.jpg": "No such file",
    }


def test_every_bad_file_has_its_reason(tmp_path):
    expected = make_files(tmp_path)
    found = inspect_images([str(tmp_path / name) for name in expected])
    assert found["path"].map(os.path.basename).tolist() == list(expected)
    for reason, start in zip(found["reason"], expected.values(), strict=True):
        assert reason.startswith(start) and bool(reason) == bool(start) and "\n" not in reason
    good = found[found["reason"] == ""]
    assert good[["width", "height"]].to_numpy().tolist() == [[96, 96]] * 2
    assert good["signature"].map(len).tolist() == [SIDE * SIDE] * 2
    assert good["sha256"].str.fullmatch("[0-9a-f]{64}").all()


def test_what_passes_can_be_decoded_in_tf_data(tmp_path):
    noise(2).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    paths = []
    for length in [*range(2, len(whole), 97), len(whole) - 3, len(whole) - 2, len(whole) - 1, len(whole)]:
        paths.append(str(tmp_path / f"{length}.jpg"))
        Path(paths[-1]).write_bytes(whole[:length])
    readable = inspect_images(paths)["reason"] == ""
    assert readable.iloc[-1] and not readable.iloc[:-4].any()
    for path in np.array(paths)[readable]:
        assert read_image(path).shape == (96, 96, 3)


def test_cache_saves_the_second_pass_and_notices_changes(tmp_path, monkeypatch):
    expected = make_files(tmp_path)
    paths, cache = [str(tmp_path / name) for name in expected], tmp_path / "caches" / "inspection.npz"
    first = inspect_images(paths, cache)
    read = []
    monkeypatch.setattr(inspection, "_inspect", lambda path, real=inspection._inspect: read.append(path) or real(path))
    pd.testing.assert_frame_equal(inspect_images(paths, cache), first)
    assert not [path for path in read if "good" in path or "cut" in path]
    noise(3).save(tmp_path / "good.jpg")
    os.utime(tmp_path / "good.jpg", (1, 1))
    changed = inspect_images(paths, cache)
    assert changed["sha256"][0] != first["sha256"][0] and changed["sha256"][1:].equals(first["sha256"][1:])


@pytest.mark.parametrize("contents", [b"", b"PK\x03\x04 nothing", b"\x93NUMPY"])
def test_damaged_cache_is_written_anew(tmp_path, contents):
    noise(0).save(tmp_path / "a.png")
    cache = tmp_path / "cache.npz"
    cache.write_bytes(contents)
    assert inspect_images([str(tmp_path / "a.png")], cache)["reason"].tolist() == [""]
    assert len(np.load(cache)["signatures"]) == 1


def test_a_file_that_was_written_anew_with_as_many_bytes_is_read_anew(tmp_path):
    path, cache = tmp_path / "image.bmp", tmp_path / "cache.npz"
    found = []
    for second in (1, 2):
        noise(second).save(path)
        os.utime(path, (second, second))
        found.append(inspect_images([str(path)], cache).iloc[0])
    assert found[0]["sha256"] != found[1]["sha256"] and found[0]["signature"] != found[1]["signature"]


def test_cache_that_cannot_be_written_is_named(tmp_path):
    noise(0).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="cannot be written"):
        inspect_images([str(tmp_path / "a.png")], tmp_path / "a.png" / "cache.npz")


def test_no_files_give_an_empty_frame():
    assert inspect_images([]).columns.tolist() == ["path", "sha256", "width", "height", "signature", "reason"]
