"""A trunk and the input that it expects: one of the library's, or a Keras model of the user's."""

import hashlib
import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from mtl_keras.errors import UserError
from mtl_keras.models.normalization import with_fused_norms
from mtl_keras.models.weights import load_keras_weights, set_weights, weights_file


@dataclass(frozen=True)
class Backbone:
    """A trunk and the input that it expects.

    `build` takes the image side S and returns a functional model from (B, S, S, channels) to features (B, D) or maps
    (B, H, W, D), which are averaged over height and width unless there is a `branch`. It may also be such a model
    itself, of which every network takes a copy, weights included; one of (None, None, channels) takes any side. A pixel
    of 0..255 comes in as (pixel - mean) / scale, and with one channel its luminance does. `image_size` is the usual S,
    or 0 where it is to be chosen, and images are brought to it by `resize_method`, of `mtl_keras.data.images.resize`.
    With `channels` 0 the input is no image but a feature vector, and S is its length: (B, S) to (B, S).
    `stages` names the layers at which the trunk can be cut, in order, each of which all paths to the later ones go
    through; without them, `cuts` finds some. The first ends the stem, whose edges and blobs serve any image:
    fine-tuning may leave it as it is. `maps` names the layer whose maps show what the trunk sees first.
    `find_weights` gives the file of pretrained weights that a path or name stands for, and `load_weights` reads it.
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
    find_weights: Callable[[str], Path] = weights_file
    load_weights: Callable[[keras.Model, Path], None] = load_keras_weights

    def trunk(self, side: int) -> keras.Model:
        """Return a new trunk for images of this side; maps (B, H, W, D) that no branch goes on from are averaged."""
        trunk = with_fused_norms(_copy(self.build) if isinstance(self.build, keras.Model) else self.build(side))
        expected = (side, side, self.channels) if self.channels else (side,)
        if trunk.input_shape[1:] not in (expected, (None, None, self.channels)):
            raise UserError(
                f"backbone {trunk.name!r} takes inputs of shape {trunk.input_shape[1:]}, but they come as {expected}: "
                "change image_size (a border comes on top of it) or channels"
            )
        if self.branch is None:
            given = trunk.compute_output_spec(trunk.inputs[0])  # several outputs are a list, or a dict
            rank = len(given.shape) if isinstance(given, keras.KerasTensor) else 0
            if rank == 4:
                # In float32, as what the heads read should have all its digits in mixed precision too.
                pool = keras.layers.GlobalAveragePooling2D(name="average_pool", dtype="float32")
                trunk = keras.Model(trunk.inputs[0], pool(trunk.outputs[0]), name=trunk.name)
            elif rank != 2:
                raise UserError(
                    f"backbone {trunk.name!r} answers {trunk.output_shape}; expected features (None, D) or maps "
                    "(None, H, W, D): end it with a layer that gives them, such as GlobalAveragePooling1D"
                )
        return trunk

    def built(self, side: int) -> "Backbone":
        """Return the same backbone for this side alone, with a Keras model as its `build`, so that it can be saved."""
        return self if isinstance(self.build, keras.Model) else replace(self, build=self.build(side))

    def cuts(self, trunk: keras.Model) -> tuple[str, ...]:
        """Return the names of the layers at which a trunk that it built can be cut: its `stages`, or what is found."""
        return self.stages or _cuts(trunk)

    def fingerprint(self) -> str:
        """Return a hash of a trunk that is a Keras model, weights included; "" for one that a function builds."""
        if not isinstance(self.build, keras.Model):
            return ""
        digest = hashlib.sha256(json.dumps(self.get_config(), sort_keys=True, default=str).encode())
        for weight in self.build.get_weights():
            digest.update(weight.tobytes())
        return digest.hexdigest()

    # === Config ===
    def get_config(self) -> dict:
        """Return what `from_config` makes this backbone of again; its `build` must be a Keras model."""
        plain = ("image_size", "channels", "mean", "scale", "resize_method", "maps")
        settings = {name: value for name, value in vars(self).items() if name in plain}
        network = _plain(keras.saving.serialize_keras_object(self.build), self.build.dtype_policy.name)
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
        shape = _input_shape(model)
        if len(shape) != 4 or shape[1] != shape[2] or shape[3] not in (1, 3):
            raise UserError(
                f"backbone {model.name!r} takes inputs of shape {shape}; expected one of square images (S, S, 3) or "
                "(S, S, 1), of a functional or sequential model that begins with keras.Input"
            )
        return Backbone(model, image_size=shape[1] or 0, channels=shape[3], mean=0.0, scale=1.0)
    if not isinstance(model, Backbone):
        raise UserError(f"backbone {model!r}: expected a name, a `Backbone` or a functional Keras model of images")
    if model.branch is not None:
        raise UserError("a backbone with a branch cannot be saved with its network: put it into the table BACKBONES")
    return model


def _input_shape(model: keras.Model) -> tuple:
    """Return the shape of a model's only input; () for any other, or one that takes whatever comes."""
    try:
        inputs = model.inputs or []
    except AttributeError:  # a sequential model without an input
        inputs = []
    return tuple(inputs[0].shape) if len(inputs) == 1 else ()


def _copy(model: keras.Model) -> keras.Model:
    """Return a copy with the same weights, by way of what a file would hold of it: so it can be saved and read."""
    try:
        config = _plain(keras.saving.serialize_keras_object(model), model.dtype_policy.name)
        copy = keras.saving.deserialize_keras_object(config)
    except Exception as error:  # Keras raises nearly anything for a layer that it cannot make again.
        raise UserError(f"backbone {model.name!r} {_why_no_copy(error)}") from None
    set_weights(copy, model.get_weights())
    return copy


def _why_no_copy(error: Exception) -> str:
    reason = " ".join(str(error).split())
    if "`Lambda`" in reason:
        return "has a Lambda layer, which no saved model may hold: write a keras.layers.Layer in its place"
    if unknown := unknown_class(error):
        return (
            f"has a layer of the class {unknown}, which Keras does not know: put "
            "@keras.saving.register_keras_serializable() before the class"
        )
    return f"cannot be built again from what its layers' get_config gives ({reason[:200]}); mend that"


def unknown_class(error: Exception) -> str:
    """Return the name of the class that Keras did not know when it raised this error; "" if it was another error."""
    found = re.search(r"Could not locate class '(\w+)'", str(error))
    return found[1] if found else ""


def _plain(config: object, policy: str) -> object:
    """Return what Keras has serialized as JSON gives it back, without what depends on where it was made.

    That are the numbers of objects that loading adds, and the dtype policy that was usual there: a layer of that one
    computes as is usual where it is made again.
    """
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy" and config["config"]["name"] == policy:
            return None
        return {name: _plain(value, policy) for name, value in config.items() if name != "shared_object_id"}
    return [_plain(value, policy) for value in config] if isinstance(config, list | tuple) else config


def _cuts(trunk: keras.Model) -> tuple[str, ...]:
    """Return the layers that all paths of a trunk go through, the last of each size of maps; none if there is but one.

    Each has layers with weights of its own.
    """
    names = [layer.name for layer in trunk.layers]
    try:
        reads = [[id(tensor) for tensor in keras.tree.flatten(each.input)] for each in trunk.operations]
        gives = [keras.tree.flatten(each.output) for each in trunk.operations]
    except (AttributeError, ValueError):  # a layer that is called several times
        return ()
    last_use = {tensor: place for place, tensors in enumerate(reads) for tensor in tensors}
    found, furthest, size, learns = {}, 0, None, False
    for place, (operation, outputs) in enumerate(zip(trunk.operations, gives, strict=True)):
        # A Normalization only knows what colors are usual.
        is_layer = isinstance(operation, keras.layers.Layer) and not isinstance(operation, keras.layers.Normalization)
        learns = learns or (is_layer and bool(operation.weights))
        meets = furthest <= place and len(outputs) == 1 and len(outputs[0].shape) == 4 and operation.name in names
        if meets and (learns or outputs[0].shape[1:3] == size):
            size, learns = outputs[0].shape[1:3], False
            found[size] = operation.name
        furthest = max([furthest, *(last_use.get(id(tensor), 0) for tensor in outputs)])
    return tuple(found.values()) if len(found) > 1 else ()
