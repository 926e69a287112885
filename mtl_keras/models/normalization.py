"""Batch normalization by a fused kernel, with the statistics of all replicas where there are several."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf
from keras import ops

from mtl_keras.models.replicas import over_replicas, replicas

# The GPU kernel silently raises a smaller epsilon to this value, and the result would then differ from Keras' layer.
_SMALLEST_FUSED_EPSILON = 1.001e-5


class _Counted(threading.local):
    """The rows that count in the forward pass of this replica, each of which has a thread of its own."""

    rows = None


_counted = _Counted()


@contextmanager
def counting(rows=None) -> Iterator[None]:
    """Let synchronized batch norms count a row of a batch as often as `rows` (B,) say: 1 or 0; None for all once."""
    before, _counted.rows = _counted.rows, rows
    try:
        yield
    finally:
        _counted.rows = before


def with_fused_norms(model: keras.Model) -> keras.Model:
    """Return a model with fused batch norms in the place of Keras' own, which is the model itself where it has none."""
    if not any(type(norm) is keras.layers.BatchNormalization for norm in norms_of(model)):
        return model
    return _with_norms(model, keras.layers.BatchNormalization, FusedBatchNormalization)


def with_keras_norms(model: keras.Model) -> keras.Model:
    """Return a copy of a model with Keras' own batch norms in the place of fused ones, as Keras' files name them."""
    return _with_norms(model, FusedBatchNormalization, keras.layers.BatchNormalization)


def _with_norms(model: keras.Model, old: type, new: type) -> keras.Model:
    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        return (new if type(layer) is old else type(layer)).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=copied, recursive=True)
    copy.set_weights(model.get_weights())
    return copy


def synchronize_norms(model: keras.Model, on: bool) -> None:
    """Let the batch norms of a model take the statistics of all replicas, or each those of its own rows."""
    for norm in norms_of(model):
        # A layer of Keras itself would pay for it on one replica too.
        free = isinstance(norm, FusedBatchNormalization)
        norm.synchronized = on and (free or tf.distribute.get_strategy().num_replicas_in_sync > 1)


def norms_of(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Return the batch norms of a model and of all models and layers within it."""
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def synchronized_norms(model: keras.Model) -> bool:
    """Return whether batch norms of a model that learn take the statistics of all replicas."""
    return any(norm.synchronized and norm.trainable for norm in norms_of(model))


@keras.saving.register_keras_serializable("mtl_keras")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization with TensorFlow's fused kernel: the arguments, variables and results of Keras' own layer.

    Keras 3 computes moments and normalization as separate operations in float32. The fused kernel reads an image
    batch `(B, H, W, C)` in its own precision and keeps statistics, offset and scale in float32. Anything that the
    kernel does not cover (other ranks or axes, masks, float64, renormalization) is left to Keras' layer.
    Source: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167.

    `synchronized` takes the statistics of all rows that the replicas of a step have together, as one device would:
    sums and squared sums are added up over them, in one exchange a layer. One replica pays nothing for that. With a
    mask, statistics are a replica's own, as in Keras.
    """

    def call(self, inputs, training=None, mask=None):
        """Normalizes `inputs` (B, H, W, C), with the batch's statistics in training and the moving ones otherwise."""
        shared = training and self.trainable and self._shares_statistics()
        if mask is not None or shared or not self._kernel_fits(inputs):
            return super().call(inputs, training=training, mask=mask)

        channels = inputs.shape[-1]
        offset = ops.cast(self.beta, "float32") if self.center else ops.zeros((channels,), "float32")
        scale = ops.cast(self.gamma, "float32") if self.scale else ops.ones((channels,), "float32")
        moving_mean = ops.cast(self.moving_mean, "float32")
        moving_variance = ops.cast(self.moving_variance, "float32")

        # As in Keras, a frozen layer uses its moving statistics in training too.
        if not (training and self.trainable):
            outputs, _, _ = tf.compat.v1.nn.fused_batch_norm(
                inputs, scale, offset, moving_mean, moving_variance, epsilon=self.epsilon, is_training=False
            )
            return ops.cast(outputs, self.compute_dtype)

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, scale, offset, epsilon=self.epsilon, is_training=True
        )
        # The kernel returns the variance divided by (n - 1), Keras' moving variance holds the one divided by n.
        n = tf.cast(tf.size(inputs) // channels, "float32")  # B * H * W
        variance = variance * ((n - 1.0) / n)
        # A replica without a row of an epoch's last batch has no statistics: those would be NaN.
        seen = n > 0 if _counted.rows is None else tf.reduce_any(_counted.rows > 0)
        mean, variance = tf.where(seen, mean, moving_mean), tf.where(seen, variance, moving_variance)
        self.moving_mean.assign(moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return ops.cast(outputs, self.compute_dtype)

    def _kernel_fits(self, inputs) -> bool:
        return (
            len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and keras.backend.standardize_dtype(inputs.dtype) in ("float32", "bfloat16", "float16")
            and self.epsilon >= _SMALLEST_FUSED_EPSILON
            and not self.renorm
        )

    def _shares_statistics(self) -> bool:
        return self.synchronized and (replicas() > 1 or _counted.rows is not None)

    def _moments(self, inputs, mask):
        """Return the mean and the variance (C,) of a batch: of all rows that count, where these are synchronized."""
        if mask is not None:
            return super()._moments(inputs, mask)
        if not self._shares_statistics():
            return ops.moments(inputs, self._reduction_axes)
        axes, rank = self._reduction_axes, len(inputs.shape)
        rows = _counted.rows
        rows = tf.ones(tf.shape(inputs)[:1], inputs.dtype) if rows is None else tf.cast(rows, inputs.dtype)
        # The same on all replicas. Squares of what is far from 0 would lose the digits that a variance consists of.
        start = tf.cast(self.moving_mean.value, inputs.dtype)
        deviations = inputs - tf.reshape(start, [-1 if axis == self.axis % rank else 1 for axis in range(rank)])
        weighed = deviations * tf.reshape(rows, [-1] + [1] * (rank - 1))
        pixels = tf.cast(tf.reduce_prod(tf.gather(tf.shape(inputs), tf.constant(axes[1:], tf.int32))), inputs.dtype)
        sums = [tf.reduce_sum(weighed, axes), tf.reduce_sum(weighed * deviations, axes)]
        both, n = tf.split(
            over_replicas(tf.concat([*sums, [tf.reduce_sum(rows) * pixels]], 0)), [2 * start.shape[0], 1]
        )
        mean, square = tf.split(tf.math.divide_no_nan(both, n), 2)
        variance = tf.where(n > 0, square - tf.square(mean), tf.cast(self.moving_variance.value, inputs.dtype))
        return start + mean, tf.maximum(variance, 0.0)
