"""Packing: what a record holds, whole files only, going on after an interruption, and mistakes in one line."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from mtl_keras.data import packing
from mtl_keras.data.manifest import write_manifest
from mtl_keras.data.packing import pack_shards
from mtl_keras.data.shards import read_shards
from mtl_keras.data.table import combine, encode
from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE, GENDER, HEAD_POSE, TASKS

NAMES = ["one face.png", "zwei Gesichter/größer.png", "三/顔 (1).png", "four'.png", "five\tsix.png"]


@pytest.fixture
def table(tmp_path) -> pd.DataFrame:
    """Five tiny images with spaces and Unicode in their names, and a hole in each kind of label."""
    for number, name in enumerate(NAMES):
        path = tmp_path / "two words" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 12), (number, 50, 100)).save(path)
    rows = pd.DataFrame({"path": [str(tmp_path / "two words" / name) for name in NAMES]})
    rows["source"], rows["group"] = ["a", "a", "b", "b", ""], [0, 0, 1, 2, 3]
    rows["split"] = ["train", "test", None, "train", "validation"]
    rows["age"] = [1.0, np.nan, 30.5, 116.0, 0.0]
    rows["gender"] = ["male", "female", None, "female", "male"]
    rows["head_pose.yaw"] = [-1.25, 0.1, 2.0, np.nan, 3.0]
    rows["head_pose.pitch"] = [4.0, 5.0, 6.0, 7.0, np.nan]
    return combine([rows])


def records(folder: Path) -> list[dict]:
    """Every record of a folder as {feature: list of values}, read with TensorFlow's own classes alone."""
    found = []
    for path in sorted(folder.glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(path)):
            features = tf.train.Example.FromString(record.numpy()).features.feature
            kinds = {name: feature.WhichOneof("kind") for name, feature in features.items()}
            lists = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}
            values = {
                "bytes": lambda feature: list(feature.bytes_list.value),
                "float": lambda feature: list(feature.float_list.value),
                "int64": lambda feature: list(feature.int64_list.value),
            }
            found.append({name: values[lists[kinds[name]]](feature) for name, feature in features.items()})
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# === Contents ===


def test_the_manifest_holds_whole_tasks(table, tmp_path):
    pack_shards(table, tmp_path / "shards")
    shards = read_shards(tmp_path / "shards")
    assert [*shards.tasks.values()] == [AGE, GENDER, HEAD_POSE]


def test_shards_of_an_older_version_that_noted_less_of_a_task_are_kept(table, tmp_path):
    folder = tmp_path / "shards"
    manifest = pack_shards(table, folder)
    noted = ("name", "kind", "classes", "values", "outputs")
    manifest["tasks"] = [{field: task[field] for field in noted} for task in manifest["tasks"]]
    write_manifest(manifest, folder / "manifest.json")
    assert [*read_shards(folder).tasks.values()] == [AGE, GENDER, HEAD_POSE]
    before = (folder / manifest["shards"][0]["file"]).stat().st_mtime_ns
    pack_shards(table, folder)
    assert (folder / manifest["shards"][0]["file"]).stat().st_mtime_ns == before


def test_a_record_holds_the_image_as_it_was_and_the_labels_that_there_are(table, tmp_path):
    pack_shards(table, tmp_path / "shards", rows_per_shard=2)
    found = {record["path"][0].decode(): record for record in records(tmp_path / "shards")}
    assert sorted(found) == sorted(NAMES)
    for name, path in zip(NAMES, table["path"], strict=True):
        assert found[name].pop("image") == [Path(path).read_bytes()]
        found[name].pop("path")
    assert found["one face.png"] == {
        "source": [b"a"],
        "split": [b"train"],
        "group": [table["group"][0]],
        "age": [1.0],
        "gender": [GENDER.classes.index("male")],
        "head_pose.yaw": [-1.25],
        "head_pose.pitch": [4.0],
    }
    assert set(found["三/顔 (1).png"]) == {"source", "group", "age", "head_pose.yaw", "head_pose.pitch"}
    assert found["five\tsix.png"]["age"] == [0.0] and "head_pose.pitch" not in found["five\tsix.png"]
    assert "gender" in found["zwei Gesichter/größer.png"] and "age" not in found["zwei Gesichter/größer.png"]


def test_nothing_of_the_machines_own_folders_is_packed(table, tmp_path):
    pack_shards(table, tmp_path / "shards")
    assert all(str(tmp_path).encode() not in content for content in contents(tmp_path / "shards").values())
    pack_shards(table.head(1), tmp_path / "one")
    assert records(tmp_path / "one")[0]["path"] == [b"one face.png"]


def test_the_manifest_counts_and_describes(table, tmp_path):
    manifest = pack_shards(table, tmp_path / "shards", rows_per_shard=2, seed=3)
    assert [shard["file"] for shard in manifest["shards"]] == [f"shard-0000{n}-of-00003.tfrecord" for n in range(3)]
    assert sorted(contents(tmp_path / "shards")) == ["manifest.json", *(s["file"] for s in manifest["shards"])]
    assert [shard["rows"] for shard in manifest["shards"]] == [1, 2, 2] and manifest["rows"] == 5
    assert [shard["splits"] for shard in manifest["shards"]] == [
        {"train": 1},
        {"train": 1, "validation": 1},
        {"test": 1, "": 1},
    ]
    assert manifest["labels"]["train"] == {"age": 2, "gender": 2, "head_pose": 0}
    assert [task["name"] for task in manifest["tasks"]] == ["age", "gender", "head_pose"]
    assert manifest["tasks"][1]["classes"] == list(GENDER.classes)
    for task in manifest["tasks"]:
        labelled = sum(split[task["name"]] for split in manifest["labels"].values())
        assert labelled == encode(table, TASKS[task["name"]])[1].sum()


def test_the_same_settings_give_the_same_bytes_and_another_seed_another_order(faces, tmp_path):
    for name, seed in (("first", 0), ("second", 0), ("third", 1)):
        pack_shards(faces, tmp_path / name, rows_per_shard=8, seed=seed)
    assert contents(tmp_path / "first") == contents(tmp_path / "second")
    orders = [[record["path"] for record in records(tmp_path / name)] for name in ("first", "third")]
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1])


def test_one_image_at_a_time_is_read_and_closed(faces, tmp_path, monkeypatch):
    events, feature, image = [], packing._feature, packing._image

    def reading(path):
        events.append("read")
        return image(path)

    def writing(value):
        events.extend(["packed"] if isinstance(value, bytes) and len(value) > 100 else [])
        return feature(value)

    monkeypatch.setattr(packing, "_image", reading)
    monkeypatch.setattr(packing, "_feature", writing)
    pack_shards(faces, tmp_path / "shards", rows_per_shard=20)
    assert events == ["read", "packed"] * len(faces)


# === Interruption ===


def stop_after(monkeypatch, count: int, error: BaseException) -> list[str]:
    """Let packing end at its `count`-th image, and return the list of what it reads."""
    read, image = [], packing._image

    def stopping(path):
        if len(read) == count:
            raise error
        read.append(path)
        return image(path)

    monkeypatch.setattr(packing, "_image", stopping)
    return read


def test_interrupted_packing_goes_on_and_ends_as_if_it_had_not_been(table, tmp_path, monkeypatch):
    pack_shards(table, tmp_path / "expected", rows_per_shard=2)
    folder = tmp_path / "shards"
    with monkeypatch.context() as patch:
        stop_after(patch, 2, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            pack_shards(table, folder, rows_per_shard=2)
    assert sorted(contents(folder)) == ["progress.json", "shard-00000-of-00003.tfrecord"]
    # What a killed process leaves behind, and a file of the system that is none of our business.
    (folder / ".shard-00001-of-00003.tfrecord.x.tfrecord").write_bytes(b"half")
    (folder / ".DS_Store").write_bytes(b"")
    kept = (folder / "shard-00000-of-00003.tfrecord").stat().st_mtime_ns
    with monkeypatch.context() as patch:
        read = stop_after(patch, -1, AssertionError())
        pack_shards(table, folder, rows_per_shard=2)
    assert len(read) == 4 and (folder / "shard-00000-of-00003.tfrecord").stat().st_mtime_ns == kept
    (folder / ".DS_Store").unlink()
    assert contents(folder) == contents(tmp_path / "expected")


@pytest.mark.parametrize("damage", ["cut", "changed", "removed"])
def test_a_shard_that_is_not_whole_is_packed_again(table, tmp_path, monkeypatch, damage):
    folder = tmp_path / "shards"
    pack_shards(table, folder, rows_per_shard=2)
    expected, path = contents(folder), folder / "shard-00001-of-00003.tfrecord"
    content = expected[path.name]
    path.write_bytes({"cut": content[:-5], "changed": content[:-1] + b"!", "removed": b""}[damage])
    if damage == "removed":
        path.unlink()
    read = stop_after(monkeypatch, -1, AssertionError())
    pack_shards(table, folder, rows_per_shard=2)
    assert contents(folder) == expected and len(read) == 2
    pack_shards(table, folder, rows_per_shard=2)
    assert len(read) == 2


# === Mistakes ===


def assert_mistake(words: str, *arguments, **settings) -> None:
    with pytest.raises(UserError, match=words) as error:
        pack_shards(*arguments, **settings)
    assert "\n" not in str(error.value)


def test_another_table_or_other_settings_need_a_new_folder(table, tmp_path):
    folder = tmp_path / "shards"
    pack_shards(table, folder, rows_per_shard=2)
    expected = contents(folder)
    # Beside the files' number, what is in them may be another.
    assert_mistake("other settings; name a new folder", table, folder, rows_per_shard=2, seed=1)
    assert_mistake("another table", table.assign(age=5.0), folder, rows_per_shard=2)
    assert_mistake(r"other files.*such as shard-0000", table, folder, rows_per_shard=1)
    (folder / "notes.txt").write_text("")
    assert_mistake(r"other files.*such as notes.txt", table, folder, rows_per_shard=2)
    (folder / "notes.txt").unlink()
    assert contents(folder) == expected
    (folder / "manifest.json").write_text("{")
    assert_mistake("manifest.json: damaged", table, folder, rows_per_shard=2)


def test_an_image_that_has_changed_is_another_table(table, tmp_path):
    pack_shards(table, tmp_path / "shards")
    Image.new("RGB", (40, 30)).save(table["path"][0])
    assert_mistake("another table", table, tmp_path / "shards")


def test_an_image_of_as_many_bytes_that_was_written_later_is_packed_anew(table, tmp_path):
    folder, image = tmp_path / "shards", Path(table["path"][0])
    # What follows the end of an image is not read.
    image.write_bytes(image.read_bytes() + b"old")
    before = pack_shards(table, folder, rows_per_shard=2)
    assert pack_shards(table, folder, rows_per_shard=2) == before
    image.write_bytes(image.read_bytes()[:-3] + b"new")
    later = (folder / before["shards"][0]["file"]).stat().st_mtime_ns + 1_000_000_000
    os.utime(image, ns=(later, later))
    after = pack_shards(table, folder, rows_per_shard=2)
    assert sum(old != new for old, new in zip(before["shards"], after["shards"], strict=True)) == 1
    assert any(image.read_bytes() in content for content in contents(folder).values())


@pytest.mark.parametrize(("content", "words"), [(b"", "empty"), (b"text", "not a JPEG"), (None, "No such file")])
def test_an_image_that_cannot_be_used_is_named(table, tmp_path, content, words):
    Path(table["path"][3]).unlink()
    if content is not None:
        Path(table["path"][3]).write_bytes(content)
    assert_mistake(f"four'.png: .*{words}.*check_images", table, tmp_path / "shards", rows_per_shard=2)
    assert not (tmp_path / "shards" / "manifest.json").exists()


def test_what_cannot_be_packed_is_one_line(table, tmp_path, monkeypatch):
    assert_mistake("rows_per_shard 0", table, tmp_path / "shards", rows_per_shard=0)
    assert_mistake("no rows", table.head(0), tmp_path / "shards")
    assert_mistake("local folder", table, "gs://bucket/shards")
    assert_mistake("needs a column `path`", table.drop(columns="path"), tmp_path / "shards")
    (tmp_path / "file").write_text("")
    assert_mistake("file.*cannot be written", table, tmp_path / "file")


def test_a_full_disk_is_one_line_and_leaves_no_half_written_shard(table, tmp_path, monkeypatch):
    def write(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left\non device")

    monkeypatch.setattr(tf.io.TFRecordWriter, "write", write)
    assert_mistake("cannot be written .No space left on device", table, tmp_path / "shards")
    assert not (tmp_path / "shards").exists()
