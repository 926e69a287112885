"""`fit`, `evaluate` and the like with Keras' arguments, for several tasks."""

import math

import keras
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.models.replicas import replicas
from mtl_keras.training.arrays import check_pixels, labels_and_weights
from mtl_keras.training.divergence import StopWhenDiverged
from mtl_keras.training.epoch_loss import EndWeightingEpoch
from mtl_keras.training.labels import class_weights_of
from mtl_keras.training.parts import with_a_row


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

        A task that is missing takes no part and has no logs, nor does a label that is NaN, or negative for a task of
        classes.
        `sample_weight` is {task: weights (N,)} or one array for all tasks, `class_weight` {task: {class: weight}}; the
        mean over the labelled examples is then a weighted one.
        Tables of pandas have a column for each task. Batches of data sets are `(x, y)` or `(x, y, weights)`.
        """
        if isinstance(validation_data, (list, tuple)):
            images, labels, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
            validation_data = images, *self._checked(images, labels, weights)
        labels, weights = self._checked(x, y, sample_weight)
        self._weigh_classes(class_weight)
        return super().fit(
            x,
            labels,
            batch_size,
            epochs,
            verbose,
            self._with_own(callbacks),
            validation_split,
            validation_data,
            # Nothing else can be shuffled by Keras, which would warn of it at each call.
            shuffle=shuffle and (y is not None or isinstance(x, keras.utils.PyDataset)),
            sample_weight=weights,
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
        """Return the losses and metrics, as `keras.Model.evaluate` does, of data as `fit` takes it.

        A task without any label has none: they are left out of a dictionary, and NaN in a list. `fit` comes here too.
        """
        labels, weights = self._checked(x, y, sample_weight)
        logs = super().evaluate(
            x,
            labels,
            batch_size,
            verbose,
            weights,
            steps,
            callbacks,
            return_dict=True,
            _use_cached_eval_dataset=_use_cached_eval_dataset,
        )
        # They would be 0: of a loss the best there is.
        unlabelled = self.logs_without_labels()
        if all(f"{task.name}_loss" in unlabelled for task in self.tasks):
            names = ", ".join(task.name for task in self.tasks)
            raise UserError(
                f"no example has a label of any of the tasks {names}; expected some to evaluate the model on"
            )
        if return_dict:
            return {name: value for name, value in logs.items() if name not in unlabelled}
        return self._flatten_metrics_in_order(logs | dict.fromkeys(unlabelled, math.nan))

    def _get_metrics_result_or_logs(self, logs):
        """Return the logs of an epoch of `fit` or `evaluate` as Keras does, but none of tasks that had no label."""
        found, unlabelled = super()._get_metrics_result_or_logs(logs), self.logs_without_labels()
        return {name: value for name, value in found.items() if name not in unlabelled}

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """Take one step, as `keras.Model.train_on_batch` does, on data as `fit` takes it."""
        self._weigh_classes(class_weight)
        return super().train_on_batch(x, *self._checked(x, y, sample_weight), return_dict=return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Return the losses and metrics, as `keras.Model.test_on_batch` does, of data as `fit` takes it."""
        return super().test_on_batch(x, *self._checked(x, y, sample_weight), return_dict=return_dict)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """Return {task: (N, K)}, as `keras.Model.predict` does."""
        check_pixels(x, self.input_shape)
        return super().predict(x, batch_size, verbose, steps, callbacks)

    def predict_step(self, data):
        """Return {task: (B, K)} for a batch, of which a replica may have no row."""
        if replicas() == 1:
            return super().predict_step(data)
        images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        rows = tf.shape(tf.nest.flatten(images)[0])[0]
        return tf.nest.map_structure(lambda x: x[:rows], self(with_a_row(images), training=False))

    def predict_on_batch(self, x):
        """Return {task: (B, K)}, as `keras.Model.predict_on_batch` does."""
        check_pixels(x, self.input_shape)
        return super().predict_on_batch(x)

    def _checked(self, images, labels, weights) -> tuple:
        """Return labels and weights by task, once they and the images have been found to be such."""
        check_pixels(images, self.input_shape)
        return labels_and_weights(self.tasks, labels, weights)

    @staticmethod
    def _with_own(callbacks):
        """Return the callbacks of a training, with those that each has: a list that Keras made is complete."""
        if isinstance(callbacks, keras.callbacks.CallbackList):
            return callbacks
        given = [callbacks] if isinstance(callbacks, keras.callbacks.Callback) else list(callbacks or ())
        stops = [] if any(isinstance(each, StopWhenDiverged) for each in given) else [StopWhenDiverged()]
        # First, so that nothing of an epoch that diverged is kept, and the state is that of the epoch's end for all.
        return [*stops, EndWeightingEpoch(), *given]

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
