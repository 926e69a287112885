"""The manifest: every damage to it shows, and so does every damage to a shard."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtl_keras.data.manifest import FORMAT, Shards, damage, file_sha256, read_manifest, write_manifest
from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE

FIRST, SECOND = "shard-00000-of-00002.tfrecord", "shard-00001-of-00002.tfrecord"
CONTENTS = {
    "format": FORMAT,
    "tasks": [{"name": "age", "kind": "expectation", "classes": [], "values": list(AGE.values), "outputs": []}],
    "rows": 7,
    "table": "0" * 64,
    "labels": {"train": {"age": 4}, "": {"age": 1}},
    "shards": [
        {"file": FIRST, "rows": 3, "splits": {"train": 3}, "bytes": 10, "sha256": "0" * 64},
        {"file": SECOND, "rows": 4, "splits": {"train": 2, "test": 1, "": 1}, "bytes": 10, "sha256": "1" * 64},
    ],
}


@pytest.fixture
def folder(tmp_path) -> str:
    write_manifest(CONTENTS, tmp_path / "manifest.json")
    return str(tmp_path)


def refused(folder: str) -> str:
    with pytest.raises(UserError) as error:
        read_manifest(folder)
    assert "\n" not in str(error.value) and folder in str(error.value)
    return str(error.value)


def test_what_is_written_is_read_back(folder):
    manifest = read_manifest(folder)
    assert manifest.pop("sha256") and manifest == CONTENTS


def test_rows_of_each_split_are_found():
    def parts(split: str | None) -> list[tuple[str, int, int]]:
        return [(shard["file"], skip, rows) for shard, skip, rows in Shards("", CONTENTS, split).parts]

    assert parts(None) == [(FIRST, 0, 3), (SECOND, 0, 4)]
    assert parts("train") == [(FIRST, 0, 3), (SECOND, 0, 2)]
    assert parts("test") == [(SECOND, 2, 1)]
    assert parts("validation") == []
    assert [Shards("", CONTENTS, split).rows for split in (None, "train", "test", "validation")] == [7, 5, 1, 0]
    assert [Shards("", CONTENTS, split).labelled("age") for split in (None, "train", "test")] == [5, 4, 0]
    assert Shards("", CONTENTS).labelled("gender") == 0
    assert Shards("", CONTENTS).tasks["age"].values == AGE.values


def test_a_missing_manifest_says_what_to_do(folder, tmp_path):
    (tmp_path / "manifest.json").rename(tmp_path / "progress.json")
    assert "repeat the interrupted packing" in refused(folder)
    (tmp_path / "progress.json").unlink()
    assert "holds no manifest.json; expected a folder that pack_shards wrote" in refused(folder)
    assert "holds no manifest.json" in refused(str(tmp_path / "nowhere"))
    assert "cannot be read" in refused("nonsense://bucket")


def test_another_version_is_named(folder, tmp_path):
    write_manifest({**CONTENTS, "format": 7}, tmp_path / "manifest.json")
    assert f"is of format 7, expected {FORMAT}" in refused(folder)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "[" * 100_000, '{"format": 1}', "\0\xff", '{"sha256": 3}'])
def test_what_is_no_manifest_is_refused(folder, tmp_path, text):
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    assert ": damaged (" in refused(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": "x"}, "rows is 'x'"),
        ({"rows": 10**9}, "its shards have not 1000000000 rows"),
        ({"tasks": None}, "tasks is None; expected a list"),
        ({"tasks": [{"name": 3}]}, "kind|name"),
        ({"tasks": [{"name": "age", "kind": "expectation", "values": 5}]}, "values is 5"),
        ({"intervals": 5}, "intervals is 5"),
        ({"shards": [{**CONTENTS["shards"][0], "file": "../../etc/passwd"}]}, "expected shard name"),
        ({"shards": [{**CONTENTS["shards"][0], "rows": 7}]}, "the splits of a shard are not those of its rows"),
        ({"shards": [{**CONTENTS["shards"][0], "splits": {"train": -3}}]}, "train is -3"),
    ],
)
def test_a_manifest_that_was_written_elsewhere_must_fit_too(folder, tmp_path, change, says):
    # Whoever wrote it has sealed it as well.
    write_manifest({**CONTENTS, **change}, tmp_path / "manifest.json")
    assert re.search(rf"manifest.json: damaged \(.*({says})", refused(folder))


def test_a_changed_number_is_refused(folder, tmp_path):
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["shards"][0]["rows"] = 2
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert ": damaged (" in refused(folder)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 600), byte=st.integers(0, 255), cut=st.booleans())
def test_any_damage_is_refused_or_changes_nothing(folder, tmp_path, place, byte, cut):
    write_manifest(CONTENTS, tmp_path / "manifest.json")
    good = read_manifest(folder)
    content = bytearray((tmp_path / "manifest.json").read_bytes())
    content[place:] = [] if cut else bytes([byte]) + content[place + 1 :]
    (tmp_path / "manifest.json").write_bytes(content)
    try:
        assert read_manifest(folder) == good
    except UserError as error:
        assert "\n" not in str(error)


def test_damage_to_a_shard_is_said(tmp_path):
    path = tmp_path / "shard 0"
    path.write_bytes(b"contents")
    shard = {"file": path.name, "bytes": 8, "sha256": file_sha256(str(path))}
    assert damage(str(tmp_path), shard, verify=True) == ""
    path.write_bytes(b"Contents")
    assert damage(str(tmp_path), shard, verify=False) == ""
    assert "sha256" in damage(str(tmp_path), shard, verify=True)
    path.write_bytes(b"content")
    assert damage(str(tmp_path), shard, verify=False) == "has 7 bytes, expected 8"
    path.unlink()
    assert damage(str(tmp_path), shard, verify=True) == "the shard is missing"
    assert "cannot be read" in damage("nonsense://bucket", shard, verify=True)
