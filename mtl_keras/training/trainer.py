"""The multi-task model: built from its parts, trained with masks, on one device or many."""

import math
from dataclasses import asdict

import keras
import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.models.layers import Luminance, ReflectedBorder
from mtl_keras.models.sharing import SHARING
from mtl_keras.tasks import Task, task_from
from mtl_keras.training import weightings
from mtl_keras.training.masked import masked_sum

LOSS_MEANS = ("labelled", "batch")


@keras.saving.register_keras_serializable("mtl_keras")
class MultiTaskModel(keras.Model):
    """One network that learns several tasks from data that labels each only in part.

    It takes images (B, S, S, 3) of 0..255, or features (B, D) with the backbone "features", and answers
    {task name: (B, K)}: probabilities of the classes or bins, or numbers in the task's unit. `shared_units` and
    `head_units` are the widths of the dense layers that the tasks share and that each has of its own; a backbone with
    branches has no others. A `border` of so
    many mirrored pixels on each side shows the trunk a face smaller than its crop; it comes on top of `image_size`.
    """

    # === Functional model ===
    def __init__(
        self,
        tasks: list[Task],
        backbone: str = "facenet",
        sharing: str = "hard",
        image_size: int | None = None,
        border: int = 0,
        shared_units: tuple[int, ...] = (512, 256),
        head_units: tuple[int, ...] = (128,),
        dropout: float = 0.3,
    ):
        for name, table, what in ((backbone, BACKBONES, "backbone"), (sharing, SHARING, "way of sharing")):
            if name not in table:
                raise UserError(f"unknown {what} {name!r}; expected one of {', '.join(table)}")
        if not tasks or len({task.name for task in tasks}) < len(tasks):
            raise UserError(f"tasks {[task.name for task in tasks]}: expected at least one, each only once")
        parts = BACKBONES[backbone]
        size = image_size or parts.image_size - 2 * border
        if border and not (parts.channels and 0 < border < size):
            raise UserError(f"border {border}: expected 0, or with images fewer pixels than their side of {size}")
        trunk = parts.build(size + 2 * border)
        if parts.channels:
            inputs = keras.Input((size, size, 3), dtype="uint8", name="image")
            # In float32: bfloat16 has too few digits for 256 levels around 127.5.
            normalize = keras.layers.Rescaling(
                1 / parts.scale, -parts.mean / parts.scale, name="normalize", dtype="float32"
            )
            normalized = normalize(inputs)
            if parts.channels == 1:
                normalized = Luminance(name="luminance", dtype="float32")(normalized)
            if border:
                normalized = ReflectedBorder(border, name="border", dtype="float32")(normalized)
        else:
            inputs = normalized = keras.Input((size,), name="features")
        features = trunk(normalized)
        names = [task.name for task in tasks]
        # A network with branches of its own fixes the dense layers too.
        shared_units, head_units = ((), ()) if parts.branch else (tuple(shared_units), tuple(head_units))
        shared = SHARING[sharing](features, names, shared_units, dropout)
        if parts.branch:
            shared = {name: parts.branch(shared[name], name, dropout) for name in names}
        outputs = {
            task.name: kind_of(task).head(shared[task.name], head_units, dropout, parts.initializer()) for task in tasks
        }
        super().__init__(inputs=inputs, outputs=outputs, name="multi_task_model")
        self.tasks, self.image_size, self.resize_method = list(tasks), size, parts.resize_method
        self.trunk, self.trunk_input, self.trunk_output = trunk, normalized, features
        self._settings = {
            "tasks": [asdict(task) for task in tasks],
            "backbone": backbone,
            "sharing": sharing,
            "image_size": size,
            "border": border,
            "shared_units": list(shared_units),
            "head_units": list(head_units),
            "dropout": dropout,
        }
        self._means = {name: keras.metrics.Mean(name) for name in ("loss", *(f"{name}_loss" for name in names))}
        self._means |= {self._score(task): keras.metrics.Mean(self._score(task)) for task in tasks}

    @staticmethod
    def _score(task: Task) -> str:
        return f"{task.name}_{kind_of(task).SCORE.name}"

    # === Config ===
    def get_config(self):
        return {**self._settings, "frozen": [layer.name for layer in self._all_layers() if not layer.trainable]}

    @classmethod
    def from_config(cls, config):
        tasks = [task_from(fields) for fields in config["tasks"]]
        settings = {name: value for name, value in config.items() if name != "frozen"}
        model = cls(**{**settings, "tasks": tasks})
        for layer in model._all_layers():
            layer.trainable = layer.name not in config.get("frozen", ())
        return model

    def _all_layers(self) -> list[keras.layers.Layer]:
        # The trunk comes before its own layers, since setting its state sets theirs.
        return [*self.layers, *self.trunk.layers]

    # === Training ===
    def compile(
        self,
        optimizer="adamw",
        weighting: str | dict[str, float] = "equal",
        loss_mean: str = "labelled",
        l2: float = 0.0,
        jit_compile=False,
    ):
        """Choose the optimizer, the weighting of the tasks, and what a task's loss is averaged over.

        `weighting` is a name of WEIGHTINGS or {task: weight}. `loss_mean` "labelled" divides a task's summed loss by
        the number of its labelled examples, "batch" by the number of all examples, counted over all replicas. `l2`
        times half the squared norm of all trained kernels is minimized as well; the log shows it as `l2`, beside the
        `loss` of the tasks.
        """
        if loss_mean not in LOSS_MEANS:
            raise UserError(f"unknown loss_mean {loss_mean!r}; expected one of {', '.join(LOSS_MEANS)}")
        if not 0 <= l2 < math.inf:
            raise UserError(f"l2 {l2!r}: expected a number of at least 0")
        self._weigh = weightings.find(weighting, [task.name for task in self.tasks])
        self._loss_mean, self._l2 = loss_mean, l2
        self._means = {name: mean for name, mean in self._means.items() if name != "l2"}
        if l2:
            self._means["l2"] = keras.metrics.Mean("l2")
        super().compile(optimizer=optimizer, jit_compile=jit_compile)
        self._choices = {"weighting": weighting, "loss_mean": loss_mean, "l2": l2, "jit_compile": jit_compile}

    def get_compile_config(self):
        if not self.compiled:
            return None
        return {"optimizer": keras.saving.serialize_keras_object(self.optimizer), **self._choices}

    def compile_from_config(self, config):
        self.compile(**{**config, "optimizer": keras.saving.deserialize_keras_object(config["optimizer"])})
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self):
        return list(self._means.values())

    def train_step(self, data):
        images, labels, masks = data
        with tf.GradientTape() as tape:
            outputs = self(images, training=True)
            sums, counts = self._sums(outputs, labels, masks)
            # The only numbers that replicas exchange before the gradients: (T,) sums and (T,) counts.
            divisors = self._divisors(counts, images)
            means = self._over_replicas(sums) / divisors
            weights = tf.stop_gradient(self._weigh(means))
            # Each replica's part of the weighted mean over all replicas: their gradients add up to the whole gradient.
            part = tf.reduce_sum(weights * sums / divisors)
            penalty = self._penalty()
            part += penalty / self._replicas()
            scaled = self.optimizer.scale_loss(part)
        variables = self.trainable_variables
        gradients = tape.gradient(scaled, variables)
        gradients = [tf.zeros_like(v.value) if g is None else g for g, v in zip(gradients, variables, strict=True)]
        self.optimizer.apply_gradients(zip(self._whole(gradients), variables, strict=True))
        if self._l2:
            self._means["l2"].update_state(penalty)
        return self._log(outputs, labels, masks, tf.reduce_sum(weights * means), sums, counts)

    def test_step(self, data):
        images, labels, masks = data
        outputs = self(images, training=False)
        sums, counts = self._sums(outputs, labels, masks)
        means = self._over_replicas(sums) / self._divisors(counts, images)
        if self._l2:
            self._means["l2"].update_state(self._penalty())
        return self._log(outputs, labels, masks, tf.reduce_sum(self._weigh(means) * means), sums, counts)

    def _penalty(self):
        """Return `l2` times half the squared norm of all trained kernels, a scalar."""
        kernels = [variable for variable in self.trainable_variables if variable.name == "kernel"] if self._l2 else []
        return self._l2 * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels]) if kernels else 0.0

    @staticmethod
    def _replicas() -> int:
        context = tf.distribute.get_replica_context()
        return 1 if context is None else context.num_replicas_in_sync

    def _sums(self, outputs, labels, masks):
        """Return the tasks' summed losses (T,) and numbers of labelled examples (T,) on this replica."""
        pairs = []
        for task in self.tasks:
            values = kind_of(task).loss(labels[task.name], outputs[task.name])  # (B,)
            pairs.append(masked_sum(values, masks[task.name]))
        return tf.stack([pair[0] for pair in pairs]), tf.stack([pair[1] for pair in pairs])

    def _divisors(self, counts, images):
        """Return what each task's sum is divided by (T,): never 0, so that a batch without a label has loss 0."""
        if self._loss_mean == "batch":
            counts = tf.fill(tf.shape(counts), tf.cast(tf.shape(images)[0], tf.float32))
        return tf.maximum(self._over_replicas(counts), 1.0)

    def _over_replicas(self, values):
        """Sum a tensor, or a list of them, over all replicas: the only all_reduce of the package."""
        if self._replicas() == 1:
            return values
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    def _whole(self, gradients):
        """Return the gradients summed over all replicas on the first replica and zeros on the others.

        Keras clips before it sums over the replicas: so it clips the whole gradient, and its sum leaves that as it is.
        """
        if self._replicas() == 1:
            return gradients
        first = tf.equal(tf.distribute.get_replica_context().replica_id_in_sync_group, 0)
        return [gradient * tf.cast(first, gradient.dtype) for gradient in self._over_replicas(gradients)]

    def _log(self, outputs, labels, masks, loss, sums, counts):
        """Count this batch in the epoch's masked means and return them as rank-1 logs.

        `loss` is the mean over the steps of what each minimized, a task's loss the mean over its labelled examples.
        Rank 1, because Keras reduces the logs of several workers along axis 0, which a scalar does not have.
        """
        self._means["loss"].update_state(loss)
        means = tf.math.divide_no_nan(sums, counts)
        for index, task in enumerate(self.tasks):
            mask = masks[task.name]
            self._means[f"{task.name}_loss"].update_state(means[index], sample_weight=counts[index])
            scores = kind_of(task).score(labels[task.name], outputs[task.name])
            self._means[self._score(task)].update_state(scores, sample_weight=mask)
        return {name: tf.reshape(mean.result(), (1,)) for name, mean in self._means.items()}

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Build the optimizer alone: the model is built already, and Keras 3.15 fails here with several workers.

        Left to the first step, the optimizer's variables would be made inside it, which fails with several replicas.
        """
        if self.optimizer is not None and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)
