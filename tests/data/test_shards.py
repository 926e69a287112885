"""Shards read back: the table and the batches that were packed, workers' shares, and every damage named."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from mtl_keras.data import shards as module
from mtl_keras.data.packing import pack_shards
from mtl_keras.data.pipeline import InputSpec, batches
from mtl_keras.data.shards import read_shards, shard_batches, shard_table
from mtl_keras.data.table import complete, encode, label_columns
from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE, AGE_GROUP, AGE_REGRESSION, ETHNICITY, GENDER, HEAD_POSE, TASKS, Task
from mtl_keras.training import distribute
from mtl_keras.training.cluster import read_cluster
from mtl_keras.training.model import MultiTaskModel

SIDE, ROWS, PER_SHARD = 32, 24, 6


def asks(tasks: list[Task], side: int = SIDE) -> InputSpec:
    """What a small network asks of a pipeline."""
    return InputSpec(tasks, side)


READER = asks([AGE, GENDER, ETHNICITY, HEAD_POSE])
# With a task that every row has a label of.
READ_ALL = asks([*READER.tasks, TASKS["smile"]])


@pytest.fixture
def table(faces) -> pd.DataFrame:
    """Drawn faces with holes in their labels, some in each split and some in none."""
    table = faces.head(ROWS).copy()
    table["split"] = ["train"] * 11 + ["validation"] * 4 + ["test"] * 5 + [np.nan] * 4
    table.loc[::3, "gender"] = np.nan
    table.loc[1::2, "age"] = np.nan
    table.loc[4, "head_pose.pitch"] = np.nan
    table.loc[5, ["age", "gender", "ethnicity", "head_pose.yaw"]] = np.nan
    return complete(table)


@pytest.fixture
def folder(table, tmp_path) -> Path:
    """The table's shards: four of six rows each."""
    pack_shards(table, tmp_path / "shards", PER_SHARD)
    return tmp_path / "shards"


def with_images(packed: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `packed` as `table` has them, in the order of `packed`."""
    names = table["path"].map(os.path.basename)
    return table.set_index(names).loc[packed["path"]].reset_index(drop=True)


def passed(dataset) -> list:
    return [tf.nest.map_structure(lambda tensor: tensor.numpy(), batch) for batch in dataset]


def assert_equal(first: list, second: list) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)
        assert tf.nest.map_structure(lambda array: array.dtype, one) == tf.nest.map_structure(lambda a: a.dtype, other)


def rows_of(dataset, expected: np.ndarray) -> list[int]:
    """Which row each labelled image of one pass comes from."""
    numbers = {image.tobytes(): number for number, image in enumerate(expected)}
    found = []
    for images, _, masks in dataset:
        labelled = np.max([mask.numpy() for mask in masks.values()], axis=0) > 0
        found += [numbers[image.tobytes()] for image in images.numpy()[labelled]]
    return found


# === What was packed comes back ===


@pytest.mark.parametrize("split", [None, "train", "validation", "test"])
def test_the_table_comes_back(table, folder, split):
    packed = shard_table(read_shards(folder, split))
    rows = table if split is None else table[table["split"] == split]
    names = rows["path"].map(os.path.basename)
    assert sorted(packed["path"]) == sorted(names)
    pd.testing.assert_frame_equal(packed.drop(columns="path"), with_images(packed, table).drop(columns="path"))
    assert label_columns(packed) == label_columns(table)
    for task in TASKS.values():
        for got, expected in zip(encode(packed, task), encode(with_images(packed, table), task), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_names_with_spaces_and_unicode_come_back(faces, tmp_path):
    names = ["a b.jpg", "zwei/größer.jpg", "三/顔 (1).jpg", "tab\there.jpg"]
    for name, source in zip(names, faces["path"], strict=False):
        path = tmp_path / "images 画像" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Path(source).read_bytes())
    rows = faces.head(4).assign(path=[str(tmp_path / "images 画像" / name) for name in names])
    pack_shards(rows, tmp_path / "shards für alle", 3)
    shards = read_shards(tmp_path / "shards für alle")
    assert sorted(shard_table(shards)["path"]) == sorted(names)
    assert len(passed(shard_batches(shards, asks([AGE]), 4))) == 1


@pytest.mark.parametrize(("split", "augment"), [(None, False), ("train", False), ("test", True)])
def test_batches_are_those_of_the_table(table, folder, split, augment):
    shards = read_shards(folder, split)
    rows, settings = with_images(shard_table(shards), table), {"augment": augment, "shuffle": False, "seed": 3}
    got, expected = shard_batches(shards, READER, 5, **settings), batches(rows, READER, 5, **settings)
    assert got.element_spec == expected.element_spec and len(got) == len(expected)
    for _ in range(2):
        assert_equal(passed(got), passed(expected))
    later = shard_batches(shards, READER, 5, first_epoch=1, **settings)
    assert_equal(passed(later), passed(batches(rows, READER, 5, first_epoch=1, **settings)))


# === Order ===


@pytest.fixture
def expected(folder) -> np.ndarray:
    """All images in the order of the shards."""
    return np.concatenate([batch[0] for batch in passed(shard_batches(read_shards(folder), READER, ROWS))])


def test_every_epoch_has_all_rows_once_in_an_order_of_its_own(folder, expected):
    def orders(epochs: int, **settings) -> list[list[int]]:
        dataset = shard_batches(read_shards(folder), READ_ALL, 5, shuffle=True, **settings)
        return [rows_of(dataset, expected) for _ in range(epochs)]

    uninterrupted = orders(3, seed=3)
    assert all(sorted(order) == list(range(ROWS)) for order in uninterrupted)
    assert len({tuple(order) for order in [*uninterrupted, range(ROWS)]}) == 4
    # Seed and epoch alone decide, whatever the process's own seed is.
    keras.utils.set_random_seed(9)
    assert orders(1, seed=3, first_epoch=2) == uninterrupted[2:]
    assert orders(1, seed=4) != uninterrupted[:1]


def test_shuffled_rows_are_changed_as_in_order(folder):
    def images(shuffle: bool) -> list[bytes]:
        dataset = shard_batches(read_shards(folder), READER, 5, augment=True, shuffle=shuffle, seed=1)
        return sorted(image.tobytes() for batch in passed(dataset) for image in batch[0])

    assert images(True) == images(False)


def test_few_rows_in_a_window_and_shards_one_at_a_time(folder, expected, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 4)
    monkeypatch.setattr(module, "READERS", 1)
    order = rows_of(shard_batches(read_shards(folder), READ_ALL, 5, shuffle=True), expected)
    assert sorted(order) == list(range(ROWS)) and order != list(range(ROWS))


# === Workers ===


def shares(folder: Path, monkeypatch, workers: int, batch_size: int, split: str | None = None, **settings) -> list:
    """The dataset of each of so many workers with one replica each."""
    datasets = []
    for index in range(workers):
        monkeypatch.setattr(module, "share_of", lambda model, index=index: (index, workers, workers))
        datasets.append(shard_batches(read_shards(folder, split), READ_ALL, batch_size, **settings))
    return datasets


@pytest.mark.parametrize("shuffle", [False, True])
def test_two_workers_read_other_files_and_together_all(folder, expected, monkeypatch, shuffle):
    first, second = shares(folder, monkeypatch, 2, 8, shuffle=shuffle)
    assert first.options().autotune.enabled is False
    halves = [rows_of(dataset, expected) for dataset in (first, second)]
    assert [sorted(half) for half in halves] == [list(range(12)), list(range(12, 24))]
    assert (halves[0] != list(range(12))) == shuffle
    # With one of the files gone, only the worker that has it fails.
    (folder / "shard-00001-of-00004.tfrecord").unlink()
    assert sorted(rows_of(second, expected)) == list(range(12, 24))
    with pytest.raises(tf.errors.NotFoundError, match="shard-00001"):
        rows_of(first, expected)


@pytest.mark.parametrize(("workers", "batch_size", "split"), [(2, 4, "train"), (3, 6, None), (5, 5, "test")])
def test_workers_take_the_same_number_of_steps_and_every_row_once(
    folder, expected, monkeypatch, workers, batch_size, split
):
    rows = read_shards(folder, split).rows
    skipped = {None: 0, "train": 0, "test": 15}[split]
    steps, found = -(-rows // batch_size), []
    for dataset in shares(folder, monkeypatch, workers, batch_size, split):
        assert len(dataset) == steps
        # As tf.distribute deals batches out: each step takes a worker's part of a batch.
        found += rows_of(dataset.rebatch(batch_size // workers).take(steps), expected)
    assert sorted(found) == list(range(skipped, skipped + rows))


def test_workers_without_a_part_are_refused(folder, monkeypatch):
    with pytest.raises(UserError, match="batch_size 5: expected a multiple of 2"):
        shares(folder, monkeypatch, 2, 5)
    with pytest.raises(UserError, match="4 rows are too few for 5 workers"):
        shares(folder, monkeypatch, 5, 5, "validation")


def test_two_replicas_share_each_batch(folder):
    shards, strategy = read_shards(folder), distribute.strategy("mirrored")
    with strategy.scope():
        dataset = shard_batches(shards, READER, 10, shuffle=True, seed=5)
    whole = passed(shard_batches(shards, READER, 10, shuffle=True, seed=5))
    distributed = strategy.experimental_distribute_dataset(dataset)
    parts = [strategy.experimental_local_results(images) for images, _, _ in distributed]
    got = np.concatenate([replica.numpy() for parts_of_step in parts for replica in parts_of_step])
    np.testing.assert_array_equal(got, np.concatenate([batch[0] for batch in whole]))


def network() -> MultiTaskModel:
    keras.utils.set_random_seed(1)
    return MultiTaskModel(READER.tasks, "features", image_size=3 * 4 * 4, shared_units=(8,), head_units=(4,), dropout=0)


def trained(model: MultiTaskModel, dataset: tf.data.Dataset) -> list[np.ndarray]:
    """The weights and the losses after two epochs on the images' pixels."""
    flat = dataset.map(lambda images, *rest: (tf.reshape(tf.cast(images, tf.float32) / 255, (-1, 48)), *rest))
    history = model.fit(flat, epochs=2, verbose=0, shuffle=False).history
    return [*model.get_weights(), *(np.array(values) for values in history.values())]


def work(folder: str, out: str) -> None:
    """Train as one of the workers that TF_CONFIG names, and save the weights and losses."""
    with distribute.strategy("workers").scope():
        model = network()
        model.compile(keras.optimizers.SGD(0.01))
    # The images are made into features behind the shards: as small a network as there is.
    model.image_size = 4
    losses = trained(model, shard_batches(read_shards(folder, "train"), model, 4))
    np.savez(Path(out, f"{read_cluster().place}.npz"), *losses)


@pytest.mark.slow
def test_fit_with_two_workers_equals_one_process(table, folder, local_workers, tmp_path):
    with local_workers(2, tmp_path, __file__, folder, tmp_path) as workers:
        # The 11 rows are dealt 5 and 6, and each step takes two of either worker.
        shards = read_shards(folder, "train")
        rows = with_images(shard_table(shards), table).iloc[[0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10]]
        model = network()
        model.compile(keras.optimizers.SGD(0.01))
        expected = trained(model, batches(rows.reset_index(drop=True), asks(READER.tasks, 4), 4))
        assert workers.codes(200) == [0, 0], workers.told(0) + workers.told(1)
    for place in range(2):
        with np.load(tmp_path / f"{place}.npz") as saved:
            for index, array in enumerate(expected):
                np.testing.assert_allclose(saved[f"arr_{index}"], array, rtol=1e-5, atol=1e-5)


# === Damage ===


def assert_mistake(call, *words: str) -> None:
    with pytest.raises(UserError) as error:
        call()
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_missing_or_damaged_shard_is_named(folder):
    path = folder / "shard-00002-of-00004.tfrecord"
    content = path.read_bytes()
    changed = content[:500] + bytes([content[500] ^ 1]) + content[501:]
    path.write_bytes(changed)
    assert_mistake(lambda: read_shards(folder), path.name, "sha256", "copy the shard anew")
    # Without verification, the damage shows when the record is read.
    assert_mistake(lambda: shard_table(read_shards(folder, verify=False)), path.name, "cannot be read")
    path.write_bytes(content[:-10])
    assert_mistake(lambda: read_shards(folder, verify=False), path.name, f"has {len(content) - 10} bytes")
    path.unlink()
    assert_mistake(lambda: read_shards(folder, verify=False), path.name, "missing")
    # The shards of another split are whole.
    assert read_shards(folder, "train").rows == 11


def test_a_file_that_shrinks_while_it_is_read_is_named(folder):
    path, shards = folder / "shard-00003-of-00004.tfrecord", read_shards(folder)
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    assert_mistake(lambda: shard_table(shards), path.name, "cannot be read")
    first = 12 + int.from_bytes(content[:8], "little") + 4
    path.write_bytes(content[:first])
    assert_mistake(lambda: shard_table(shards), path.name, "ends before its 6 rows")
    path.unlink()
    assert_mistake(lambda: shard_table(shards), path.name, "cannot be read")


def test_a_folder_without_shards_or_rows_is_one_line(folder, faces, tmp_path):
    assert_mistake(lambda: read_shards(tmp_path), "holds no manifest.json")
    assert_mistake(lambda: read_shards(folder, "tset"), "'tset'", "train, validation, test")
    pack_shards(faces, tmp_path / "unsplit")
    assert_mistake(lambda: read_shards(tmp_path / "unsplit", "train"), "none of its 30 rows", "'train'")


def test_tasks_that_do_not_agree_are_both_named(folder, monkeypatch):
    shards = read_shards(folder)
    other = replace(GENDER, classes=("female", "male"))
    assert_mistake(lambda: shard_batches(shards, asks([other])), "'gender'", "of male, female", "of female, male")
    narrow = replace(AGE, values=tuple(float(age) for age in range(81)))
    assert_mistake(lambda: shard_batches(shards, asks([narrow])), "'age'", "from 0 to 116", "from 0 to 80")
    turned = replace(HEAD_POSE, outputs=("pitch", "yaw", "roll"))
    assert_mistake(lambda: shard_batches(shards, asks([turned])), "of yaw, pitch, roll", "of pitch, yaw, roll")
    named = Task("age", "categorical", classes=("young", "old"))
    assert_mistake(lambda: shard_batches(shards, asks([named])), "a number from 0", "one of young, old")
    # The same numbers, learned in another way.
    assert len(shard_batches(shards, asks([AGE_REGRESSION])))
    monkeypatch.setitem(TASKS, "gender", other)
    assert_mistake(lambda: shard_table(shards), "'gender'")


def test_a_task_that_no_row_labels_is_an_error(folder):
    assert_mistake(lambda: shard_batches(read_shards(folder), asks([AGE, AGE_GROUP])), "'age_group'")


if __name__ == "__main__":
    work(*sys.argv[1:])
