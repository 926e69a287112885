"""Gradients of several tasks' losses, as a training step needs them: at variables or at features."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.models.normalization import counting, synchronized_norms
from mtl_keras.models.replicas import over_replicas, replicas
from mtl_keras.training.fitting import Fitting
from mtl_keras.training.masked import masked_sum, mean_of
from mtl_keras.training.parts import Examples, in_parts
from mtl_keras.training.replicas import before_this_replica
from mtl_keras.training.task_gradients import filled, parted, pieces, products, rows, shared_positions, weighted
from mtl_keras.training.weightings.weighting import Step

GRADIENTS_AT = ("parameters", "features")


class Passed(NamedTuple):
    """What came of the examples of a step: `sums` (T,) of losses on this replica, and gradients of all replicas.

    `added` is what layers add to the loss on this replica, a scalar, and `step` what the weighting was told.
    """

    outputs: dict
    sums: object
    added: object
    gradients: list
    step: Step


class TaskGradients(Fitting):
    """A network of several tasks whose losses are differentiated as its weighting needs it."""

    def differentiated(self, examples: Examples, divisors, present) -> Passed:
        """Return what comes of these examples, given what the tasks' sums are divided by (T,) and who is present (T,).

        The gradients, one a variable, are of the weighed losses and of what layers add, each times the optimizer's
        scale of losses.
        """
        if self._weighting.needs == "losses":
            afterwards = self._weighting.reads_losses and self._accumulate > 1
            return (self._weighed_afterwards if afterwards else self._weighed_at_once)(examples, divisors, present)
        if self._weighting.halves:
            examples = examples._replace(weights=self._halves(examples.weights[0]))
            counts = [[tf.reduce_sum(half[task.name]) for task in self.tasks] for half in examples.weights]
            present = tf.reduce_all(over_replicas(tf.stack(counts)) > 0, axis=0)
        weighed = self._weighed_at_features if self._gradients_at == "features" else self._weighed_at_parameters
        return weighed(examples, divisors, present)

    # === Losses are weighed ===

    def _weighed_at_once(self, examples: Examples, divisors, present) -> Passed:
        """Take the gradient of the weighted sum of the losses."""
        told = []

        def losses_of(sums, added):
            sums = tf.stack(sums)
            # In parts, the losses of all of them are not known yet: then the weighting does not look at them.
            seen = over_replicas(tf.stop_gradient(sums)) if self._accumulate == 1 else tf.zeros_like(sums)
            told.append(self._answered(Step(mean_of(seen, divisors), present)))
            # Each replica's part of the weighted means over all: their gradients add up to the whole gradient.
            parts = mean_of(tf.stop_gradient(told[-1].answer) * sums, divisors)
            return [tf.reduce_sum(parts) + added / replicas()]

        outputs, (sums, added, by_loss) = self._passed(examples, losses_of)
        step = told[-1]
        if self._accumulate > 1:
            step = step._replace(losses=mean_of(over_replicas(tf.stack(sums)), divisors))
        gradients = over_replicas(weighted(by_loss, [1.0], self.trainable_variables))
        return Passed(outputs, tf.stack(sums), added, gradients, step)

    def _weighed_afterwards(self, examples: Examples, divisors, present) -> Passed:
        """Take the gradient of each loss apart, for weights that only the losses of all parts tell."""
        outputs, (sums, added, by_loss) = self._passed(examples, self._apart(divisors))
        sums = tf.stack(sums)
        step = self._answered(Step(mean_of(over_replicas(sums), divisors), present))
        gradients = weighted(by_loss, [*tf.unstack(step.answer), 1.0], self.trainable_variables)
        return Passed(outputs, sums, added, over_replicas(gradients), step)

    # === Gradients are weighed ===

    def _weighed_at_parameters(self, examples: Examples, divisors, present) -> Passed:
        """Weigh the gradients at the variables that tasks share; those at a task's own variables stay as they are."""
        outputs, (sums, added, by_loss) = self._passed(examples, self._apart(divisors))
        variables, by_task = self.trainable_variables, by_loss[:-1]
        step = Step(mean_of(over_replicas(self._whole(sums)), divisors), present)
        shared = shared_positions(by_task[: len(self.tasks)])
        own, _ = parted(by_task, shared)
        gradients = over_replicas(weighted([*own, by_loss[-1]], [1.0] * len(by_loss), variables))
        if not shared and len(self.tasks) > 1 and not self.has_common_features():
            raise UserError(
                "the tasks share no variables, so that a weighting has no gradients to combine: take one from losses, "
                "such as uncertainty, or a way of sharing with common layers, such as hard"
            )
        if shared:
            step, combined = self._combined_at(shared, by_task, step)
            for position, gradient in combined.items():
                gradients[position] += gradient
        return Passed(outputs, self._whole(sums), added, gradients, step)

    def _weighed_at_features(self, examples: Examples, divisors, present) -> Passed:
        """Weigh the gradients at the features that all tasks read, and go back through what makes them only once."""
        front, back = self.front_and_back()
        variables, scale = self.trainable_variables, self.optimizer.scale_loss(1.0)
        behind = [n for n, v in enumerate(variables) if any(v is each for each in back.trainable_variables)]
        with tf.GradientTape(persistent=True) as tape:
            with counting(*examples.counted):
                features = front(examples.images, training=True)
                outputs = back(features, training=True)
            added, sums = self._added(), self.summed_losses(outputs, examples)
            *of_tasks, rest = [scale * loss for loss in self._apart(divisors)(sums, added)]
        at_features, by_task = [], []
        for loss in of_tasks:
            first, *others = tape.gradient(loss, [features, *(variables[n] for n in behind)])
            at_features.append(tf.zeros_like(features) if first is None else first)
            found = dict(zip(behind, others, strict=True))
            by_task.append([found.get(n) for n in range(len(variables))])
        # (T, B D): each replica's features are its own, so that the dot products add up.
        jacobian = tf.stack([tf.cast(tf.reshape(gradient, (-1,)), "float32") for gradient in at_features]) / scale
        gramian = None
        if self._weighting.needs == "gramian":
            gramian = over_replicas(tf.matmul(jacobian, jacobian, transpose_b=True))
        sums = self._whole(sums)
        step, combined = self._combined(Step(mean_of(over_replicas(sums), divisors), present), jacobian, gramian)
        combined = tf.cast(tf.reshape(combined * scale, tf.shape(features)), features.dtype)
        through = tape.gradient(features, variables, output_gradients=combined)
        # What several tasks share behind the features goes by the same weights, where there are such.
        own, shared = parted(by_task, shared_positions(by_task[: len(self.tasks)]))
        ones = [1.0] * len(by_task)
        weights = ones if gramian is None else tf.unstack(step.answer)
        rows_of = [*own, *shared, through, tape.gradient(rest, variables)]
        gradients = weighted(rows_of, [*ones, *weights, 1.0, 1.0], variables)
        return Passed(outputs, sums, added, over_replicas(gradients), step)

    def _combined_at(self, shared: list[int], by_task: list[list], step: Step) -> tuple:
        """Return the step with what the weighting was told, and {position: gradient} at the shared variables."""
        variables, scale = self.trainable_variables, self.optimizer.scale_loss(1.0)
        if self._weighting.needs == "gradients":
            jacobian = over_replicas(rows(by_task, variables, shared)) / scale  # (T, P)
            self.check_size(jacobian.shape[1])
            step, combined = self._combined(step, jacobian, None)
            return step, pieces(combined * scale, variables, shared)
        # Variable by variable: one after the other they would be as large as the network, for each task.
        columns = [filled([row[place] for row in by_task], [variables[place]] * len(by_task)) for place in shared]
        columns = tf.nest.pack_sequence_as(columns, over_replicas(tf.nest.flatten(columns)))
        step = self._answered(step._replace(gramian=tf.add_n([products(column, scale) for column in columns])))
        combined = weighted([*zip(*columns, strict=True)], tf.unstack(step.answer), [variables[p] for p in shared])
        return step, dict(zip(shared, combined, strict=True))

    def _combined(self, step: Step, jacobian, gramian) -> tuple:
        """Return the step with what the weighting needs and answers, and what it makes of gradients (T, P): (P,)."""
        if gramian is None:
            step = self._answered(step._replace(gradients=jacobian))
            return step, step.answer
        step = self._answered(step._replace(gramian=gramian))
        return step, tf.linalg.matvec(jacobian, step.answer, transpose_a=True)

    def _answered(self, step: Step) -> Step:
        """Return the step with what the weighting answers to it."""
        return step._replace(answer=self._weighting.weigh(step))

    # === One pass forward and back ===

    def _added(self):
        """Return what layers have added to the loss in the forward pass that has just been, a scalar."""
        losses = self.losses
        # Keras keeps what layers add in one list for all replicas, which take turns at each exchange.
        regularized = [variable for variable in self.trainable_weights if variable.regularizer is not None]
        if replicas() > 1 and len(losses) > len(regularized) and synchronized_norms(self):
            raise UserError(
                "a layer adds to the loss (add_loss, or an activity regularizer), which several replicas cannot tell "
                "apart beside synchronized batch norms: use a regularizer of its variables, or sync_batch_norm=False"
            )
        return tf.add_n([tf.zeros(()), *losses])

    def _passed(self, examples: Examples, losses_of: Callable) -> tuple:
        """Return the outputs, and in a tuple sums, what layers add, and the gradients of each of the losses.

        `losses_of(sums, added)` are what is differentiated.
        """

        def function(part):
            with tf.GradientTape(persistent=True) as tape:
                with counting(*part.counted):
                    outputs = self(part.images, training=True)
                # At once: as soon as replicas exchange numbers, another one's forward pass has replaced them.
                added = self._added() / self._accumulate
                sums = self.summed_losses(outputs, part)
                losses = [self.optimizer.scale_loss(loss) for loss in losses_of(sums, added)]
            gradients = [tape.gradient(loss, self.trainable_variables) for loss in losses]
            return outputs, (sums, added, gradients)

        return in_parts(examples, self._accumulate, function)

    def _apart(self, divisors) -> Callable:
        """Return what makes of sums the tasks' parts of their means over all replicas, and then what layers add."""

        def losses_of(sums, added):
            # Not of a vector, through which every task would seem to reach every variable.
            parts = [mean_of(each, divisors[n % len(self.tasks)]) for n, each in enumerate(sums)]
            return [*parts, added / replicas()]

        return losses_of

    def summed_losses(self, outputs, examples: Examples) -> list:
        """Return the tasks' summed losses on this replica, by one set of the examples' weights after the other."""
        values = {
            task.name: self._task_losses[task.name](examples.labels[task.name], outputs[task.name])  # (B,)
            for task in self.tasks
        }
        return [masked_sum(values[name], weights[name])[0] for weights in examples.weights for name in values]

    def _whole(self, sums: list):
        """Return the tasks' sums (T,), of both halves where there are such."""
        return tf.reduce_sum(tf.reshape(tf.stack(sums), (-1, len(self.tasks))), axis=0)

    def _halves(self, weights: dict) -> list[dict]:
        """Return the weights of every second labelled example of each task, over all replicas, and of the others."""
        labelled = tf.stack([tf.cast(weights[task.name] > 0, tf.int32) for task in self.tasks])  # (T, B)
        odd = (tf.math.cumsum(labelled, axis=1) + before_this_replica(tf.reduce_sum(labelled, axis=1))[:, None]) % 2
        return [
            {task.name: tf.where(odd[n] == half, weights[task.name], 0.0) for n, task in enumerate(self.tasks)}
            for half in (1, 0)
        ]
