"""How a network of several tasks is compiled: with a weighting, and where and how its gradients are taken."""

import math
from collections.abc import Callable
from numbers import Integral

import keras
import tensorflow as tf

from mtl_keras.choices import name_of
from mtl_keras.data.pipeline import fills_batches
from mtl_keras.errors import UserError
from mtl_keras.models.normalization import synchronize_norms
from mtl_keras.training import weightings
from mtl_keras.training.compiled import MaskedMetrics, TaskLosses, task_losses
from mtl_keras.training.gradients import GRADIENTS_AT, TaskGradients
from mtl_keras.training.labels import by_task
from mtl_keras.training.skipped import SkippedSteps
from mtl_keras.training.task_gradients import shared_positions
from mtl_keras.training.weightings.weighting import Weighting

LOSS_MEANS = ("labelled", "batch")


class Compiling(TaskGradients):
    """A network of several tasks that is compiled as Keras' models are, and saved with what it was compiled with."""

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
        gradients_at: str = "parameters",
        accumulate: int = 1,
        sync_batch_norm: bool = True,
    ):
        """Choose the optimizer, the weighting of the tasks, and what a task's loss is averaged over.

        `weighting` is a name of WEIGHTINGS, {task: weight}, or a `Weighting` (a model compiled with one is saved
        uncompiled); `loss_weights` is another name for {task: weight}. `loss_mean` "labelled" divides a task's summed
        loss by the number of its labelled examples, "batch" by the number of all examples, counted over all replicas;
        the logged losses of the tasks are means over their labelled examples either way.
        `l2` times half the squared norm of all trained kernels is minimized as well; the log shows it as `l2`, beside
        the `loss` of the tasks. What layers add by `add_loss` is minimized too.
        `gradients_at` "parameters" lets a weighting of gradients see those at all variables that tasks share, with one
        backward pass a task; "features" those at the features that all tasks read, with one pass through the trunk
        (Sener and Koltun, 2018, https://arxiv.org/abs/1810.04650). `accumulate` takes each batch in so many parts, one
        after the other, which needs less memory and gives the same step, but for batch norms, which see a part.
        `sync_batch_norm` lets batch norms take the statistics of all replicas' rows; one replica pays nothing for it.

        All others are as in `keras.Model.compile`: a `loss` of Keras, for all tasks or {task: loss}, takes the place of
        the kinds' own; `metrics` and `weighted_metrics` are {task: metrics}, of labelled examples alone too.
        """
        _check(loss_mean, l2, gradients_at, accumulate)
        if loss_weights is not None and weighting != "equal":
            raise UserError("got loss_weights and weighting: loss_weights are a weighting themselves; give only one")
        if isinstance(loss, str) and name_of(loss) in weightings.WEIGHTINGS:
            raise UserError(f"loss {loss!r} is a way of weighting; expected weighting={loss!r}")
        chosen = weighting if loss_weights is None else by_task(self.tasks, loss_weights, "loss_weights")
        self._task_losses = task_losses(self.tasks, loss)
        with self.distribute_strategy.scope():
            synchronize_norms(self, sync_batch_norm)
            self._gradients_at, self._accumulate, self._size = gradients_at, int(accumulate), None
            self._weighting = self._found(chosen)
            if self._weighting.needs == "gramian":
                _check_compiler(chosen, jit_compile)
            self._skipped = (SkippedSteps(len(self.tasks)),)
            asked = MaskedMetrics(self.tasks, metrics, weighted_metrics) if metrics or weighted_metrics else None
        self._loss_mean, self._l2 = loss_mean, l2
        self._means = {name: mean for name, mean in self._means.items() if name not in ("l2", "compiled")}
        if l2:
            self._means["l2"] = keras.metrics.Mean("l2")
        if asked:
            self._means["compiled"] = asked
        others = run_eagerly, steps_per_execution, jit_compile
        super().compile(optimizer, loss, loss_weights, metrics, weighted_metrics, *others)
        self._choices = {"loss": loss, "weighting": weighting, "loss_mean": loss_mean, "l2": l2}
        self._choices |= {"gradients_at": gradients_at, "accumulate": accumulate, "sync_batch_norm": sync_batch_norm}

    def _found(self, chosen) -> Weighting:
        """Return the weighting that is chosen, checked against where gradients are taken."""
        names = [task.name for task in self.tasks]
        numbers = tuple(task.name for task in self.tasks if not task.classes and not task.values)
        if self._gradients_at == "parameters":
            return weightings.find(chosen, names, self.shared_size, numbers)

        def no_size() -> int:
            raise UserError(
                f"weighting {chosen!r} keeps a state of the shared parameters: take gradients_at='parameters'"
            )

        found = weightings.find(chosen, names, no_size, numbers)
        reason = None
        if found.needs == "losses":
            reason = f"weighting {chosen!r} needs no gradients"
        elif not self.has_common_features():
            reason = "in this way of sharing there are no features that all tasks read"
        elif self._accumulate > 1:
            reason = "a batch in parts has its features in parts too"
        if reason:
            raise UserError(f"gradients_at 'features': {reason}; take 'parameters'")
        return found

    def load_weights(self, filepath, skip_mismatch=False, by_name=False):
        """Read weights as `keras.Model.load_weights` does, with the state of the weighting they were trained with."""
        try:
            super().load_weights(filepath, skip_mismatch, **({"by_name": True} if by_name else {}))
        except ValueError as error:
            if "name=weighting_state" not in str(error):
                raise
            weighting = self._choices["weighting"]
            raise UserError(
                f"{filepath}: has no state of weighting {weighting!r}; compile the model with that which the file was "
                "saved with, or give skip_mismatch=True to go on with the weights alone"
            ) from None

    def has_common_features(self) -> bool:
        """Return whether there are features that all tasks read, though what makes them may be frozen."""
        return self._tensors[1] is not None

    def front_and_back(self) -> tuple[Callable, keras.Model]:
        """Return the network up to the features that all tasks read, and what makes their answers of these."""
        # As they were given: a model that begins in the middle of another has tensors of its own.
        inputs, features, outputs = self._tensors
        back = keras.Model(features, outputs)
        if features is inputs:
            return lambda given, training: tf.identity(given), back
        return keras.Model(inputs, features), back

    def shared_size(self) -> int:
        """Return the number of values in all variables that at least two tasks' answers depend on."""
        variables, found = super().trainable_variables, []

        def look() -> None:
            with tf.GradientTape(persistent=True) as tape:
                outputs = self(tf.zeros((1, *self.inputs[0].shape[1:])))
                sums = [tf.reduce_sum(outputs[task.name]) for task in self.tasks]
            found.append(shared_positions([tape.gradient(each, variables) for each in sums]))

        # Only on a replica can mirrored variables be differentiated.
        self.distribute_strategy.run(look)
        self._size = sum(math.prod(variables[position].shape) for position in found[0])
        return self._size

    def check_size(self, size: int) -> None:
        """Refuse gradients of another size than that for which the weighting keeps a state."""
        if self._size not in (None, size):
            raise UserError(
                f"the weighting keeps a state of {self._size} shared parameters, and {size} are trained: compile the "
                "model anew after changing which layers are trained"
            )

    @property
    def skipped_steps(self) -> SkippedSteps:
        """Return the count of training steps that were skipped, since their loss or gradients were no numbers."""
        return self._skipped[0]

    def get_compile_config(self):
        # A weighting of the user's own has no name by which it could be found again.
        if not self.compiled or isinstance(self._choices["weighting"], Weighting):
            return {}
        losses = keras.saving.serialize_keras_object(TaskLosses(self._choices))
        return {**super().get_compile_config(), "loss": losses}

    def compile_from_config(self, config):
        config = keras.saving.deserialize_keras_object(config)
        if isinstance(config.get("loss"), TaskLosses):
            config |= config["loss"].choices
        self.compile(**config)
        self.optimizer.build(self.trainable_variables)

    @property
    def trainable_variables(self):
        """Return the network's variables that are trained, and those of its weighting."""
        return [*super().trainable_variables, *(self._weighting.variables(trained=True) if self._weighting else ())]

    @property
    def weighting_state(self) -> keras.layers.Layer | None:
        """Return the weighting's state. Keras saves what a model's properties hold; its weights are the network's."""
        return self._weighting.state if self._weighting else None


def _check_compiler(weighting: object, jit_compile: bool | str) -> None:
    """Refuse a weighting that NumPy computes where XLA is to compile the training step."""
    if jit_compile is True or fills_batches():
        asked = "jit_compile" if jit_compile is True else "on a TPU"
        way_out = "leave it" if jit_compile is True else "choose a weighting of losses, or train on GPUs"
        raise UserError(f"{asked}: XLA cannot compile weighting {weighting!r}, which NumPy computes; {way_out}")


def _check(loss_mean: str, l2: float, gradients_at: str, accumulate: int) -> None:
    """Refuse what none of the choices can be."""
    if loss_mean not in LOSS_MEANS:
        raise UserError(f"unknown loss_mean {loss_mean!r}; expected one of {', '.join(LOSS_MEANS)}")
    if not 0 <= l2 < math.inf:
        raise UserError(f"l2 {l2!r}: expected a number of at least 0")
    if gradients_at not in GRADIENTS_AT:
        raise UserError(f"unknown gradients_at {gradients_at!r}; expected one of {', '.join(GRADIENTS_AT)}")
    if not isinstance(accumulate, Integral) or isinstance(accumulate, bool) or accumulate < 1:
        raise UserError(f"accumulate {accumulate!r}: expected the number of parts of a batch, at least 1")
