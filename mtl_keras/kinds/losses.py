"""Per-example losses, and their sums over the examples that have a label."""

from keras import ops

from mtl_keras.tasks import Task

# Keeps log() finite in float32 and its gradient alive: p * (1 / p) is still 1 there.
SMALLEST_PROBABILITY = 1e-30


def cross_entropy(labels, probabilities, smallest=SMALLEST_PROBABILITY):
    """Return -log of the labelled class' probability, (B,) from class indices (B,) and probabilities (B, K)."""
    one_hot = ops.one_hot(ops.cast(labels, "int32"), probabilities.shape[-1])  # (B, K)
    return soft_cross_entropy(one_hot, probabilities, smallest)


def soft_cross_entropy(targets, probabilities, smallest=SMALLEST_PROBABILITY):
    """Return the cross-entropy (B,) of probabilities (B, K) against target distributions (B, K).

    Probabilities below `smallest` are raised to it before the logarithm.
    """
    return -ops.sum(targets * ops.log(ops.maximum(probabilities, smallest)), axis=-1)


def label_distribution(labels, values, std):
    """Return Gaussians (B, K) of standard deviation `std` around labels (B,) on the bins `values` (K,); 0 is one-hot.

    Source: Gao et al., Deep label distribution learning with label ambiguity, 2017.
    """
    values = ops.convert_to_tensor(values, "float32")
    distance = ops.expand_dims(labels, -1) - values  # (B, K)
    if not std:
        return ops.one_hot(ops.argmin(ops.abs(distance), axis=-1), values.shape[0])
    return ops.softmax(-0.5 * ops.square(distance / std), axis=-1)


def expectation_error(labels, values, probabilities):
    """Return |expected value - label| (B,) of probabilities (B, K) of the bins `values` (K,), in the bins' unit.

    Source: Gao et al., Age estimation using expectation of label distribution learning, 2018.
    """
    return ops.abs(ops.matmul(probabilities, ops.convert_to_tensor(values, "float32")) - labels)


def squared_error(labels, predictions, scale=1.0):
    """Return the squared error (B,) of predictions (B, D) in units of `scale`, averaged over the D outputs."""
    labels = ops.reshape(labels, ops.shape(predictions))
    return ops.mean(ops.square((predictions - labels) / scale), axis=-1)


def per_example(task: Task, labels, outputs):
    """Return the loss (B,) of each example: labels (B,) or (B, D), outputs (B, K) as the task's head gives them."""
    outputs = ops.cast(outputs, "float32")
    if task.kind == "categorical":
        return cross_entropy(labels, outputs)
    if task.kind == "expectation":
        loss = soft_cross_entropy(label_distribution(labels, task.values, task.label_std), outputs)
        return loss + task.error_weight * expectation_error(labels, task.values, outputs) if task.error_weight else loss
    return squared_error(labels, outputs, task.scale)


def masked_sum(values, mask):
    """Return the sum of values (B,) where mask (B,) is 1, and how many those are.

    Not (values * mask): a masked example whose value is not finite must still count as removed.
    """
    mask = ops.cast(mask, "float32")
    return ops.sum(ops.where(mask > 0, values, 0.0) * mask), ops.sum(mask)
