"""Soft parameter sharing: a trunk a task, whose corresponding layers are pulled together by a penalty.

Sources: Duong, Cohn, Bird and Cook, Low resource dependency parsing: cross-lingual parameter sharing in a neural
network parser, 2015, https://doi.org/10.3115/v1/P15-2139 (the squared distance); Yang and Hospedales, Trace norm
regularised deep multi-task learning, 2017, https://arxiv.org/abs/1606.04038 (the trace norm).
"""

import math
from typing import Literal

import keras
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk, dense_layers, in_turn

# Singular values below this part of a matrix's root mean square are smoothed in its trace norm, as is what rounding
# leaves of zeros.
SMALLEST_PART = 1e-3


def squared_distance(kernels: list):
    """Return half the sum of |W_s - W_t|^2 over all pairs of the T tasks' kernels, a scalar.

    It is computed as T / 2 times the sum of |W_t - M|^2, M being their mean.
    """
    mean = sum(kernels) / len(kernels)
    return len(kernels) / 2 * sum(ops.sum(ops.square(kernel - mean)) for kernel in kernels)


def trace_norm(kernels: list):
    """Return the sum of the singular values of the matrix (P, T) whose columns are the tasks' kernels, flattened.

    It is tr((G + e I)^(1/2)), G = W^T W being the Gramian of the columns and e small, and its gradient is
    W (G + e I)^(-1/2): finite where singular values are alike or zero, where that of a decomposition is not.
    """
    columns = ops.stack([ops.reshape(kernel, (-1,)) for kernel in kernels], axis=1)  # (P, T)
    gramian = ops.matmul(ops.transpose(columns), columns)  # (T, T)
    values, vectors = ops.eigh(ops.stop_gradient(gramian))
    least = SMALLEST_PART**2 * ops.mean(values) + keras.config.epsilon() ** 2
    roots = ops.sqrt(ops.maximum(values, 0.0) + least)
    inverse = ops.matmul(vectors / roots, ops.transpose(vectors))  # (G + e I)^(-1/2)
    # tr(G D^-1) / 2 + tr(D) / 2 has this value at D = (G + e I)^(1/2), and D is where it is least: so D may be held.
    return (ops.sum(gramian * inverse) + ops.sum(least / roots) + ops.sum(roots)) / 2


NORMS = {"l2": squared_distance, "trace": trace_norm}


class Pull(keras.regularizers.Regularizer):
    """What the first task's kernel of a layer adds to the loss: a strength times the norm of all tasks' kernels.

    A regularizer, since Keras computes those of its variables, in float32 and anew on each replica, when the loss asks
    for them: the forward pass, answers and exported networks know nothing of it. `own` is the one that the kernel had.
    """

    def __init__(self, others: list[keras.Variable], norm: str, strength: float, own: keras.regularizers.Regularizer):
        self.others, self.norm, self.strength, self.own = others, norm, strength, own

    def __call__(self, kernel):
        kernels = [ops.convert_to_tensor(each) for each in (kernel, *self.others)]
        added = self.strength * NORMS[self.norm](kernels)
        return added if self.own is None else added + self.own(kernel)


def pulled_together(layers: dict[str, list], image, settings: Settings, norm: str, strength: float) -> dict:
    """Return {task: its features of the image} from {task: its layers}, which correspond, and dense layers behind them.

    The kernels of all these are pulled together, and neither biases nor what batch normalization learns. One task alone
    is not pulled.
    """
    if not 0 <= strength < math.inf:
        raise UserError(f"strength {strength!r}: expected a number of at least 0")
    layers = {task: [*own, *dense_layers(settings, f"{task}_soft")] for task, own in layers.items()}
    features = {task: in_turn(own, image) for task, own in layers.items()}
    kernels = [[v for each in own for v in each.weights if v.name.endswith("kernel")] for own in layers.values()]
    for first, *others in zip(*kernels, strict=True):
        if others:
            first.regularizer = Pull(others, norm, strength, first.regularizer)
    return features


def soft(
    trunk: Trunk,
    tasks: list[str],
    settings: Settings,
    *,
    norm: Literal["l2", "trace"] = "l2",
    strength: float = 1e-3,
) -> Shared:
    """Give each task a trunk and dense layers of its own, and minimize what their kernels W_t differ by as well.

    That is, over all layers, `strength` times half the sum of |W_s - W_t|^2 over all pairs of tasks with `norm` "l2",
    or `strength` times the trace norm of the matrix of the flattened W_t with "trace". At strength 0 the tasks are on
    their own, and the greater it is the nearer comes hard sharing. The papers choose it on validation data.
    """
    networks = {task: trunk.build() for task in tasks}
    # All trunks have one name, and no two layers of a network may.
    named = {t: [keras.Model(n.inputs[0], n.outputs[0], name=f"{t}_trunk")] for t, n in networks.items()}
    return Shared([*networks.values()], lambda image: pulled_together(named, image, settings, norm, strength))
