"""Labels as Keras' users give them, made labels and masks: missing ones, blanks, weights of examples and of classes."""

from collections.abc import Mapping

import tensorflow as tf

from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.tasks import Task


def by_task(tasks: list[Task], given, what: str) -> dict:
    """Return {task: what is given for it}, of a dictionary, of a list in the order of the tasks, or of the only task.

    `what` names it in errors.
    """
    names = [task.name for task in tasks]
    if isinstance(given, (list, tuple)) and len(given) == len(names):
        return dict(zip(names, given, strict=True))
    if len(names) == 1 and given is not None and not isinstance(given, Mapping):
        return {names[0]: given}
    if not isinstance(given, Mapping):
        came = f"{len(given)} entries" if isinstance(given, (list, tuple)) else f"a {type(given).__name__}"
        raise UserError(f"{what}: got {came}; expected {{task: ...}} of some of the tasks {', '.join(names)}")
    if unknown := [name for name in given if name not in names]:
        raise UserError(f"{what}: unknown task {unknown[0]!r}; expected some of {', '.join(names)}")
    return dict(given)


def labels_and_masks(tasks: list[Task], labels, weights, rows) -> tuple[dict, dict]:
    """Return {task: labels (B,) or (B, D)} and {task: masks (B,)} of a batch of `rows` examples.

    A task that `labels` lacks has mask 0. So has a blank: NaN, or for a task of classes any negative number. `weights`
    are {task: weights}, where a task that is missing has weight 1, or one tensor for all tasks, or None; (B,) or
    (B, 1). A mask is the weight of an example, 1 where there is none: pipelines give masks in their place.
    """
    given = by_task(tasks, labels, "labels")
    if weights is None or isinstance(weights, (Mapping, list, tuple)):
        weights = by_task(tasks, {} if weights is None else weights, "sample_weight")
    else:
        weights = {task.name: weights for task in tasks}
    found, masks = {}, {}
    for task in tasks:
        if given.get(task.name) is None:
            shape = (rows, len(task.columns)) if len(task.columns) > 1 else (rows,)
            found[task.name], masks[task.name] = tf.zeros(shape, kind_of(task).dtype), tf.zeros((rows,))
            continue
        found[task.name], present = encoded(task, given[task.name])
        weight = weights.get(task.name)
        mask = tf.ones((rows,)) if weight is None else tf.reshape(tf.cast(weight, tf.float32), (-1,))
        masks[task.name] = tf.where(present, mask, 0.0)
    return found, masks


def encoded(task: Task, labels):
    """Return a task's labels as its kind takes them, 0 where they are blank, and where they are not, (B,) bool."""
    labels, kind, width = tf.convert_to_tensor(labels), kind_of(task), len(task.columns)
    if kind.intervals and (labels.shape.rank is None or labels.shape.rank == 2 and labels.shape[1] is None):
        # Keras traces once for numbers and intervals alike; a number is the interval from it to itself.
        rows = tf.shape(labels)[0]
        labels = tf.reshape(tf.broadcast_to(tf.reshape(labels, (rows, -1)), (rows, 2)), (-1, 2))
    shape = labels.shape
    if kind.intervals and shape.rank == 2 and shape[1] == 2:
        width = 2
    if shape.rank is not None and not (shape.rank == 2 and shape[1] == width or shape.rank == width == 1):
        expected = f"(B, {width})" if width > 1 else "(B,) or (B, 1)"
        raise UserError(f"labels of {task.name!r}: shape {tuple(shape)}; expected {expected}")
    if not (labels.dtype.is_floating or labels.dtype.is_integer or labels.dtype.is_bool):
        came = f"labels of {task.name!r}: {labels.dtype.name}"
        raise UserError(f"{came}; expected {'indices of the classes' if kind.names else 'numbers'}")
    labels = tf.reshape(labels, (-1, width))
    blank = tf.math.is_nan(labels) if labels.dtype.is_floating else tf.zeros_like(labels, tf.bool)
    if kind.names and not labels.dtype.is_bool and not labels.dtype.is_unsigned:
        blank |= labels < 0
    labels = tf.cast(tf.where(blank, tf.zeros_like(labels), labels), kind.dtype)
    if task.classes:
        last = len(task.classes) - 1
        expected = f"expected indices 0 to {last} of {', '.join(task.classes)}, or -1 or NaN where there is none"
        # Without it the loss of such a label would be 0.
        check = tf.debugging.assert_less_equal(labels, last, message=f"labels of {task.name}: {expected}")
        with tf.control_dependencies([check] if check is not None else []):
            labels = tf.identity(labels)
    return (labels[:, 0] if width == 1 else labels), ~tf.reduce_any(blank, axis=-1)


def class_weights_of(tasks: list[Task], class_weight: Mapping | None) -> dict[str, tuple[float, ...]]:
    """Return {task: weights of its classes (K,)} of {task: {class: weight}}, or of the task's own `class_weights`.

    A class is given by its index or by its name; one that is missing weighs 1. Tasks without such weights are left out.
    Of the only task {class: weight} is enough.
    """
    if isinstance(class_weight, Mapping) and not any(isinstance(each, Mapping) for each in class_weight.values()):
        if len(tasks) == 1:
            class_weight = {tasks[0].name: class_weight}
        elif not {task.name for task in tasks}.issuperset(class_weight):
            names = ", ".join(task.name for task in tasks)
            raise UserError(
                f"class_weight: got {class_weight}; expected {{task: {{class: weight}}}} of some of the tasks {names}"
            )
    given = {} if class_weight is None else by_task(tasks, class_weight, "class_weight")
    found = {}
    for task in tasks:
        weights = given.get(task.name)
        if weights is None:
            if task.class_weights:
                found[task.name] = task.class_weights
            continue
        known = {*range(len(task.classes)), *task.classes}
        if not task.classes or not isinstance(weights, Mapping) or not known.issuperset(weights):
            raise UserError(
                f"class_weight of {task.name!r}: {weights}; expected {{class: weight}} of "
                f"{', '.join(task.classes) or 'a task that has classes'}"
            )
        found[task.name] = tuple(
            float(weights.get(index, weights.get(name, 1.0))) for index, name in enumerate(task.classes)
        )
    return found


def weighed_by_class(labels: dict, masks: dict, class_weights: dict[str, tuple[float, ...]]) -> dict:
    """Return the masks, each times the weight of the example's class."""
    weights = {name: tf.gather(tf.constant(by_class), labels[name]) for name, by_class in class_weights.items()}
    return {name: mask * weights[name] if name in weights else mask for name, mask in masks.items()}
