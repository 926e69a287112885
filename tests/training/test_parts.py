"""A step in parts: what is put together, and what is added."""

import numpy as np
import pytest
import tensorflow as tf

from mtl_keras.training.parts import Examples, in_parts

IMAGES = tf.reshape(tf.range(14.0), (7, 2))
WEIGHTS = [{"a": tf.range(1.0, 8.0)}]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 9])
def test_parts_make_up_the_whole(count):
    seen = []

    def function(part):
        seen.append(len(part.images))
        outputs = {"a": part.images * part.labels["a"][:, None]}
        weighed = part.images * tf.cast(part.weights[0]["a"] > 0, "float32")[:, None]
        return outputs, (tf.reduce_sum(part.weights[0]["a"]), [tf.reduce_sum(weighed, axis=0), None])

    outputs, (total, (sums, none)) = in_parts(Examples(IMAGES, {"a": tf.range(7.0)}, WEIGHTS), count, function)
    np.testing.assert_array_equal(outputs["a"], IMAGES * np.arange(7.0)[:, None])
    assert float(total) == 28 and none is None
    np.testing.assert_array_equal(sums, np.sum(IMAGES, axis=0))
    # No part is empty: a row that stands in for none counts for nothing.
    assert len(seen) == count and min(seen) >= 1 and max(seen) == -(-7 // count)
    assert sum(seen) == max(7, count)


def test_a_gradient_that_only_some_parts_have_is_added():
    def function(part):
        return part.images, [part.images[0] if part.images[0, 0] > 5 else None]

    _, (found,) = in_parts(Examples(IMAGES, {}, []), 2, function)
    np.testing.assert_array_equal(found, IMAGES[3])
