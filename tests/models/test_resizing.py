"""The resizing within a network gives the pixels of the one reading of images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.data.images import resize
from mtl_keras.models.resizing import Resized

SIDES = ((48, 48), (47, 49), (8, 9), (30, 96), (200, 48), (333, 97), (500, 400))


@pytest.mark.parametrize("method", ["bilinear", "sharp"])
def test_no_pixel_differs_by_more_than_a_level(method):
    layer = Resized(48, method)
    resized = tf.function(layer, [tf.TensorSpec((None, None, None, 3), tf.uint8)])
    random = np.random.default_rng(0)
    for height, width in SIDES:
        images = random.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
        expected = np.stack([resize(image, 48, method) for image in images]).astype(int)
        for found in (layer(images), resized(images)):
            differs = np.abs(found.numpy() - expected)
            assert found.dtype == "uint8" and differs.max() <= 1 and (differs > 0).mean() < 0.06


def test_images_of_the_size_go_through_as_they_are():
    images = tf.zeros((2, 48, 48, 3), tf.uint8)
    assert Resized(48)(images) is images


def test_it_is_saved_with_its_settings(tmp_path):
    images = keras.Input((None, None, 3), dtype="uint8")
    model = keras.Model(images, Resized(16, "sharp")(images))
    assert model.output_shape == (None, 16, 16, 3)
    model.save(tmp_path / "model.keras")
    layer = keras.saving.load_model(tmp_path / "model.keras").layers[-1]
    assert (layer.size, layer.method) == (16, "sharp")
