"""Training of several tasks with masks, on one device or many."""

import keras
import tensorflow as tf

from mtl_keras.data.pipeline import fills_batches
from mtl_keras.data.worker_rows import FILLING
from mtl_keras.kinds import kind_of
from mtl_keras.models.layers import stepping_layers
from mtl_keras.models.normalization import counting
from mtl_keras.models.replicas import over_replicas, replicas
from mtl_keras.tasks import Task
from mtl_keras.training.compiling import Compiling
from mtl_keras.training.epoch_loss import EpochLoss
from mtl_keras.training.labels import class_weights_of, labels_and_masks, weighed_by_class
from mtl_keras.training.masked import mean_of
from mtl_keras.training.parts import Examples, in_parts, with_a_row
from mtl_keras.training.replicas import all_finite, apply_whole, assign, either
from mtl_keras.training.weightings.weighting import Step


class Trainer(Compiling):
    """A network of several tasks, and how it is trained on data that labels each only in part.

    It answers {task name: (B, K)}. `features`, a tensor of the network, are those that all tasks read, or None.
    """

    def __init__(self, tasks: list[Task], inputs, outputs: dict, name: str, features=None):
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.tasks, self._weighting, self._tensors = list(tasks), None, (inputs, features, outputs)
        self._class_weights = class_weights_of(self.tasks, None)
        self._only_reader = _only_readers(inputs, [outputs[task.name] for task in tasks])
        self._means = {"loss": EpochLoss(len(tasks))}
        self._means |= {f"{task.name}_loss": keras.metrics.Mean(f"{task.name}_loss") for task in tasks}
        self._means |= {self._score(task): keras.metrics.Mean(self._score(task)) for task in tasks}

    @staticmethod
    def _score(task: Task) -> str:
        return f"{task.name}_{kind_of(task).SCORE.name}"

    @property
    def metrics(self):
        return list(self._means.values())

    # === Steps ===
    def train_step(self, data):
        images, labels, masks, counted = self._unpacked(data)
        examples = Examples(images, labels, [weighed_by_class(labels, masks, self._class_weights)], counted)
        weighting, variables = self._weighting, self.trainable_variables
        state = [tf.identity(variable.value) for variable in weighting.variables()]
        # What a forward pass changes, such as a batch norm's averages.
        averages = [variable for variable in self.non_trainable_variables if "float" in variable.dtype]
        before = [tf.identity(variable.value) for variable in averages]
        counts = self._counts(examples)
        labelled, divisors = self._divisors(counts, examples)
        passed = self.differentiated(examples, divisors, labelled > 0)
        step, added = passed.step, over_replicas(passed.added) / replicas()
        penalty, of_rest = self._rest(step)
        gradients = [g if rest is None else g + rest for g, rest in zip(passed.gradients, of_rest, strict=True)]
        gradients = self._of_present(gradients, labelled > 0)
        finite = all_finite([step.losses, penalty, added])
        taken = finite & all_finite(gradients)
        # A loss scale lowers itself where gradients are infinite, and leaves the step out for that.
        if not isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            finite = taken
        # Before anything moves: the loss is that of the weights that it was computed with.
        seen = [tf.where(finite, each, tf.zeros_like(each)) for each in (step.losses * divisors, divisors, labelled)]
        self._means["loss"].update_state(*seen, tf.where(finite, added, 0.0), self._weighting.worth)
        either(
            finite,
            lambda values: apply_whole(self.optimizer, values, variables),
            lambda values: assign(averages, values),
            gradients,
            before,
        )
        for layer in stepping_layers(self):
            held = [tf.identity(variable.value) for variable in layer.non_trainable_variables]
            layer.end_step()
            moved = [tf.where(taken, v.value, old) for v, old in zip(layer.non_trainable_variables, held, strict=True)]
            assign(layer.non_trainable_variables, moved)
        if weighting.looks_again:
            once = [tf.identity(variable.value) for variable in averages]
            step = step._replace(after=self._losses_again(examples, divisors))
            assign(averages, once)
        weighting.follow(step, taken, state)
        self.skipped_steps.update_state(finite, step.losses)
        if self._l2:
            self._means["l2"].update_state(tf.where(finite, penalty, 0.0), sample_weight=tf.cast(finite, "float32"))
        # Of a step that is skipped nothing counts.
        kept = (passed.outputs, (masks, examples.weights[0]), passed.sums, counts)
        outputs, weights, sums, counts = tf.nest.map_structure(lambda x: tf.where(finite, x, tf.zeros_like(x)), kept)
        return self._log(outputs, labels, weights, sums, counts)

    def test_step(self, data):
        images, labels, masks, counted = self._unpacked(data)
        examples = Examples(images, labels, [masks], counted)
        outputs = self(images, training=False)
        added = over_replicas(tf.add_n([tf.zeros(()), *self.losses])) / replicas()
        sums, counts = tf.stack(self.summed_losses(outputs, examples)), self._counts(examples)
        labelled, divisors = self._divisors(counts, examples)
        self._means["loss"].update_state(over_replicas(sums), divisors, labelled, added, self._weighting.worth)
        if self._l2:
            self._means["l2"].update_state(self._penalty())
        return self._log(outputs, labels, (masks, masks), sums, counts)

    def end_weighting_epoch(self) -> None:
        """Let the weighting follow an epoch, whose mean losses are those since the last reset."""
        if self._weighting.end_epoch is None:
            return
        losses, present = self._means["loss"].means()
        before = [tf.identity(variable.value) for variable in self._weighting.variables()]
        self._weighting.end_epoch(losses, present)
        self._weighting.put_back(present, tf.constant(True), before)

    def _unpacked(self, data):
        """Return a batch of Keras as images (B, ...), {task: labels}, {task: masks (B,)}, and which rows count."""
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        labels, masks = labels_and_masks(self.tasks, labels, weights, Examples(images, labels, []).rows())
        if replicas() == 1 and not fills_batches():
            return images, labels, masks, ()
        # The last batch of an epoch may have fewer rows than there are replicas.
        images, labels, masks = *with_a_row((images, labels)), with_a_row(masks, FILLING)
        fills = tf.reduce_any(tf.stack([*masks.values()]) < 0, axis=0)
        masks = {name: tf.maximum(mask, 0.0) for name, mask in masks.items()}
        return images, labels, masks, (tf.cast(~fills, tf.float32),)

    def _penalty(self):
        """Return `l2` times half the squared norm of all trained kernels, a scalar."""
        kernels = [variable for variable in self.trainable_variables if variable.name == "kernel"] if self._l2 else []
        return self._l2 * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels]) if kernels else 0.0

    def _rest(self, step: Step) -> tuple:
        """Return the penalty on kernels, and the gradients of it and of the weighting's own variables, None for none.

        They are the same on all replicas, and as large as the optimizer's scale of losses makes all others.
        """
        with tf.GradientTape() as tape:
            penalty = self._penalty()
            rest = penalty
            if self._weighting.variables(trained=True):
                weights = self._weighting.weigh(step)
                rest += tf.reduce_sum(weights * step.losses) + self._weighting.regularizer(step.present)
            rest = self.optimizer.scale_loss(tf.convert_to_tensor(rest))
        return tf.convert_to_tensor(penalty), tape.gradient(rest, self.trainable_variables)

    def _of_present(self, gradients: list, present) -> list:
        """Return the gradients, one a variable, with zeros where only a task that is not present reads the variable.

        Its losses have none there, but what layers add to the loss and the penalty on kernels may have.
        """
        found = []
        for variable, gradient in zip(self.trainable_variables, gradients, strict=True):
            reader = self._only_reader.get(id(variable))
            found.append(gradient if reader is None else tf.where(present[reader], gradient, tf.zeros_like(gradient)))
        return found

    def _losses_again(self, examples: Examples, divisors):
        """Return the tasks' mean losses (T,) of the same examples, after a step."""

        def function(part):
            with counting(*part.counted):
                outputs = self(part.images, training=True)
            return outputs, self.summed_losses(outputs, part)

        _, sums = in_parts(examples, self._accumulate, function)
        return mean_of(over_replicas(tf.stack(sums)), divisors)

    def _counts(self, examples: Examples):
        """Return the tasks' numbers of labelled examples on this replica (T,), each counted by its weight."""
        return tf.stack([tf.reduce_sum(examples.weights[0][task.name]) for task in self.tasks])

    def _divisors(self, counts, examples: Examples):
        """Return each task's number of labelled examples on all replicas (T,) and what its sum is divided by (T,)."""
        labelled = divisors = over_replicas(counts)
        if self._loss_mean == "batch":
            divisors = over_replicas(tf.fill(tf.shape(counts), examples.number()))
        return labelled, divisors

    def logs_without_labels(self) -> list[str]:
        """Return the names of the logs of tasks that have had no label since the logs began."""
        labelled, found = keras.ops.convert_to_numpy(self._means["loss"].labelled()), []
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


def _only_readers(inputs, outputs: list) -> dict[int, int]:
    """Return {id of a variable: number of the output}, for those of which one of a network's outputs alone depends."""
    readers: dict[int, list[int]] = {}
    for number, output in enumerate(outputs):
        for variable in keras.Model(inputs, output).weights:
            readers.setdefault(id(variable), []).append(number)
    return {key: numbers[0] for key, numbers in readers.items() if len(numbers) == 1}
