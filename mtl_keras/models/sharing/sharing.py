"""What a way of sharing is given and what it returns, and the trunk cut at its stages."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import keras

from mtl_keras.errors import UserError
from mtl_keras.models.backbones.backbone import Backbone


class Trunk(NamedTuple):
    """What a way of sharing builds its trunks from: a backbone, and the side of the images that reach it."""

    backbone: Backbone
    side: int

    def build(self) -> keras.Model:
        """Return a trunk with weights of its own."""
        return self.backbone.trunk(self.side)


class Settings(NamedTuple):
    """What a network says of the part between its trunks and its heads.

    `units` are the widths of the dense layers that the tasks share, and `dropout` the share of their answers that is
    dropped in training.
    """

    units: tuple[int, ...]
    dropout: float


@dataclass(frozen=True)
class Shared:
    """A way of sharing over one backbone: called with the image, it gives {task name: features of that task}.

    `trunks` are all that were built. Where every task reads the same features, `common` gives them from the image and
    `by_task` goes on from them; without `common` it goes on from the image. `report` tells in lines of text what was
    learned of the tasks' relations, where there is something to tell.
    """

    trunks: list[keras.Model]
    by_task: Callable
    common: Callable | None = None
    report: Callable[[], str] = str

    def __call__(self, image) -> dict:
        return self.by_task(image if self.common is None else self.common(image))

    def refuse_maps(self, name: str) -> None:
        """Refuse trunks that give maps, which the backbone's branches read, for a sharing that gives features."""
        for trunk in self.trunks:
            if len(trunk.output_shape) == 4:
                raise UserError(
                    f"sharing {name} gives features (B, D), but the branches of backbone {trunk.name!r} read maps; "
                    "take another backbone, or another way of sharing, such as hard or mmoe"
                )


def in_turn(layers: Iterable[Callable], features):
    """Return what the last of the layers gives, each of them called with what the one before it gives."""
    for layer in layers:
        features = layer(features)
    return features


def dense_layers(settings: Settings, prefix: str) -> list[keras.layers.Layer]:
    """Return dense layers with LeakyReLU and dropout of the settings' widths: (B, F) to (B, units[-1])."""
    found = []
    for index, width in enumerate(settings.units):
        found.append(keras.layers.Dense(width, name=f"{prefix}_dense_{index}"))
        found.append(keras.layers.LeakyReLU(0.1, name=f"{prefix}_leaky_relu_{index}"))
        found.append(keras.layers.Dropout(settings.dropout, name=f"{prefix}_dropout_{index}"))
    return found


def cut(trunk: keras.Model, stages: tuple[str, ...], prefix: str) -> list[keras.Model]:
    """Return the trunk as models one after the other, called `{prefix}_stage_1` and so on, which share its layers.

    Each ends with one of the `stages`; what follows the last of them is a model of its own.
    """
    names = [layer.name for layer in trunk.layers]
    missing = [stage for stage in stages if stage not in names]
    if not stages or missing:
        raise UserError(
            f"backbone {trunk.name!r} cannot be cut into stages: it names "
            f"{f'no layer {missing[0]!r}' if missing else 'none'}; give `Backbone(stages=...)` names of its layers, "
            "or share hard"
        )
    ends = [trunk.get_layer(stage).output for stage in stages]
    if ends[-1] is not trunk.outputs[0]:
        ends.append(trunk.outputs[0])
    parts, start = [], trunk.inputs[0]
    for number, end in enumerate(ends, 1):
        try:
            parts.append(keras.Model(start, end, name=f"{prefix}_stage_{number}"))
        except ValueError:  # the end needs more than what the last stage gives
            raise UserError(
                f"backbone {trunk.name!r} cannot be cut at {stages[number - 2]!r}: some of its paths go around that "
                "layer; name layers that all of them go through"
            ) from None
        start = end
    return parts
