"""A trunk and the input that it expects: one of the library's, or a Keras model of the user's."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import keras

from mtl_keras.errors import UserError


@dataclass(frozen=True)
class Backbone:
    """A trunk and the input that it expects.

    `build` takes the image side S and returns a functional model from (B, S, S, channels) to features (B, D) or maps
    (B, H, W, D), which are averaged over height and width unless there is a `branch`. It may also be such a model
    itself, of which every network takes a copy, weights included. A pixel of 0..255 comes in as
    (pixel - mean) / scale, and with one channel its luminance does. `image_size` is the usual S, and images are
    brought to it by `resize_method`, of `mtl_keras.data.images.resize`. With `channels` 0 the input is no image but a
    feature vector, and S is its length: (B, S) to (B, S).
    `stages` names the layers at which the trunk can be cut, in order, each of which all paths to the later ones go
    through. The first ends the stem, whose edges and blobs serve any face: fine-tuning may leave it as it is.
    `maps` names the layer whose maps show what the trunk sees first.
    A network that fixes what stands between its trunk and the answers gives `branch`, from (features, task name,
    dropout) to that task's features, and `initializer`, how the kernels of the last layers start.
    """

    build: Callable[[int], keras.Model] | keras.Model
    image_size: int
    channels: int
    mean: float
    scale: float
    resize_method: str = "bilinear"
    stages: tuple[str, ...] = ()
    maps: str = ""
    branch: Callable | None = None
    initializer: Callable[[], keras.initializers.Initializer] = keras.initializers.GlorotUniform

    def trunk(self, side: int) -> keras.Model:
        """Return a new trunk for images of this side; maps (B, H, W, D) that no branch goes on from are averaged."""
        trunk = _copy(self.build) if isinstance(self.build, keras.Model) else self.build(side)
        expected = (side, side, self.channels) if self.channels else (side,)
        if trunk.input_shape[1:] not in (expected, (None, None, self.channels)):
            raise UserError(
                f"backbone {trunk.name!r} takes inputs of shape {trunk.input_shape[1:]}, but they come as {expected}: "
                "change image_size (a border comes on top of it) or channels"
            )
        if len(trunk.output_shape) == 4 and self.branch is None:
            # In float32, as what the heads read should have all its digits in mixed precision too.
            pool = keras.layers.GlobalAveragePooling2D(name="average_pool", dtype="float32")
            trunk = keras.Model(trunk.inputs[0], pool(trunk.outputs[0]), name=trunk.name)
        return trunk

    def built(self, side: int) -> "Backbone":
        """Return the same backbone for this side alone, with a Keras model as its `build`, so that it can be saved."""
        return self if isinstance(self.build, keras.Model) else replace(self, build=self.build(side))

    # === Config ===
    def get_config(self) -> dict:
        """Return what `from_config` makes this backbone of again; its `build` must be a Keras model."""
        plain = ("image_size", "channels", "mean", "scale", "resize_method", "maps")
        settings = {name: value for name, value in vars(self).items() if name in plain}
        network = keras.saving.serialize_keras_object(self.build)
        return {"network": network, "stages": list(self.stages), **settings}

    @classmethod
    def from_config(cls, config: dict) -> "Backbone":
        """Return the backbone of a `get_config`; its weights, and those of what follows it, are still to be loaded."""
        settings = {name: value for name, value in config.items() if name not in ("network", "stages")}
        network = keras.saving.deserialize_keras_object(deepcopy(config["network"]))  # Keras empties what it reads
        return cls(network, stages=tuple(config["stages"]), **settings)


def as_backbone(model: keras.Model | Backbone) -> Backbone:
    """Return a user's model as a backbone that takes pixels of 0..255 as they come; a backbone stays what it is."""
    if isinstance(model, keras.Model):
        shape = model.input_shape if model.inputs and len(model.inputs) == 1 else ()
        if len(shape) != 4 or not shape[1] or shape[1] != shape[2] or shape[3] not in (1, 3):
            raise UserError(
                f"backbone {model.name!r} takes inputs of shape {shape}; expected one of square images (S, S, 3) or "
                "(S, S, 1), of a functional or sequential model"
            )
        return Backbone(model, image_size=shape[1], channels=shape[3], mean=0.0, scale=1.0)
    if model.branch is not None:
        raise UserError("a backbone with a branch cannot be saved with its network: put it into the table BACKBONES")
    return model


def _copy(model: keras.Model) -> keras.Model:
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    copy.set_weights(model.get_weights())
    return copy
