"""Random changes: the same for the same seed, each switched off alone, and each doing what it says."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.data.augment import AUGMENTATION, Augmentation, augment, augment_labelled, augmentation, view
from mtl_keras.tasks import AGE, HEAD_POSE, Task

SIDE = 48
OFF = Augmentation(mirror=False, rotation=0.0, zoom=0.0, shift=0.0, color=0.0, gray=0.0, erase=0.0)


def scene() -> np.ndarray:
    """A smooth color picture (SIDE, SIDE, 3), so that moving it by a part of a pixel changes little."""
    row, column = np.mgrid[0:SIDE, 0:SIDE]
    return np.stack([row * 4 + 20, column * 4 + 10, 230 - row * 2 - column * 2], axis=-1).astype("uint8")


def dot(row: int, column: int) -> np.ndarray:
    """A white square of 3 pixels around this place, on black."""
    image = np.zeros((SIDE, SIDE, 3), "uint8")
    image[row - 1 : row + 2, column - 1 : column + 2] = 255
    return image


def place(image: np.ndarray) -> np.ndarray:
    """Where the white is: its middle as (row, column)."""
    weights = image[..., 0].astype(float)
    return np.array([np.average(grid, weights=weights) for grid in np.mgrid[0:SIDE, 0:SIDE]])


@tf.function
def changed_by(image, seeds, mirror, how):
    """Compile once for many seeds; `mirror` is only there to tell compiled versions apart."""
    return tf.map_fn(lambda seed: augment(image, seed, how), seeds, fn_output_signature=tf.uint8)


def changed(image: np.ndarray, how: Augmentation, count: int = 60) -> np.ndarray:
    """Return `count` changed copies (count, SIDE, SIDE, 3), each by a seed of its own."""
    seeds = tf.constant([(7, index) for index in range(count)], tf.int64)
    return changed_by(tf.constant(image), seeds, how.mirror, how).numpy()


# === All together ===


@pytest.mark.parametrize("how", [AUGMENTATION, OFF], ids=["usual", "off"])
def test_shape_and_type_stay(how):
    image = augment(tf.constant(scene()), tf.constant([0, 1], tf.int64), how)
    assert image.shape == (SIDE, SIDE, 3) and image.dtype == "uint8"


def test_with_everything_off_the_image_stays_as_it_is():
    np.testing.assert_array_equal(changed(scene(), OFF, 5), np.repeat(scene()[None], 5, axis=0))


def test_moving_an_image_by_fractions_of_a_pixel_does_not_darken_it():
    checks = np.tile(np.array([[100, 101], [101, 100]], "uint8"), (SIDE // 2, SIDE // 2))[..., None].repeat(3, axis=-1)
    moved = changed(checks, replace(OFF, rotation=20.0, shift=0.2))
    assert abs(moved.mean() - checks.mean()) < 0.1


def test_the_same_seed_gives_the_same_change_and_others_give_others():
    first, second = changed(scene(), AUGMENTATION, 20), changed(scene(), AUGMENTATION, 20)
    np.testing.assert_array_equal(first, second)
    assert len({image.tobytes() for image in first}) == 20
    epoch = [augment(tf.constant(scene()), tf.constant([epoch, 0], tf.int64)).numpy().tobytes() for epoch in (0, 1)]
    assert epoch[0] != epoch[1]


@pytest.mark.parametrize("name", ["rotation", "zoom", "shift", "color", "gray", "erase"])
def test_each_change_has_its_own_switch(name):
    how = replace(OFF, **{name: 1.0 if name in ("gray", "erase") else AUGMENTATION.color})
    how = replace(how, rotation=10.0) if name == "rotation" else how
    different = [not np.array_equal(image, scene()) for image in changed(scene(), how, 10)]
    assert all(different)


# === One by one ===


def test_half_of_the_images_are_mirrored_exactly():
    images = changed(scene(), replace(OFF, mirror=True), 400)
    mirrored = [np.array_equal(image, scene()[:, ::-1]) for image in images]
    assert all(m or np.array_equal(image, scene()) for m, image in zip(mirrored, images, strict=True))
    assert 160 <= sum(mirrored) <= 240  # 4 standard deviations of a fair coin


def test_rotation_is_about_the_middle_and_within_its_degrees():
    middle = (SIDE - 1) / 2
    places = np.array([place(image) for image in changed(dot(24, 40), replace(OFF, rotation=20.0))]) - middle
    start = place(dot(24, 40)) - middle
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), np.linalg.norm(start), atol=0.3)
    angles = np.degrees(np.arctan2(places[:, 0], places[:, 1]) - np.arctan2(start[0], start[1]))
    assert np.abs(angles).max() <= 20.5 and angles.min() < -10 and angles.max() > 10


def test_zoom_is_about_the_middle_and_within_its_fraction():
    middle = (SIDE - 1) / 2
    places = np.array([place(image) for image in changed(dot(24, 36), replace(OFF, zoom=0.2))]) - middle
    ratios = places[:, 1] / (36 - middle)
    assert 1 / 1.2 - 0.02 <= ratios.min() < 0.9 and 1.1 < ratios.max() <= 1 / 0.8 + 0.02


def test_shift_is_within_its_fraction_of_the_side_in_both_directions():
    moved = np.array([place(image) for image in changed(dot(24, 24), replace(OFF, shift=0.1))]) - 24
    assert np.abs(moved).max() <= 0.1 * SIDE + 0.1
    assert (moved.min(0) < -2).all() and (moved.max(0) > 2).all()


def test_a_moved_image_is_filled_by_reflection():
    bright = np.full((SIDE, SIDE, 3), 200, "uint8")
    how = replace(OFF, mirror=True, rotation=20.0, zoom=0.2, shift=0.1)
    # One level less, where the resampling is cut off to a whole number.
    assert set(np.unique(changed(bright, how))) <= {199, 200}


def test_color_changes_brightness_contrast_and_saturation_but_moves_nothing():
    images = changed(scene(), replace(OFF, color=0.2)).astype(float)
    brightness = images.mean((1, 2, 3)) / scene().mean()
    assert 0.79 <= brightness.min() < 0.9 and 1.1 < brightness.max() <= 1.21
    saturation = (images.max(-1) - images.min(-1)).mean((1, 2))
    assert saturation.std() > 1
    flat = np.full((SIDE, SIDE, 3), 100, "uint8")
    assert all(len(np.unique(image)) == 1 for image in changed(flat, replace(OFF, color=0.2), 5))


@pytest.mark.parametrize(("probability", "low", "high"), [(0.0, 0, 0), (0.25, 65, 135), (1.0, 400, 400)])
def test_gray_takes_all_color_with_its_probability(probability, low, high):
    images = changed(scene(), replace(OFF, gray=probability), 400).astype(int)
    gray = (images.max(-1) == images.min(-1)).all((1, 2))
    assert low <= gray.sum() <= high
    luma = np.round(scene() @ np.array([0.299, 0.587, 0.114]))
    assert all(np.abs(image[..., 0] - luma).max() <= 1 for image in images[gray])
    assert all(np.array_equal(image, scene()) for image in images[~gray])


@pytest.mark.parametrize(("probability", "low", "high"), [(0.25, 65, 135), (1.0, 400, 400)])
def test_erase_paints_one_rectangle_in_one_gray(probability, low, high):
    erased = 0
    for image in changed(scene(), replace(OFF, erase=probability), 400):
        rows, columns = np.nonzero((image != scene()).any(-1))
        if not len(rows):
            continue
        erased += 1
        # An erased pixel may by chance have had that very gray, so the box is taken around the others.
        box = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert len(np.unique(box)) == 1
        assert max(box.shape[:2]) <= 0.35 * SIDE and min(box.shape[:2]) >= 0.1 * SIDE - 1
    assert low <= erased <= high


def test_views_are_mirrored_and_seen_from_nearer_or_farther_away():
    images = tf.stack([scene(), scene()])
    np.testing.assert_array_equal(view(images, False, 1.0), images)
    np.testing.assert_array_equal(view(images, True, 1.0), images[:, :, ::-1])
    # A disc in the middle keeps its place, and its area grows as the square of the zoom.
    y, x = np.mgrid[:81, :81] - 40
    disc = np.where((x**2 + y**2 < 20**2)[None, :, :, None], np.uint8(200), np.uint8(0)).repeat(3, axis=3)
    for zoom in (0.9, 1.1):
        seen = np.asarray(view(tf.constant(disc), False, zoom), float)[0, :, :, 0]
        assert abs(seen.sum() / disc[0, :, :, 0].sum() * zoom**2 - 1) < 0.02
        assert abs((seen * x).sum() / seen.sum()) < 0.05 and abs((seen * y).sum() / seen.sum()) < 0.05


ARROW = Task("arrow", "categorical", classes=("left", "right"), oriented=True)


def labelled_copies(tasks, labels, masks, how, count=40):
    """Return copies of the scene (count, SIDE, SIDE, 3), and their labels {task: (count, ...)}."""

    @tf.function
    def all_copies():
        seeds = tf.constant([(3, index) for index in range(count)], tf.int64)
        kinds = {name: label.dtype for name, label in labels.items()}
        return tf.map_fn(
            lambda seed: augment_labelled(tf.constant(scene()), labels, masks, tasks, seed, how),
            seeds,
            fn_output_signature=(tf.uint8, kinds),
        )

    images, changed_labels = all_copies()
    return images.numpy(), {name: label.numpy() for name, label in changed_labels.items()}


def test_a_mirrored_head_turns_to_the_other_side_and_no_labelled_head_is_turned():
    tasks, pose = [AGE, HEAD_POSE], tf.constant([10.0, 20.0, 30.0])
    labels = {"age": tf.constant(30.0), "head_pose": pose}
    how = replace(OFF, mirror=True, rotation=40.0)
    images, found = labelled_copies(tasks, labels, {"age": tf.constant(1.0), "head_pose": tf.constant(1.0)}, how)
    mirrored = np.array([np.array_equal(image, scene()[:, ::-1]) for image in images])
    as_it_was = np.array([np.array_equal(image, scene()) for image in images])
    assert 8 < mirrored.sum() < 32 and (mirrored | as_it_was).all()
    np.testing.assert_array_equal(found["head_pose"][mirrored], [[-10.0, 20.0, -30.0]] * mirrored.sum())
    np.testing.assert_array_equal(found["head_pose"][as_it_was], [[10.0, 20.0, 30.0]] * as_it_was.sum())
    assert (found["age"] == 30).all()
    # A row without such a label is turned as any other.
    turned, _ = labelled_copies(tasks, labels, {"age": tf.constant(1.0), "head_pose": tf.constant(0.0)}, how)
    plain, _ = labelled_copies([AGE], {"age": labels["age"]}, {"age": tf.constant(1.0)}, how)
    np.testing.assert_array_equal(turned, plain)
    assert sum(np.array_equal(image, scene()) for image in turned) < 8


def test_an_image_is_not_mirrored_where_no_one_knows_the_label_of_its_mirror_image():
    labels = {"arrow": tf.constant(1)}
    images, found = labelled_copies([ARROW], labels, {"arrow": tf.constant(1.0)}, replace(OFF, mirror=True))
    assert (images == scene()).all() and (found["arrow"] == 1).all()
    images, _ = labelled_copies([ARROW], labels, {"arrow": tf.constant(0.0)}, replace(OFF, mirror=True))
    assert any(np.array_equal(image, scene()[:, ::-1]) for image in images)


def test_images_are_changed_as_usual_as_given_or_not_at_all():
    strong = replace(AUGMENTATION, rotation=40.0)
    assert augmentation(True) == AUGMENTATION and augmentation(strong) == strong and augmentation(False) is None
