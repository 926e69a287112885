"""DSelect-k: gates that select at most k of the experts, by steps that are smooth and so can be learned.

Source: Hazimeh, Zhao, Chowdhery, Sathiamoorthy, Chen, Mazumder, Hong and Chi, DSelect-k: differentiable selection in
the mixture of experts with applications to multi-task learning, 2021, https://arxiv.org/abs/2106.03760; the smooth
step: Hazimeh, Ponomareva, Mol, Tan and Mazumder, The tree ensemble layer, 2020, https://arxiv.org/abs/2002.07772.
"""

import keras
import numpy as np
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.models.sharing.experts import Mixture, check_count, expert, selector
from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk

# Added to a weight before its logarithm, which 0 has none of.
EPSILON = 1e-6


def smooth_step(x, gamma: float):
    """Return 0 below -gamma / 2, 1 above gamma / 2, and the cubic -2 x^3 / gamma^3 + 3 x / (2 gamma) + 1 / 2 between.

    Value and derivative are continuous.
    """
    x = ops.clip(x / gamma, -0.5, 0.5)
    return -2 * x**3 + 1.5 * x + 0.5


class Selecting(keras.regularizers.Regularizer):
    """What the points (k, m) of a gate's selectors add to the loss.

    A regularizer, as that of soft sharing, so that it is computed anew on each replica.
    """

    def __init__(self, gate: "SelectingGate"):
        self.gate = gate

    def __call__(self, points):
        selected = self.gate.selected(points)  # (k, N)
        penalty = -self.gate.entropy * ops.sum(selected * ops.log(selected + EPSILON))
        if self.gate.experts < 2**self.gate.digits:
            penalty += ops.sum(1 / ops.maximum(ops.sum(selected, axis=1), EPSILON) - 1)
        return penalty


@keras.saving.register_keras_serializable("mtl_keras")
class SelectingGate(keras.layers.Layer):
    """Weights of N experts, at most `k` of them not 0 once its steps have gone to an end: (B, D) to (B, N).

    Each of k selectors is a point z of m = ceil(log2 N) numbers, and weighs the expert whose number has the binary
    digits b by r(z) = product over j of S(z_j) if b_j, else 1 - S(z_j), with the smooth step S. The gate is their sum,
    weighed by softmax(a), the same for all examples; z and a are learned.

    Added to the loss are `entropy` times that of every selector, which drives its steps to an end, and where N is no
    power of two, 1 / (sum of r over the N experts) - 1, since the codes beyond N stand for no expert. Only when that
    has fallen to 0 do the weights sum to 1 there.
    """

    def __init__(self, experts: int, k: int, gamma: float, entropy: float, **layer_options):
        super().__init__(**{"dtype": "float32", **layer_options})
        self.experts, self.k, self.gamma, self.entropy = experts, k, gamma, entropy
        self.digits = (experts - 1).bit_length()
        self.codes = np.arange(experts)[:, None] >> np.arange(self.digits)[::-1] & 1  # (N, m)

    def build(self, input_shape):
        # In the middle of the smooth steps, where they learn best, but no two selectors alike.
        near = keras.initializers.RandomUniform(-self.gamma / 100, self.gamma / 100)
        shape = (self.k, self.digits)
        self.points = self.add_weight(name="points", shape=shape, initializer=near, regularizer=Selecting(self))
        self.logits = self.add_weight(name="logits", shape=(self.k,), initializer="random_uniform")

    def selected(self, points):
        """Return how the selectors at these points (k, m) weigh the experts, (k, N)."""
        steps = smooth_step(ops.convert_to_tensor(points), self.gamma)[:, None]  # (k, 1, m)
        return ops.prod(ops.where(self.codes == 1, steps, 1 - steps), axis=-1)

    def call(self, inputs):
        # Of a softmax of a single selector Keras would warn.
        shares = ops.exp(self.logits - ops.logsumexp(self.logits))  # (k,)
        return ops.matmul(shares, self.selected(self.points)) + ops.zeros_like(inputs[:, :1])  # (B, N)

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.experts

    # === Config ===
    def get_config(self):
        own = {"experts": self.experts, "k": self.k, "gamma": self.gamma, "entropy": self.entropy}
        return {**super().get_config(), **own}


def dselect_k(
    trunk: Trunk,
    tasks: list[str],
    settings: Settings,
    *,
    experts: int = 8,
    k: int = 2,
    gamma: float = 1.0,
    entropy: float = 1e-6,
) -> Shared:
    """Share one trunk and `experts`, of which each task's gate learns to select at most `k`, the same for all images.

    This is the paper's static gate; it has one for each example too. `gamma` is the width of the smooth steps and
    `entropy` the factor of the selectors' entropy in the loss, both as in the authors' code.
    """
    check_count("dselect_k: experts", experts, 2)
    if not 1 <= k <= experts:
        raise UserError(f"dselect_k: k is {k}; expected 1 to {experts}, the number of experts")
    if gamma <= 0 or entropy < 0:
        raise UserError(f"dselect_k: gamma is {gamma} and entropy {entropy}; expected gamma > 0 and entropy >= 0")
    network = trunk.build()

    def by_task(features) -> dict:
        made = [expert(features, settings, f"expert_{number}") for number in range(experts)]
        mixed = {}
        for task in tasks:
            gate = SelectingGate(experts, k, gamma, entropy, name=f"{task}_gate")
            mixed[task] = Mixture(task, name=f"{task}_mixture")([gate(selector(features, f"{task}_gate")), *made])
        return mixed

    return Shared([network], by_task, common=network)
