"""What `compile` takes as all of Keras does, by task: losses of single examples, and metrics of labelled ones."""

from collections.abc import Callable, Mapping

import keras
import numpy as np
from keras import ops
from keras.src.backend import compute_output_spec
from keras.src.trainers.compile_utils import CompileMetrics

from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import Task
from mtl_keras.training.labels import by_task


@keras.saving.register_keras_serializable("mtl_keras")
class TaskLosses(keras.losses.Loss):
    """How a network makes one loss of those of its tasks, as its saved configuration holds it in the place of a loss.

    So that `keras.models.clone_model` can read it too. That makes a plain Keras network, without tasks and masks: it
    answers, and says what to do when it is to be trained.
    """

    def __init__(self, choices: dict):
        super().__init__(name="task_losses")
        self.choices = choices

    def call(self, y_true, y_pred):
        """Refuse to be the loss of a plain network."""
        raise UserError(
            "a copy by clone_model is a plain Keras network: compile it with losses of its own, or take "
            "MultiTaskModel.from_config(model.get_config()) in its place"
        )

    def get_config(self):
        return keras.saving.serialize_keras_object(self.choices)

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config))


def task_losses(tasks: list[Task], loss) -> dict[str, Callable]:
    """Return {task: function of labels and outputs (B, K) to losses (B,)}, those of the kinds where `loss` has none.

    `loss` is a loss of Keras, or one's own function, for all tasks; or {task: such a loss}.
    """
    if isinstance(loss, (Mapping, list, tuple)):
        given = by_task(tasks, loss, "loss")
    else:
        given = {task.name: loss for task in tasks}
    return {
        task.name: kind_of(task).loss if given.get(task.name) is None else _of_examples(task, given[task.name])
        for task in tasks
    }


def _of_examples(task: Task, loss) -> Callable:
    """Return a loss of Keras as a function to each example's loss (B,), once it has been tried on the task's shapes."""

    def values(labels, outputs):
        if len(labels.shape) == 1 and outputs.shape[-1] == 1:
            labels = ops.expand_dims(labels, -1)
        losses = function(labels, ops.cast(outputs, "float32"))
        return ops.mean(losses, axis=tuple(range(1, len(losses.shape)))) if len(losses.shape) > 1 else losses

    labels, outputs = zeros(task)
    rows = len(outputs)
    try:
        found = keras.losses.get(loss)
        # Called itself, a loss of Keras averages over the examples, those without a label included.
        function = found.call if isinstance(found, keras.losses.Loss) else found
        shape = tuple(values(labels, outputs).shape)
    except Exception as error:  # whatever a function of the user's raises
        given = f"labels {tuple(labels.shape)} and outputs {tuple(outputs.shape)}"
        raise UserError(f"loss {loss!r} of {task.name!r}: fails for {given} ({first_line(error)})") from None
    if shape != (rows,):
        expected = f"expected a loss for each, ({rows},)"
        raise UserError(f"loss {loss!r} of {task.name!r}: {shape} for {rows} examples; {expected}")
    if task.size == 1 and np.allclose(values(labels, outputs), values(labels, outputs + 1000.0)):
        expected = "expected a loss of numbers, such as 'mse'"
        raise UserError(f"loss {loss!r} of {task.name!r}: the same whatever number is answered; {expected}")
    return values


def zeros(task: Task):
    """Return labels and outputs of a task, all rows alike.

    There are more rows than the task has outputs, so that what would compare each with each finds shapes that differ.
    """
    rows = max(task.size, len(task.columns)) + 2
    shape = (rows, len(task.columns)) if len(task.columns) > 1 else (rows,)
    return ops.zeros(shape, kind_of(task).dtype), ops.full((rows, task.size), 1 / task.size)


def first_line(error: Exception) -> str:
    """Return what an error says, on one line and not too long."""
    return " ".join(str(error).split())[:200]


def _try_metric(metric: keras.metrics.Metric, what: str, labels, outputs) -> None:
    """Use a metric once, and forget it; an error says `what` it is.

    Some make their variables only when they are first used, which a step of several replicas cannot do.
    """

    def tried(labels, outputs, weights):
        metric.update_state(labels, outputs, weights)
        return metric.result()

    try:
        compute_output_spec(tried, labels, outputs, ops.ones(len(outputs)))
    except Exception as error:  # whatever a metric of the user's raises
        shapes = f"labels {tuple(labels.shape)} and outputs {tuple(outputs.shape)}"
        hint = (
            f"; a task of classes answers the probabilities (B, {outputs.shape[-1]})" if outputs.shape[-1] > 1 else ""
        )
        raise UserError(f"{what}: fails for {shapes}{hint} ({first_line(error)})") from None


class MaskedMetrics(CompileMetrics):
    """Keras' metrics of `compile`, over labelled examples alone, named `<task>_<metric>`.

    Those of `weighted_metrics` count an example by its weight, those of `metrics` count every labelled one alike.
    """

    def __init__(self, tasks: list[Task], metrics, weighted_metrics):
        names = [task.name for task in tasks]
        given = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        found = {what: by_task(tasks, value, what) if value else None for what, value in given.items()}
        super().__init__(found["metrics"], found["weighted_metrics"], output_names=names)
        pairs = {task.name: zeros(task) for task in tasks}
        try:
            self.build(*({name: pair[part] for name, pair in pairs.items()} for part in (0, 1)))
        except Exception as error:  # whatever Keras raises of a name that it does not know
            raise UserError(f"metrics: {first_line(error)}") from None
        for what, flat in (("metrics", self._flat_metrics), ("weighted_metrics", self._flat_weighted_metrics)):
            for of_task, task in zip(flat, tasks, strict=True):
                for metric in of_task.metrics if of_task else []:
                    _try_metric(metric, f"{what} {metric.name!r} of {task.name!r}", *pairs[task.name])

    def build(self, y_true, y_pred):
        """Make the metrics, and name their task also where it is the only one."""
        super().build(y_true, y_pred)
        for flat in (self._flat_metrics, self._flat_weighted_metrics):
            for metrics, name in zip(flat, self.output_names, strict=True):
                if metrics:
                    metrics.output_name = name

    def names_of(self, task: Task) -> list[str]:
        """Return the names by which a task's metrics may be logged."""
        position = self.output_names.index(task.name)
        of_task = [flat[position] for flat in (self._flat_metrics, self._flat_weighted_metrics) if flat[position]]
        names = [metric.name for metrics in of_task for metric in metrics.metrics]
        # Keras tells apart what is asked for in both ways.
        return [f"{task.name}_{prefix}{name}" for name in names for prefix in ("", "weighted_")]

    def update_state(self, y_true, y_pred, sample_weight=None, labelled=None):
        """Add a batch: {task: labels}, {task: outputs}, {task: weights (B,)} and {task: 1 where there is a label}."""
        if not self.built:
            self.build(y_true, y_pred)
        for position, name in enumerate(self.output_names):
            for metrics, weight in (
                (self._flat_metrics[position], labelled[name]),
                (self._flat_weighted_metrics[position], sample_weight[name]),
            ):
                if metrics:
                    metrics.update_state(y_true[name], y_pred[name], weight)
