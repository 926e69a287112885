"""A network as its parts make it: image, trunks, what the tasks share, and a head a task."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import keras

from mtl_keras.choices import configured
from mtl_keras.errors import UserError
from mtl_keras.kinds import kind_of
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.layers import Luminance, ReflectedBorder
from mtl_keras.models.sharing import SHARING
from mtl_keras.models.sharing.sharing import Settings, Trunk
from mtl_keras.tasks import Task


class Sizes(NamedTuple):
    """The sizes of a network's parts: image side and border in pixels, widths of dense layers, dropout."""

    image_size: int
    border: int
    shared_units: tuple[int, ...]
    head_units: tuple[int, ...]
    dropout: float


@dataclass(frozen=True)
class Network:
    """The symbolic tensors and trunks of a built network: `inputs` to {task name: answers (B, K)}.

    `normalized` (B, S, S, channels) is what the trunks see, `common` what the trunk makes of it for every task, and
    `read_by_all` the last features that every task reads; None where there are none such. `stem` and `maps` are names
    of the trunks' layers, or "". `report` is that of the way of sharing.
    """

    inputs: keras.KerasTensor
    normalized: keras.KerasTensor
    common: keras.KerasTensor | None
    read_by_all: keras.KerasTensor | None
    outputs: dict[str, keras.KerasTensor]
    trunks: list[keras.Model]
    stem: str
    maps: str
    report: Callable[[], str]

    def layers(self, own: list[keras.layers.Layer]) -> dict[str, keras.layers.Layer]:
        """Return all layers of a model by name: its `own`, then those within its trunks.

        A layer of one trunk of several has the trunk's number before its name, one of a model within a trunk that
        model's name.
        """
        several = len(self.trunks) > 1
        inner = {}
        for number, trunk in enumerate(self.trunks):
            inner |= _named(trunk, f"{number}/" if several else "")
        return {layer.name: layer for layer in own} | inner


def _named(model: keras.Model, prefix: str) -> dict[str, keras.layers.Layer]:
    """Return all layers of a model by name, those of models within it after these models."""
    found = {}
    for layer in model.layers:
        found[prefix + layer.name] = layer
        if isinstance(layer, keras.Model):
            found |= _named(layer, f"{prefix}{layer.name}/")
    return found


def build_network(tasks: list[Task], backbone: Backbone, sharing: str, sizes: Sizes) -> Network:
    """Build the network of these tasks: images (B, S, S, 3) uint8, or features (B, S), to {task name: (B, K)}."""
    size, border, shared_units, head_units, dropout = sizes
    names = [task.name for task in tasks]
    trunk = Trunk(backbone, size + 2 * border)
    shared = configured(SHARING, sharing)(trunk, names, Settings(shared_units, dropout))
    inputs, normalized = _preprocessed(backbone, size, border)
    common = None if shared.common is None else shared.common(normalized)
    features = shared.by_task(normalized if common is None else common)
    first, *others = features.values()
    # Where each task goes on in its own way, they share the trunk's features at least.
    read_by_all = first if all(other is first for other in others) else common
    if backbone.branch:
        features = {name: backbone.branch(features[name], name, dropout) for name in names}
    outputs = {
        task.name: kind_of(task).head(features[task.name], head_units, dropout, backbone.initializer())
        for task in tasks
    }
    stem = next(iter(backbone.cuts(shared.trunks[0])), "")
    trunks, report = shared.trunks, shared.report
    return Network(inputs, normalized, common, read_by_all, outputs, trunks, stem, backbone.maps, report)


def _preprocessed(backbone: Backbone, size: int, border: int):
    """Return the network's input and what of it the trunks see."""
    if not backbone.channels:
        inputs = keras.Input((size,), name="features")
        return inputs, inputs
    inputs = keras.Input((size, size, 3), dtype="uint8", name="image")
    # In float32: bfloat16 has too few digits for 256 levels around 127.5.
    image = keras.layers.Rescaling(
        1 / backbone.scale, -backbone.mean / backbone.scale, name="normalize", dtype="float32"
    )(inputs)
    if backbone.channels == 1:
        image = Luminance(name="luminance", dtype="float32")(image)
    if border:
        image = ReflectedBorder(border, name="border", dtype="float32")(image)
    return inputs, image


def input_size(backbone: Backbone, image_size: int | None, border: int) -> int:
    """Return the side of the images that a network takes, checked against its border."""
    if not (image_size or backbone.image_size):
        raise UserError("the backbone takes images of any side; give `image_size`, such as 128")
    size = image_size or backbone.image_size - 2 * border
    if border and not image_size and size < 1:
        raise UserError(f"border {border}: leaves nothing of {backbone.image_size} pixels; choose a smaller --border")
    if border and not (backbone.channels and 0 < border < size):
        raise UserError(
            f"border {border}: expected 0, or with images fewer pixels than the side of {size} that it leaves; choose "
            "--border 0, or another image_size"
        )
    return size
