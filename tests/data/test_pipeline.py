"""Batches: the right image, label and mask for each row, in an order that seed and epoch decide."""

import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.python.data.experimental.ops.distribute import batch_sizes_for_worker, compute_batch_size

from mtl_keras.data import decoding, pipeline
from mtl_keras.data.augment import Augmentation
from mtl_keras.data.decoding import naming_images
from mtl_keras.data.images import read_image, resize
from mtl_keras.data.pipeline import InputSpec, batches, feature_batches, kept_in_memory
from mtl_keras.data.worker_rows import FILLING, Share
from mtl_keras.errors import UserError
from mtl_keras.tasks import AGE, AGE_GROUP, ETHNICITY, GENDER, HEAD_POSE, Task
from mtl_keras.training import distribute
from mtl_keras.training.model import MultiTaskModel

SIDE = 32


def asks(tasks: list[Task], side: int = SIDE) -> InputSpec:
    """What a small network asks of a pipeline."""
    return InputSpec(tasks, side)


READER = asks([AGE, GENDER, ETHNICITY, HEAD_POSE])


@pytest.fixture
def table(faces) -> pd.DataFrame:
    """The drawn faces with holes in their labels, and a row without any."""
    table = faces.head(24).copy()
    table.loc[::3, "gender"] = np.nan
    table.loc[1::2, "age"] = np.nan
    table.loc[4, "head_pose.pitch"] = np.nan
    table.loc[5, ["age", "gender", "ethnicity", "head_pose.yaw"]] = np.nan
    return table


def epoch(dataset) -> tuple[np.ndarray, dict, dict]:
    """Go through a dataset once: images, labels and masks of all its rows."""
    parts = [tf.nest.map_structure(lambda tensor: tensor.numpy(), batch) for batch in dataset]
    return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)


def row_numbers(images: np.ndarray, expected: np.ndarray) -> list[int]:
    """Which row each image comes from."""
    flat = {image.tobytes(): number for number, image in enumerate(expected)}
    assert len(flat) == len(expected)
    return [flat[image.tobytes()] for image in images]


def decoded(table: pd.DataFrame) -> np.ndarray:
    return np.stack([resize(read_image(path), SIDE) for path in table["path"]])


# === Contents ===


def test_images_labels_and_masks_are_right_for_each_row(table):
    images, labels, masks = epoch(batches(table, READER, batch_size=7))
    np.testing.assert_array_equal(images, decoded(table))
    gender = table["gender"].notna()
    np.testing.assert_array_equal(masks["gender"], gender)
    np.testing.assert_array_equal(labels["gender"][gender], [GENDER.classes.index(g) for g in table["gender"][gender]])
    np.testing.assert_array_equal(masks["age"], table["age"].notna())
    np.testing.assert_array_equal(labels["age"], table["age"].fillna(0))
    pose = table[list(HEAD_POSE.columns)].notna().all(axis=1)
    assert not pose[4] and not pose[5]
    np.testing.assert_array_equal(masks["head_pose"], pose)
    expected = table.loc[pose, list(HEAD_POSE.columns)].to_numpy("float32")
    np.testing.assert_array_equal(labels["head_pose"][pose], expected)
    assert all(mask[5] == 0 for mask in masks.values())


def test_shapes_and_types(table):
    dataset = batches(table, READER, batch_size=7)
    images, labels, masks = dataset.element_spec
    assert images.shape == (None, SIDE, SIDE, 3) and images.dtype == tf.uint8
    assert list(labels) == list(masks) == ["age", "gender", "ethnicity", "head_pose"]
    assert labels["gender"].dtype == tf.int32 and labels["age"].dtype == tf.float32
    assert labels["head_pose"].shape == (None, 3)
    assert all(mask.shape == (None,) and mask.dtype == tf.float32 for mask in masks.values())
    assert [len(images) for images, _, _ in dataset] == [7, 7, 7, 3]
    assert len(dataset) == 4


def test_a_task_without_a_column_is_masked_where_another_set_has_it(table):
    other = table.drop(columns="gender").assign(path=table["path"])
    both = pd.concat([table.iloc[:3], other.iloc[3:]], ignore_index=True)
    _, _, masks = epoch(batches(both, READER))
    np.testing.assert_array_equal(masks["gender"], [*table["gender"].notna()[:3], *[0] * 21])


# === Order ===


def test_rows_stay_in_order_unless_shuffled(table):
    for _ in range(2):
        images, _, _ = epoch(batches(table, READER, batch_size=5, shuffle=False))
        assert row_numbers(images, decoded(table)) == list(range(24))


def test_every_epoch_has_all_rows_once_in_an_order_of_its_own(table):
    dataset, expected = batches(table, READER, batch_size=5, shuffle=True), decoded(table)
    orders = []
    for _ in range(3):
        images, labels, masks = epoch(dataset)
        order = row_numbers(images, expected)
        np.testing.assert_array_equal(masks["gender"], table["gender"].notna().to_numpy()[order])
        np.testing.assert_array_equal(labels["age"], table["age"].fillna(0).to_numpy()[order])
        orders.append(order)
    assert all(sorted(order) == list(range(24)) for order in orders)
    assert len({tuple(order) for order in [*orders, range(24)]}) == 4


def test_order_depends_on_seed_and_epoch_alone(table):
    def orders(seed: int, first_epoch: int, epochs: int) -> list[list[int]]:
        dataset = batches(table, READER, batch_size=5, shuffle=True, seed=seed, first_epoch=first_epoch)
        return [row_numbers(epoch(dataset)[0], decoded(table)) for _ in range(epochs)]

    uninterrupted = orders(seed=3, first_epoch=0, epochs=3)
    assert orders(seed=3, first_epoch=0, epochs=1) == uninterrupted[:1]
    assert orders(seed=3, first_epoch=2, epochs=1) == uninterrupted[2:]
    assert orders(seed=4, first_epoch=0, epochs=1) != uninterrupted[:1]


def test_an_epoch_left_early_counts_as_one(table):
    dataset = batches(table, READER, batch_size=5, shuffle=True)
    next(iter(dataset))
    second = epoch(batches(table, READER, batch_size=5, shuffle=True, first_epoch=1))[0]
    np.testing.assert_array_equal(epoch(dataset)[0], second)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_rows_are_shuffled_too(table, rows):
    images, _, _ = epoch(batches(table.iloc[:rows], asks([ETHNICITY]), shuffle=True))
    assert sorted(row_numbers(images, decoded(table))) == list(range(rows))


# === Changes ===


def test_changes_depend_on_seed_epoch_and_row_but_not_on_the_batches(table):
    def changed(batch_size: int, **settings) -> np.ndarray:
        return epoch(batches(table, READER, batch_size, augment=True, shuffle=False, **settings))[0]

    first = changed(24)
    assert not np.array_equal(first, decoded(table))
    np.testing.assert_array_equal(changed(5), first)
    assert not np.array_equal(changed(24, seed=1), first)
    assert not np.array_equal(changed(24, first_epoch=1), first)


def test_heads_whose_pose_is_learned_are_not_turned_and_mirrored_with_their_angles(table):
    rows = table.assign(**dict.fromkeys(HEAD_POSE.columns, 5.0))
    gentle = Augmentation(zoom=0.0, shift=0.0, color=0.0, gray=0.0, erase=0.0)
    images, labels, _ = epoch(batches(rows, asks([HEAD_POSE]), augment=gentle, shuffle=False))
    angles, before = labels["head_pose"], decoded(table)
    mirrored = angles[:, 0] < 0
    assert 0 < mirrored.sum() < len(rows)
    np.testing.assert_array_equal(images, np.where(mirrored[:, None, None, None], before[:, :, ::-1], before))
    np.testing.assert_array_equal(angles, np.where(mirrored[:, None], [[-5.0, 5.0, -5.0]], [[5.0, 5.0, 5.0]]))
    assert not np.array_equal(epoch(batches(rows, asks([AGE]), augment=gentle, shuffle=False))[0], images)


@pytest.mark.parametrize("shuffle", [False, True])
def test_each_epoch_changes_the_images_anew(table, shuffle):
    dataset = batches(table.iloc[:6], READER, augment=True, shuffle=shuffle)
    first, second = ({image.tobytes() for image in epoch(dataset)[0]} for _ in range(2))
    assert not first & second
    later = batches(table.iloc[:6], READER, augment=True, shuffle=shuffle, first_epoch=1)
    assert {image.tobytes() for image in epoch(later)[0]} == second


def test_changed_images_are_shuffled_and_others_not(table):
    still = Augmentation(mirror=False, rotation=0.0, zoom=0.0, shift=0.0, color=0.0, gray=0.0, erase=0.0)
    images, _, _ = epoch(batches(table, READER, augment=still))
    order = row_numbers(images, decoded(table))
    assert order != list(range(24)) and sorted(order) == list(range(24))


# === Under a strategy ===


def test_two_replicas_share_each_batch(table):
    strategy = distribute.strategy("mirrored")
    with strategy.scope():
        dataset = batches(table.iloc[:11], READER, batch_size=4, shuffle=True, seed=5)
    whole = [epoch(batches(table.iloc[:11], READER, batch_size=4, shuffle=True, seed=5, first_epoch=e)) for e in (0, 1)]
    distributed = strategy.experimental_distribute_dataset(dataset)
    for expected in whole:
        parts = [strategy.experimental_local_results(images) for images, _, _ in distributed]
        got = np.concatenate([replica.numpy() for parts_of_step in parts for replica in parts_of_step])
        np.testing.assert_array_equal(got, expected[0])


KINDS = {
    "kept in memory": {"shuffle": True},
    "changed": {"augment": True},
    "in order": {},
    "composed": {"shuffle": True, "batch_size": {"a": 4, "b": 3}},
}


def rows_as_bytes(parts) -> list[bytes]:
    """What each row of some batches holds, sorted, those that only fill a batch left out."""
    arrays = [tf.nest.flatten(tf.nest.map_structure(np.asarray, part)) for part in parts]
    rows = [b"".join(column[row].tobytes() for column in part) for part in arrays for row in range(len(part[0]))]
    counts = [mask != FILLING for part in parts for mask in np.asarray(part[2]["age"])]
    return sorted(row for row, counted in zip(rows, counts, strict=True) if counted)


@pytest.mark.parametrize(
    ("kind", "workers", "replicas"),
    [
        *((kind, 2, 2) for kind in KINDS),
        ("kept in memory", 3, 1),
        ("in order", 3, 1),
        ("changed", 9, 1),
        ("composed", 9, 1),
    ],
)
def test_workers_together_take_each_batch_and_none_reads_the_rows_of_others(
    table, monkeypatch, workers, replicas, kind
):
    table = table.assign(source=["a", "b"] * 12)
    settings = {"batch_size": 7, "seed": 3, **KINDS[kind]}
    dataset = batches(table, READER, **settings)
    whole = [[*dataset] for _ in range(2)]
    model = MultiTaskModel(READER.tasks, "small_cnn", image_size=SIDE)
    read, decode, found = [], decoding.images.decode, []
    monkeypatch.setattr(decoding.images, "decode", lambda contents: read.append(contents) or decode(contents))
    monkeypatch.setattr(pipeline, "share_of", lambda model: share)
    for place in range(workers):
        share = Share(place, workers, workers * replicas)
        dataset = kept_in_memory(batches(table, model, **settings), len(table), SIDE)
        assert len(dataset) == len(whole[0])
        read.clear()
        # As tf.distribute deals them out.
        dealt = dataset.rebatch(batch_sizes_for_worker(compute_batch_size(dataset), workers, replicas, place))
        found.append([[*dealt.take(len(dataset) * replicas)] for _ in range(2)])
        if kind == "in order":
            assert len(read) == len(rows_as_bytes(sum(found[-1], [])))
    # What is not said to be for a model of theirs is read whole.
    assert rows_as_bytes(batches(table, READER, **settings)) == rows_as_bytes(whole[0])
    for number, expected in enumerate(whole):
        for step, batch in enumerate(expected):
            parts = [part for worker in found for part in worker[number][step * replicas : (step + 1) * replicas]]
            assert rows_as_bytes(parts) == rows_as_bytes([batch])
            assert sum(len(images) for images, _, _ in parts) == 7


def test_the_tuner_that_may_sleep_on_after_an_epoch_is_off(table):
    features = feature_batches(np.zeros((len(table), 2), np.float32), table, [AGE])
    for dataset in (batches(table, READER, augment=True), batches(table, READER), features):
        assert dataset.options().autotune.enabled is False


# === Features ===


def test_features_come_with_the_labels_of_their_rows(table):
    features = np.arange(24, dtype="float32")[:, None] * [1.0, 10.0]
    got, labels, masks = epoch(feature_batches(features, table, READER.tasks, batch_size=5))
    np.testing.assert_array_equal(got, features)
    np.testing.assert_array_equal(labels["age"], table["age"].fillna(0))
    dataset = feature_batches(features, table, READER.tasks, batch_size=5, seed=1)
    orders = []
    for _ in range(2):
        got, labels, masks = epoch(dataset)
        order = got[:, 0].astype(int)
        np.testing.assert_array_equal(labels["age"], table["age"].fillna(0).to_numpy()[order])
        np.testing.assert_array_equal(masks["gender"], table["gender"].notna().to_numpy()[order])
        orders.append(order.tolist())
    assert all(sorted(order) == list(range(24)) for order in orders) and orders[0] != orders[1]
    resumed = feature_batches(features, table, READER.tasks, batch_size=5, seed=1, first_epoch=1)
    assert epoch(resumed)[0][:, 0].astype(int).tolist() == orders[1]
    assert len(dataset) == 5


def test_features_and_rows_must_be_as_many(table):
    with pytest.raises(UserError, match="23 images for a table of 24 rows"):
        feature_batches(np.zeros((23, 2), "float32"), table, READER.tasks)


# === Refusals ===


def test_a_task_that_no_row_labels_is_an_error(table):
    with pytest.raises(UserError, match="'age_group'"):
        batches(table, asks([AGE, AGE_GROUP]), shuffle=True)
    with pytest.raises(UserError, match="'age_group'"):
        batches(table, asks([AGE_GROUP]))
    # Of many tasks, few rows to validate on may lack some.
    assert not any(masks["age_group"].numpy().any() for _, _, masks in batches(table, asks([AGE, AGE_GROUP])))
    with pytest.raises(UserError, match="'gender'"):
        feature_batches(np.zeros((2, 2), "float32"), table.iloc[[0, 3]], [GENDER])


def test_an_empty_table_is_an_error(table):
    with pytest.raises(UserError, match="no rows"):
        batches(table.iloc[:0], READER)


def test_an_unknown_class_is_an_error_that_names_it(table):
    table.loc[1, "gender"] = "femal"
    with pytest.raises(UserError, match="femal.*male, female"):
        batches(table, READER)


def test_a_file_that_has_gone_is_an_error_that_names_it(table):
    table.loc[3, "path"] = "/nowhere/3.jpg"
    with pytest.raises(UserError, match="/nowhere/3.jpg: No such file"), naming_images():
        epoch(batches(table, READER))


@pytest.mark.parametrize("how", [False, True])
def test_images_kept_in_memory_are_those_that_are_read_at_each_epoch(table, monkeypatch, how):
    def two_epochs():
        dataset = batches(table, READER, 7, augment=how, shuffle=True, seed=3)
        return [epoch(dataset)[0] for _ in range(2)]

    kept = two_epochs()
    monkeypatch.setattr("mtl_keras.data.pipeline.IN_MEMORY", 24 * 3 * READER.image_size**2 - 1)
    np.testing.assert_array_equal(kept, two_epochs())
    table.loc[3, "path"] = "/nowhere/3.jpg"
    # What does not fit is only read when its turn comes.
    dataset = batches(table, READER, 7, augment=how, shuffle=True)
    with pytest.raises(UserError, match="^/nowhere/3.jpg"), naming_images():
        epoch(dataset)


def test_a_file_that_was_written_anew_is_not_taken_from_memory(table, tmp_path):
    paths = [str(shutil.copy(path, tmp_path / f"{number}.jpg")) for number, path in enumerate(table["path"])]
    table = table.assign(path=paths)
    before = epoch(batches(table, READER, shuffle=True))[0]
    shutil.copyfile(paths[1], paths[0])
    now = epoch(batches(table, READER, shuffle=True))[0]
    assert (before != now).any(axis=(1, 2, 3)).sum() == 1


# === Balance ===


def test_rows_are_seen_as_often_as_their_times_say_each_time_changed_anew(table):
    table = table.assign(times=[3.0] * 4 + [1.0] * 20)
    seen = epoch(batches(table, READER, 7, augment=Augmentation(), seed=1))
    assert len(seen[0]) == 32 and len({image.tobytes() for image in seen[0]}) == 32
    plain = batches(table, READER, 7, shuffle=True, seed=1)
    first, second = epoch(plain)[0], epoch(plain)[0]
    counts = np.bincount(row_numbers(first, decoded(table)), minlength=24)
    assert counts.tolist() == [3] * 4 + [1] * 20
    assert row_numbers(first, decoded(table)) != row_numbers(second, decoded(table))
    # A resumed run sees what an uninterrupted one would have seen.
    resumed = batches(table, READER, 7, shuffle=True, seed=1, first_epoch=1)
    np.testing.assert_array_equal(epoch(resumed)[0], second)
    assert plain.cardinality() == 5
    # What is measured is seen once.
    assert len(epoch(batches(table, READER, 7))[0]) == 24


def test_batches_of_a_fixed_composition(table):
    table = table.assign(source=["a"] * 20 + ["b"] * 4)
    dataset = batches(table, READER, {"a": 4, "b": 2}, shuffle=True)
    assert dataset.cardinality() == 5
    for images, _, _ in dataset:
        rows = np.array(row_numbers(images.numpy(), decoded(table)))
        assert (rows < 20).sum() == 4 and (rows >= 20).sum() == 2
    for size in (0, "8", {"a": 0, "b": 4}):
        with pytest.raises(UserError, match="^batch_size .*: expected a whole number of at least 1"):
            batches(table, READER, batch_size=size, shuffle=True)
    with pytest.raises(UserError, match="needs shuffled rows"):
        batches(table, READER, {"a": 4, "b": 2})


def test_features_are_repeated_like_images(table):
    table = table.assign(times=2.0)
    seen = epoch(feature_batches(np.arange(24.0)[:, None], table, [HEAD_POSE], 7, seed=0))
    assert np.bincount(seen[0][:, 0].astype(int)).tolist() == [2] * 24


# === One shape for all batches ===


def test_on_a_tpu_all_batches_have_one_shape_and_what_fills_the_last_is_known_by_its_masks(table, monkeypatch):
    features = np.ones((len(table), 3), "float32")
    kinds = {
        "kept in memory": lambda: batches(table, READER, batch_size=7, shuffle=True, seed=1),
        "changed": lambda: batches(table, READER, batch_size=7, augment=True, shuffle=False),
        "in order": lambda: batches(table, READER, batch_size=7),
        "features": lambda: feature_batches(features, table, READER.tasks, batch_size=7),
    }
    expected = {name: epoch(make()) for name, make in kinds.items()}
    monkeypatch.setattr(pipeline, "fills_batches", lambda: True)
    for name, make in kinds.items():
        dataset = make()
        assert {spec.shape[0] for spec in tf.nest.flatten(dataset.element_spec)} == {7}
        assert all(spec.shape.is_fully_defined() for spec in tf.nest.flatten(dataset.element_spec))
        assert len(dataset) == 4
        found = epoch(dataset)
        for got, right in zip(tf.nest.flatten(found), tf.nest.flatten(expected[name]), strict=True):
            np.testing.assert_array_equal(got[:24], right)
            assert len(got) == 28
        assert all((mask[24:] == FILLING).all() for mask in found[2].values())
