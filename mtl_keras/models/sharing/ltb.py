"""Learning to branch: several copies of each stage of the trunk, and a tree through them that is learned.

Source: Guo, Lee and Ulbricht, Learning to branch for multi-task learning, 2020, https://arxiv.org/abs/2006.01895.
"""

import math

import keras
import numpy as np
from keras import ops

from mtl_keras.errors import UserError
from mtl_keras.models.layers import SteppingLayer
from mtl_keras.models.sharing.sharing import Settings, Shared, Trunk, cut


@keras.saving.register_keras_serializable("mtl_keras")
class Branching(SteppingLayer):
    """Gives each of several `children` the features of one of P parents, tensors of one shape, and learns of which.

    In training child c gets the sum over all parents p of softmax((scores[c] + noise[c]) / T)[p] times the features of
    p, with noise of the standard Gumbel distribution, drawn anew in each step. The temperature T is `temperature` over
    the square root of the number of the step, and at least `lowest_temperature`: the choice gets ever harder. Otherwise
    the child gets the features of the parent with the highest score.
    """

    def __init__(self, children: int, temperature: float, lowest_temperature: float, **layer_options):
        super().__init__(**layer_options)
        self.children, self.temperature, self.lowest_temperature = children, temperature, lowest_temperature
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        shape = self.children, len(input_shape)
        self.scores = self.add_weight(name="scores", shape=shape, initializer="zeros", autocast=False)
        # float32 counts exactly up to 16 million steps.
        self.steps = self.add_weight(name="steps", shape=(), initializer="zeros", trainable=False, autocast=False)

    def call(self, inputs, training=False):
        if training:
            temperature = ops.maximum(self.temperature / ops.sqrt(self.steps + 1.0), self.lowest_temperature)
            chance = keras.random.uniform(self.scores.shape, 1e-7, 1.0, "float32", seed=self.seed_generator)
            scores = (self.scores - ops.log(-ops.log(chance))) / temperature
            # Of a softmax of a single parent Keras would warn.
            choice = ops.exp(scores - ops.logsumexp(scores, axis=-1, keepdims=True))
        else:
            # The first of the highest; Keras' argmax looks at bits, for which OpenVINO has no operation.
            best = ops.cast(self.scores == ops.max(self.scores, axis=-1, keepdims=True), "float32")
            choice = best * ops.cast(ops.cumsum(best, axis=-1) == 1, "float32")
        choice = ops.cast(choice, inputs[0].dtype)  # (children, P)
        return [sum(row[parent] * x for parent, x in enumerate(inputs)) for row in ops.unstack(choice)]

    def end_step(self) -> None:
        self.steps.assign(self.steps + 1.0)

    def compute_output_spec(self, inputs, training=False):
        return [keras.KerasTensor(inputs[0].shape, inputs[0].dtype) for _ in range(self.children)]

    def parents(self) -> list[int]:
        """Return the parent that each child chooses, counted from 0."""
        return np.argmax(ops.convert_to_numpy(self.scores), axis=-1).tolist()

    # === Saving ===
    def save_own_variables(self, store):
        super().save_own_variables(store)
        # Keras leaves it out, and training that goes on would draw again what it drew at the start.
        store["seed"] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store):
        store = {name: store[name] for name in store.keys()}  # noqa: SIM118 (no mapping, if it is a file)
        self.seed_generator.state.assign(store.pop("seed"))
        super().load_own_variables(store)

    def get_config(self):
        settings = {"children": self.children, "temperature": self.temperature}
        return {**super().get_config(), **settings, "lowest_temperature": self.lowest_temperature}


def ltb(
    trunk: Trunk,
    tasks: list[str],
    settings: Settings,
    *,
    copies: int | None = None,
    temperature: float = 10.0,
    lowest_temperature: float = 0.1,
) -> Shared:
    """Build copies of the trunk, each of whose stages chooses a copy of the stage before it, as tasks do of the last.

    There are as many `copies` as tasks unless given. The choices are learned with the rest, as `Branching` says; the
    report tells the tree. In the paper the tree is then trained anew from the start, which is left to the user here.
    """
    count = len(tasks) if copies is None else copies
    if count < 1 or not 0 < lowest_temperature <= temperature < math.inf:
        raise UserError(
            f"ltb: copies {count}, temperature {temperature}, lowest_temperature {lowest_temperature}: expected at "
            "least 1 copy, and a lowest temperature above 0 and at most the temperature"
        )
    networks = [trunk.build() for _ in range(count)]
    stages = trunk.backbone.cuts(networks[0])
    parts = [cut(network, stages, f"copy_{number}") for number, network in enumerate(networks, 1)]
    branchings: list[Branching] = []

    def chosen(features: list, children: int, name: str) -> list:
        branchings.append(Branching(children, temperature, lowest_temperature, name=name))
        return branchings[-1](features)

    def by_task(image) -> dict:
        features = [image] * count
        for number, level in enumerate(zip(*parts, strict=True), 1):
            # What learns nothing, such as a pooling behind the last stage, belongs to the stage before it.
            if number > 1 and level[0].weights:
                features = chosen(features, count, f"branching_{number}")
            features = [part(x) for part, x in zip(level, features, strict=True)]
        return dict(zip(tasks, chosen(features, len(tasks), "branching_tasks"), strict=True))

    return Shared(networks, by_task, report=lambda: tree_text(tree([each.parents() for each in branchings], tasks)))


def tree(parents: list[list[int]], tasks: list[str]) -> list[dict[int, list[str]]]:
    """Return for each stage, from the first, the copies that are used, each with the tasks whose way leads through it.

    `parents` are the choices between each stage and the next, and last those of the tasks, copies counted from 0.
    """
    *between, last = parents
    copy_of = dict(zip(tasks, last, strict=True))
    levels = [copy_of]
    for choice in reversed(between):
        copy_of = {task: choice[copy] for task, copy in copy_of.items()}
        levels.append(copy_of)
    used = [{copy: [t for t in tasks if level[t] == copy] for copy in level.values()} for level in levels]
    return used[::-1]


def tree_text(levels: list[dict[int, list[str]]]) -> str:
    """Return a tree in lines: `stage 2: age, gender | smile` where two tasks share a copy of the second stage."""
    return "\n".join(
        f"stage {number}: {' | '.join(map(', '.join, level.values()))}" for number, level in enumerate(levels, 1)
    )
