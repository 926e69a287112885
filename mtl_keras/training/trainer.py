"""Training of several tasks with masks, on one device or many: the only gradient tape and the only all_reduce."""

import math

import keras
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import Task
from mtl_keras.training import weightings
from mtl_keras.training.compiled import MaskedMetrics, TaskLosses, task_losses
from mtl_keras.training.epoch_loss import EpochLoss
from mtl_keras.training.fitting import Fitting
from mtl_keras.training.labels import by_task, class_weights_of, labels_and_masks, weighed_by_class
from mtl_keras.training.masked import masked_sum, mean_of
from mtl_keras.training.task_gradients import filled, pieces, rows, shared_positions
from mtl_keras.training.weightings.weighting import Step, Weighting

LOSS_MEANS = ("labelled", "batch")


class Trainer(Fitting):
    """A network of several tasks, and how it is trained on data that labels each only in part.

    It answers {task name: (B, K)}.
    """

    def __init__(self, tasks: list[Task], inputs, outputs: dict, name: str):
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.tasks, self._weighting = list(tasks), None
        self._class_weights = class_weights_of(self.tasks, None)
        self._means = {"loss": EpochLoss(len(tasks))}
        self._means |= {f"{task.name}_loss": keras.metrics.Mean(f"{task.name}_loss") for task in tasks}
        self._means |= {self._score(task): keras.metrics.Mean(self._score(task)) for task in tasks}

    @staticmethod
    def _score(task: Task) -> str:
        return f"{task.name}_{kind_of(task).SCORE.name}"

    # === Training ===
    def compile(
        self,
        optimizer="adamw",
        loss=None,
        loss_weights: dict[str, float] | list[float] | None = None,
        metrics: dict | None = None,
        weighted_metrics: dict | None = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile=False,
        *,
        weighting: str | dict[str, float] | Weighting = "equal",
        loss_mean: str = "labelled",
        l2: float = 0.0,
    ):
        """Choose the optimizer, the weighting of the tasks, and what a task's loss is averaged over.

        `weighting` is a name of WEIGHTINGS, {task: weight}, or a `Weighting` (a model compiled with one is saved
        uncompiled); `loss_weights` is another name for {task: weight}. `loss_mean` "labelled" divides a task's summed
        loss by the number of its labelled examples, "batch" by the number of all examples, counted over all replicas;
        the logged losses of the tasks are means over their labelled examples either way.
        `l2` times half the squared norm of all trained kernels is minimized as well; the log shows it as `l2`, beside
        the `loss` of the tasks. What layers add by `add_loss` is minimized too.

        All others are as in `keras.Model.compile`: a `loss` of Keras, for all tasks or {task: loss}, takes the place of
        those that the tasks' kinds have; `metrics` and `weighted_metrics` are {task: metrics}. They, too, are of
        labelled examples alone.
        """
        if loss_mean not in LOSS_MEANS:
            raise UserError(f"unknown loss_mean {loss_mean!r}; expected one of {', '.join(LOSS_MEANS)}")
        if not 0 <= l2 < math.inf:
            raise UserError(f"l2 {l2!r}: expected a number of at least 0")
        if loss_weights is not None and weighting != "equal":
            raise UserError("got loss_weights and weighting: loss_weights are a weighting themselves; give only one")
        if isinstance(loss, str) and loss in weightings.WEIGHTINGS:
            raise UserError(f"loss {loss!r} is a way of weighting; expected weighting={loss!r}")
        chosen = weighting if loss_weights is None else by_task(self.tasks, loss_weights, "loss_weights")
        self._task_losses = task_losses(self.tasks, loss)
        with self.distribute_strategy.scope():
            self._weighting = weightings.find(chosen, [task.name for task in self.tasks])
            asked = MaskedMetrics(self.tasks, metrics, weighted_metrics) if metrics or weighted_metrics else None
        self._loss_mean, self._l2 = loss_mean, l2
        self._means = {name: mean for name, mean in self._means.items() if name not in ("l2", "compiled")}
        if l2:
            self._means["l2"] = keras.metrics.Mean("l2")
        if asked:
            self._means["compiled"] = asked
        super().compile(
            optimizer, loss, loss_weights, metrics, weighted_metrics, run_eagerly, steps_per_execution, jit_compile
        )
        self._choices = {"loss": loss, "weighting": weighting, "loss_mean": loss_mean, "l2": l2}

    def get_compile_config(self):
        # A weighting of the user's own has no name by which it could be found again.
        if not self.compiled or isinstance(self._choices["weighting"], Weighting):
            return {}
        losses = keras.saving.serialize_keras_object(TaskLosses(**self._choices))
        return {**super().get_compile_config(), "loss": losses}

    def compile_from_config(self, config):
        config = keras.saving.deserialize_keras_object(config)
        if isinstance(config.get("loss"), TaskLosses):
            config |= config["loss"].choices
        self.compile(**config)
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self):
        return list(self._means.values())

    @property
    def trainable_variables(self):
        """Return the network's variables that are trained, and those of its weighting."""
        return [*super().trainable_variables, *(self._weighting.variables(trained=True) if self._weighting else ())]

    @property
    def weighting_state(self) -> keras.layers.Layer | None:
        """Return the weighting's state. Keras saves what a model's properties hold; its weights are the network's."""
        return self._weighting.state if self._weighting else None

    def train_step(self, data):
        images, labels, masks = self._unpacked(data)
        examples = weighed_by_class(labels, masks, self._class_weights)
        weighting, variables = self._weighting, self.trainable_variables
        before = [tf.identity(variable.value) for variable in (weighting.state.rows if weighting.state else ())]
        with tf.GradientTape(persistent=weighting.needs != "losses") as tape:
            outputs = self(images, training=True)
            # At once: as soon as replicas exchange numbers, another one's forward pass has replaced them.
            added = self.losses
            each, counts = self._sums(outputs, labels, examples)
            sums = tf.stack(each)
            # The only numbers that replicas exchange before the gradients: (T,) sums and (T,) counts.
            labelled, divisors = self._divisors(counts, images)
            present, total = labelled > 0, self._over_replicas(sums)
            means = mean_of(total, divisors)
            weights, regularizer = self._weights(tf.stop_gradient(means), present)
            # Each replica's part of the weighted means over all replicas: their gradients add up to the whole gradient.
            parts = mean_of(tf.stop_gradient(weights) * sums, divisors)  # (T,)
            penalty = self._penalty()
            terms = [penalty, *added]
            if weighting.variables(trained=True):
                terms.append(tf.reduce_sum(weights * tf.stop_gradient(means)) + regularizer)
            rest = sum(terms) / self._replicas()
            scale = self.optimizer.scale_loss
            losses_of_tasks = [scale(tf.reduce_sum(parts) + rest)]
            if weighting.needs != "losses":
                # Not of `parts`, through which every task would seem to reach every variable.
                losses_of_tasks = [scale(mean_of(task_sum, divisors[task])) for task, task_sum in enumerate(each)]
                losses_of_tasks += [scale(rest)] if tf.is_tensor(rest) else []
        # Before anything moves: the loss is that of the weights that it was computed with.
        self._means["loss"].update_state(total, divisors, labelled, self._mean_over_replicas(added), self._weighed)
        gradients = [tape.gradient(loss, variables) for loss in losses_of_tasks]
        if weighting.needs == "losses":
            gradients = self._over_replicas(filled(gradients[0], variables))
        else:
            gradients = self._combined(gradients, means, present, scale(1.0))
        self.optimizer.apply_gradients(zip(self._on_first_replica(gradients), variables, strict=True))
        weighting.follow(Step(means, present), before)
        if self._l2:
            self._means["l2"].update_state(penalty)
        return self._log(outputs, labels, (masks, examples), sums, counts)

    def test_step(self, data):
        images, labels, masks = self._unpacked(data)
        outputs = self(images, training=False)
        added = self._mean_over_replicas(self.losses)
        each, counts = self._sums(outputs, labels, masks)
        sums = tf.stack(each)
        labelled, divisors = self._divisors(counts, images)
        self._means["loss"].update_state(self._over_replicas(sums), divisors, labelled, added, self._weighed)
        if self._l2:
            self._means["l2"].update_state(self._penalty())
        return self._log(outputs, labels, (masks, masks), sums, counts)

    def _unpacked(self, data):
        """Return images (B, ...), {task: labels} and {task: masks (B,)} of a batch as Keras gives it."""
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        return images, *labels_and_masks(self.tasks, labels, weights, self._rows(images))

    @staticmethod
    def _rows(images):
        """Return the number of examples of images, which Keras also takes as {name of the input: images}."""
        return tf.shape(tf.nest.flatten(images)[0])[0]

    def _weights(self, means, present):
        """Return the weights (T,) of the losses and what the weighting adds to them.

        Where gradients are weighed instead, the loss is the plain sum, so that validation has the same.
        """
        if self._weighting.needs != "losses":
            return tf.ones_like(means), 0.0
        return self._weighting.weigh(Step(means, present)), self._weighting.regularizer(present)

    def _weighed(self, means, present):
        """Return the loss, a scalar, that these means (T,) of the tasks' losses are worth together."""
        return self._weighting.worth(means, present)

    def _combined(self, by_task, means, present, scale):
        """Return the whole gradient of every variable from that of each task, and of the rest if it is there.

        What is weighed are the gradients at the shared variables, over all replicas; those at a task's own variables
        stay as they are.
        """
        variables, tasks = self.trainable_variables, len(self.tasks)
        shared = shared_positions(by_task[:tasks])
        own = [[None if n in shared else g for n, g in enumerate(row)] for row in by_task[:tasks]] + by_task[tasks:]
        gradients = [
            tf.add_n([g for g in column if g is not None] or [tf.zeros_like(variable.value)])
            for column, variable in zip(zip(*own, strict=True), variables, strict=True)
        ]
        gradients = self._over_replicas(gradients)
        if shared:
            jacobian = self._over_replicas(rows(by_task[:tasks], variables, shared)) / scale  # (T, P)
            if self._weighting.needs == "gramian":
                weights = self._weighting.weigh(
                    Step(means, present, gramian=tf.matmul(jacobian, jacobian, transpose_b=True))
                )
                combined = tf.linalg.matvec(jacobian, weights, transpose_a=True)
            else:
                combined = self._weighting.weigh(Step(means, present, gradients=jacobian))
            for position, gradient in pieces(combined * scale, variables, shared).items():
                gradients[position] += gradient
        return gradients

    def _penalty(self):
        """Return `l2` times half the squared norm of all trained kernels, a scalar."""
        kernels = [variable for variable in self.trainable_variables if variable.name == "kernel"] if self._l2 else []
        return self._l2 * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels]) if kernels else 0.0

    @staticmethod
    def _replicas() -> int:
        context = tf.distribute.get_replica_context()
        return 1 if context is None else context.num_replicas_in_sync

    def _sums(self, outputs, labels, masks):
        """Return a list of the T tasks' summed losses and their numbers of labelled examples (T,) on this replica."""
        pairs = []
        for task in self.tasks:
            values = self._task_losses[task.name](labels[task.name], outputs[task.name])  # (B,)
            pairs.append(masked_sum(values, masks[task.name]))
        return [pair[0] for pair in pairs], tf.stack([pair[1] for pair in pairs])

    def _divisors(self, counts, images):
        """Return each task's number of labelled examples on all replicas (T,) and what its sum is divided by (T,)."""
        labelled = divisors = self._over_replicas(counts)
        if self._loss_mean == "batch":
            divisors = self._over_replicas(tf.fill(tf.shape(counts), tf.cast(self._rows(images), tf.float32)))
        return labelled, divisors

    def _over_replicas(self, values):
        """Sum a tensor, or a list of them, over all replicas: the only all_reduce of the package."""
        if self._replicas() == 1:
            return values
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    def _mean_over_replicas(self, added: list):
        """Return the sum of what layers add to the loss, its mean over all replicas."""
        return self._over_replicas(tf.add_n(added)) / self._replicas() if added else 0.0

    def _on_first_replica(self, gradients):
        """Return whole gradients on the first replica and zeros on the others.

        Keras clips before it sums over the replicas: so it clips the whole gradient, and its sum leaves that as it is.
        """
        if self._replicas() == 1:
            return gradients
        first = tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 0)
        return [gradient * tf.cast(first, gradient.dtype) for gradient in gradients]

    def logs_without_labels(self) -> list[str]:
        """Return the names of the logs of tasks that have had no label since the logs began; if none had, fail."""
        labelled = keras.ops.convert_to_numpy(self._means["loss"].labelled())
        if not labelled.any():
            names = ", ".join(task.name for task in self.tasks)
            raise UserError(
                f"no example has a label of any of the tasks {names}; expected some to evaluate the model on"
            )
        found = []
        for task in (task for task, has_labels in zip(self.tasks, labelled, strict=True) if not has_labels):
            found += [f"{task.name}_loss", self._score(task)]
            found += self._means["compiled"].names_of(task) if "compiled" in self._means else []
        return found

    def _log(self, outputs, labels, weights, sums, counts):
        """Count this batch in the epoch's masked means, each over a task's labelled examples, and return them.

        `weights` are the {task: masks (B,)} that were given, and these times the weights of the classes. As everywhere
        in Keras only losses and `weighted_metrics` are weighed; what weighs 0 as given has no label.
        """
        masks, weighed = weights
        labelled = {name: tf.cast(mask > 0, tf.float32) for name, mask in masks.items()}
        means = mean_of(sums, counts)
        for index, task in enumerate(self.tasks):
            self._means[f"{task.name}_loss"].update_state(means[index], sample_weight=counts[index])
            scores = kind_of(task).score(labels[task.name], outputs[task.name])
            self._means[self._score(task)].update_state(scores, sample_weight=labelled[task.name])
        if "compiled" in self._means:
            self._means["compiled"].update_state(labels, outputs, weighed, labelled)
        return self.get_metrics_result()
