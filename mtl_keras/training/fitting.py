"""`fit`, `evaluate` and the like with Keras' arguments, for several tasks."""

import keras
import tensorflow as tf

from mtl_keras.training.labels import class_weights_of, completed


class Fitting(keras.Model):
    """A network of several `tasks` that takes data as every Keras model does: {task: labels}, with or without masks."""

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """Train as `keras.Model.fit` does, on labels {task: (N,), (N, 1) or (N, D)}.

        A task that is missing takes no part, nor does a label that is NaN, or negative for a task of classes.
        `sample_weight` is {task: weights (N,)} or one array for all tasks, `class_weight` {task: {class: weight}}; the
        mean over the labelled examples is then a weighted one. Batches of data sets are `(x, y)` or `(x, y, weights)`.
        """
        if isinstance(validation_data, (list, tuple)):
            images, labels, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
            validation_data = images, labels, completed(self.tasks, labels, weights)
        self._weigh_classes(class_weight)
        return super().fit(
            x,
            y,
            batch_size,
            epochs,
            verbose,
            callbacks,
            validation_split,
            validation_data,
            # Nothing else can be shuffled by Keras, which would warn of it at each call.
            shuffle=shuffle and (y is not None or isinstance(x, keras.utils.PyDataset)),
            sample_weight=completed(self.tasks, y, sample_weight),
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
        )

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        _use_cached_eval_dataset=False,
    ):
        """Return the losses and metrics, as `keras.Model.evaluate` does, of data as `fit` takes it."""
        return super().evaluate(
            x,
            y,
            batch_size,
            verbose,
            completed(self.tasks, y, sample_weight),
            steps,
            callbacks,
            return_dict,
            _use_cached_eval_dataset=_use_cached_eval_dataset,
        )

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """Take one step, as `keras.Model.train_on_batch` does, on data as `fit` takes it."""
        self._weigh_classes(class_weight)
        return super().train_on_batch(x, y, completed(self.tasks, y, sample_weight), return_dict=return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Return the losses and metrics, as `keras.Model.test_on_batch` does, of data as `fit` takes it."""
        return super().test_on_batch(x, y, completed(self.tasks, y, sample_weight), return_dict=return_dict)

    def _weigh_classes(self, class_weight):
        """Let the next training steps weigh classes; those that are compiled already hold other weights."""
        weights = class_weights_of(self.tasks, class_weight)
        if weights != self._class_weights:
            self._class_weights, self.train_function = weights, None

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Build the optimizer alone: the model is built already, and Keras 3.15 fails here with several workers.

        Left to the first step, the optimizer's variables would be made inside it, which fails with several replicas.
        """
        if self.optimizer is not None and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    def _make_function(self, step_function):
        """Let steps return scalars, although Keras 3.15 reduces the logs of several workers along their axis 0."""
        if not isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return super()._make_function(step_function)

        def with_axis(data):
            return tf.nest.map_structure(lambda log: tf.reshape(log, (1,)), step_function(data))

        function = super()._make_function(with_axis)
        return lambda iterator: tf.nest.map_structure(lambda log: tf.reshape(log, ()), function(iterator))
