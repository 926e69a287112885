"""Deep relationship networks: dense layers of each task's own, whose kernels are tied by a learned prior.

The kernels of T tasks, F x U each, are a tensor W of F features x U outputs x T tasks with a tensor-normal prior: W as
a vector is normal around 0 with the covariance S_features (x) S_outputs (x) S_tasks, a Kronecker product. The negative
logarithm of its density is minimized with the tasks' losses, and each covariance is estimated anew from the kernels as
training goes, the other two being given (the flip-flop algorithm): with W unfolded along the tasks, T x FU,

    S_tasks = W (S_features (x) S_outputs)^-1 W' / (F U) + jitter

Source: Long, Cao, Wang and Yu, Learning multiple tasks with multilinear relationship networks, 2017,
https://arxiv.org/abs/1506.02117.
"""

import math

import keras
import numpy as np
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.models.layers import SteppingLayer
from mtl_keras.models.sharing.hard import hard
from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk

AXES = ("features", "outputs", "tasks")
# Added to the diagonals of covariances, as a share of their mean variance. Large, since there are fewer kernels than it
# takes to know how many features vary together.
JITTER = 0.1


# === The tensor-normal distribution ===
def _unfolded(tensor, axis: int):
    """Return a tensor as a matrix, a row for each place along this axis: (d, D / d)."""
    return ops.reshape(ops.moveaxis(tensor, axis, 0), (tensor.shape[axis], -1))


def _whitened(tensor, axis: int, covariance):
    """Return the tensor times the inverse Cholesky factor of an axis's covariance; None is the identity."""
    if covariance is None:
        return tensor
    rows = ops.solve_triangular(ops.cholesky(covariance), _unfolded(tensor, axis), lower=True)
    others = [size for place, size in enumerate(tensor.shape) if place != axis]
    return ops.moveaxis(ops.reshape(rows, (tensor.shape[axis], *others)), 0, axis)


def log_density(tensor, covariances: list):
    """Return the logarithm of the density of a tensor, such as (F, U, T), of D numbers: a scalar.

    It is -(D log 2 pi + sum over the axes of D / d log |S| + |W whitened along all axes|^2) / 2, S (d, d) being the
    covariance of an axis of d places, or None for the identity.
    """
    size = math.prod(tensor.shape)
    total = size * math.log(2 * math.pi)
    for axis, covariance in enumerate(covariances):
        if covariance is not None:
            logarithms = ops.log(ops.diagonal(ops.cholesky(covariance)))
            total += size / tensor.shape[axis] * 2 * ops.sum(logarithms)
        tensor = _whitened(tensor, axis, covariance)
    return -0.5 * (total + ops.sum(ops.square(tensor)))


def flip_flop(tensor, covariances: list, jitter: float) -> list:
    """Return the covariances after one round of the flip-flop algorithm: each axis in turn, given the latest others.

    `jitter` times its mean variance is added to the diagonal of each. Only their product has a scale: the last axis
    takes it, and the others have a mean variance of 1. None stays None.
    """
    covariances = list(covariances)
    for axis in (axis for axis, known in enumerate(covariances) if known is not None):
        rest = tensor
        for other, covariance in enumerate(covariances):
            rest = rest if other == axis else _whitened(rest, other, covariance)
        rows = _unfolded(rest, axis)
        found = ops.matmul(rows, ops.transpose(rows)) / rows.shape[1]
        # The least keeps kernels of zeros from a covariance of zeros.
        found += (jitter * _mean_variance(found) + keras.config.epsilon()) * ops.eye(rows.shape[0])
        last = axis == len(covariances) - 1
        covariances[axis] = found if last else found / _mean_variance(found)
    return covariances


def _mean_variance(covariance):
    return ops.mean(ops.diagonal(covariance))


# === The layer ===
class Prior(keras.regularizers.Regularizer):
    """What the first task's kernel of a layer adds to the loss: that of the prior of all tasks' kernels.

    A regularizer, since Keras computes those when the loss asks for them: what a layer adds in its forward pass is lost
    where replicas exchange numbers in it, as they do to keep covariances.
    """

    def __init__(self, layer: "RelatedDense"):
        self.layer = layer

    def __call__(self, kernel):
        return self.layer.prior()


@keras.saving.register_keras_serializable("mtl_keras")
class RelatedDense(SteppingLayer):
    """A dense layer for each of T tasks: T features (B, F) to T of (B, units), tied by a prior of their kernels.

    All kernels start alike. The prior is added to the loss, and its covariances, which no gradient reaches, are
    estimated anew in every `every`-th step of training. `largest` is the most features or outputs that get a
    covariance: more have the identity. A task without a label in a step keeps its part, since the prior is about
    kernels, and not about labels.
    """

    def __init__(
        self,
        tasks: list[str],
        units: int,
        strength: float,
        every: int,
        largest: int,
        **layer_options,
    ):
        super().__init__(**layer_options)
        self.tasks, self.units, self.largest = list(tasks), units, largest
        self.strength, self.every = strength, every
        self.dense = [keras.layers.Dense(units, name=task) for task in tasks]

    def build(self, input_shape):
        for dense, shape in zip(self.dense, input_shape, strict=True):
            dense.build(shape)
            # Alike at first, as the paper's pretrained ones are: only so is an output of one task that of another.
            dense.kernel.assign(self.dense[0].kernel)
        # The same on all replicas, since their kernels are. Precise, or small covariances are no longer positive.
        fixed = {"trainable": False, "autocast": False, "aggregation": "only_first_replica"}
        sizes = zip(AXES, (input_shape[0][-1], self.units, len(self.tasks)), strict=True)
        self.covariances = [
            self.add_weight((size, size), "identity", "float32", name=axis, **fixed)
            if size <= self.largest or axis == "tasks"
            else None
            for axis, size in sizes
        ]
        self.steps = self.add_weight((), "zeros", "int32", name="steps", **fixed)
        self.dense[0].kernel.regularizer = Prior(self)

    def call(self, inputs):
        return [dense(x) for dense, x in zip(self.dense, inputs, strict=True)]

    def prior(self):
        """Return the loss that the prior adds, a scalar: a mean over the kernels' numbers."""
        kernels = self._kernels()
        return -self.strength * log_density(kernels, self._known()) / math.prod(kernels.shape)

    def _kernels(self):
        return ops.stack([ops.cast(dense.kernel, "float32") for dense in self.dense], axis=-1)  # (F, U, T)

    def _known(self) -> list:
        return [None if each is None else ops.convert_to_tensor(each) for each in self.covariances]

    def end_step(self) -> None:
        """Count a step, and estimate the covariances anew where it is time."""
        kernels, known = ops.stop_gradient(self._kernels()), self._known()
        steps = ops.convert_to_tensor(self.steps) + 1
        learned = [axis for axis, covariance in enumerate(known) if covariance is not None]
        found = ops.cond(
            ops.equal(steps % self.every, 0),
            lambda: [each for each in flip_flop(kernels, known, JITTER) if each is not None],
            lambda: [known[axis] for axis in learned],
        )
        # Outside of the condition: within it, replicas cannot write.
        self.steps.assign(steps)
        for axis, covariance in zip(learned, found, strict=True):
            self.covariances[axis].assign(covariance)

    # === Config ===
    def get_config(self):
        settings = {"units": self.units, "strength": self.strength, "every": self.every, "largest": self.largest}
        return {**super().get_config(), "tasks": self.tasks, **settings}


# === The way of sharing ===
def relationship(
    trunk: Trunk,
    tasks: list[str],
    settings: Settings,
    *,
    units: tuple[int, ...] = (256,),
    strength: float = 0.1,
    every: int = 100,
    largest: int = 512,
) -> Shared:
    """Share one trunk and the dense layers of `hard`, and give each task layers of its own whose kernels are tied.

    `units` are the widths of these (4096 in the paper, AlexNet's fc7). The last layers, which the paper ties too, have
    as many outputs as a task has classes, and stay free. `strength` times the negative log density of the kernels, for
    each of their numbers, is minimized, and the covariances are estimated in every `every`-th step. More features or
    outputs than `largest` have the identity as theirs: one of 4096 would cost more than the network.
    """
    if not units or min(units) < 1 or min(every, largest) < 1 or strength < 0:
        raise UserError(
            f"relationship: units {units}, every {every}, largest {largest}, strength {strength}: expected "
            "units, every and largest of at least 1, and a strength of at least 0"
        )
    shared = hard(trunk, tasks, settings)
    shared.refuse_maps("relationship")

    def by_task(features) -> dict:
        own = [*shared.by_task(features).values()]
        for index, width in enumerate(units):
            # In float32, as the prior is; its dense layers compute as is usual.
            related = RelatedDense(
                tasks, width, strength, every, largest, name=f"related_dense_{index}", dtype="float32"
            )
            own = [
                keras.layers.Dropout(settings.dropout, name=f"{task}_related_dropout_{index}")(
                    keras.layers.LeakyReLU(0.1, name=f"{task}_related_leaky_relu_{index}")(x)
                )
                for task, x in zip(tasks, related(own), strict=True)
            ]
        return dict(zip(tasks, own, strict=True))

    return Shared(shared.trunks, by_task, shared.common)


def task_covariance(model: keras.Model) -> tuple[list[str], np.ndarray] | None:
    """Return the tasks' names and their learned covariance (T, T), of the last layer that has one; None without one."""
    for layer in reversed(model.layers):
        if isinstance(layer, RelatedDense):
            return list(layer.tasks), ops.convert_to_numpy(layer.covariances[-1])
    return None
