"""Images that were packed into shards come out as they went in."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_keras.data import unpacking
from mtl_keras.data.packing import pack_shards
from mtl_keras.data.shards import read_shards
from mtl_keras.data.table import complete
from mtl_keras.data.unpacking import unpack_shards
from mtl_keras.errors import UserError


@pytest.fixture
def table(faces) -> pd.DataFrame:
    table = faces.head(9).copy()
    table["split"] = ["train"] * 4 + ["validation"] * 2 + ["test"] * 2 + [np.nan]
    table.loc[::2, "gender"] = np.nan
    return complete(table)


def by_name(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(path=table["path"].map(os.path.basename)).sort_values("path", ignore_index=True)


def test_images_and_labels_come_back_and_are_written_once(table, tmp_path, monkeypatch):
    pack_shards(table, tmp_path / "shards", 4)
    found = unpack_shards(read_shards(tmp_path / "shards"), tmp_path / "cache")
    pd.testing.assert_frame_equal(by_name(found), by_name(table)[[*found]])
    pixels = {Path(path).name: Path(path).read_bytes() for path in table["path"]}
    assert {Path(path).name: Path(path).read_bytes() for path in found["path"]} == pixels
    part = unpack_shards(read_shards(tmp_path / "shards", "test"), tmp_path / "cache")
    assert len(part) == 2 and all(Path(path).is_file() for path in part["path"])
    # A part that was unpacked first is not taken for the whole.
    unpack_shards(read_shards(tmp_path / "shards", "test"), tmp_path / "other")
    whole = unpack_shards(read_shards(tmp_path / "shards"), tmp_path / "other")
    assert len(whole) == 9 and all(Path(path).is_file() for path in whole["path"])
    monkeypatch.setattr(unpacking, "_write", None)
    assert unpack_shards(read_shards(tmp_path / "shards"), tmp_path / "cache").equals(found)


def test_a_stop_leaves_nothing_that_is_taken_for_the_whole(table, tmp_path, monkeypatch):
    pack_shards(table, tmp_path / "shards", 4)
    shards = read_shards(tmp_path / "shards")

    def stopped(shards, folder):
        (folder / "half.jpg").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(unpacking, "_write", stopped)
        unpack_shards(shards, tmp_path / "cache")
    assert all(Path(path).is_file() for path in unpack_shards(shards, tmp_path / "cache")["path"])


@pytest.mark.parametrize("name", ["../outside.jpg", "/outside.jpg"])
def test_an_image_outside_of_the_folder_is_refused(table, tmp_path, monkeypatch, name):
    pack_shards(table, tmp_path / "shards", 4)
    read = unpacking.shard_table
    monkeypatch.setattr(unpacking, "shard_table", lambda shards: read(shards).assign(path=name))
    with pytest.raises(UserError, match="lies outside its folder"):
        unpack_shards(read_shards(tmp_path / "shards"), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
