"""Swin transformers of keras-hub, which comes with `pip install mtl-keras[swin]`.

Source: Liu et al., Swin transformer: hierarchical vision transformer using shifted windows, 2021,
https://arxiv.org/abs/2103.14030.
"""

import warnings
from pathlib import Path

import keras
from keras import layers

from mtl_keras.errors import UserError
from mtl_keras.files import replacing_folder
from mtl_keras.models.backbones.backbone import Backbone
from mtl_keras.models.backbones.keras_applications import IMAGENET_MEAN, IMAGENET_STD
from mtl_keras.models.layers import ColorTransform
from mtl_keras.models.weights import set_weights, weights_cache, weights_file

PATCH = 4
# keras-hub tells its attention by a mask which places are neighbors; Keras takes it for one of examples, and warns.
NO_MASK_OF_EXAMPLES = r"Layer 'attn' \(of type WindowAttention\) was passed an input with a mask"


def _hub():
    """Return the class of keras-hub, which takes seconds to import."""
    try:
        from keras_hub.models import SwinTransformerBackbone
    except ImportError:
        raise UserError("Swin transformers need the package keras-hub: pip install mtl-keras[swin]") from None
    warnings.filterwarnings("ignore", NO_MASK_OF_EXAMPLES)
    return SwinTransformerBackbone


@keras.saving.register_keras_serializable("mtl_keras")
class SwinTransformer(keras.Model):
    """A Swin transformer of keras-hub: images (B, S, S, 3) of 0..255 to maps (B, S / P, S / P, D).

    With N stages P is 4 * 2^(N - 1), of which S must be a multiple, and D is `width` * 2^(N - 1). `depths` are the
    numbers of blocks of each stage, `heads` those of their attention, `window` the side of its windows in tokens, no
    wider than the last maps, and `drop_path` the share of the last block's answers that are left out in training.
    """

    def __init__(
        self, side: int, width: int, depths: list[int], heads: list[int], window: int = 7, drop_path: float = 0.2
    ):
        multiple = PATCH * 2 ** (len(depths) - 1)
        if side % multiple or side < multiple:
            raise UserError(f"swin: image size {side}: expected a multiple of {multiple}")

        # === Layers ===
        # keras-hub's own way with maps that are smaller than a window does not work.
        within = min(window, side // multiple)
        hub = _hub()((side, side, 3), width, depths, heads, within, PATCH, drop_path=drop_path)

        # === Functional model ===
        inputs = keras.Input((side, side, 3), name="image")
        scale = 1 / (255 * IMAGENET_STD)
        matrix = [[value if row == column else 0.0 for column in range(3)] for row, value in enumerate(scale.tolist())]
        x = ColorTransform(matrix, (-IMAGENET_MEAN / IMAGENET_STD).tolist(), name="preprocess_input")(inputs)
        x = hub.get_layer("pos_drop")(hub.patch_embedding(x))  # tokens (B, L, C)
        patches = side // PATCH
        x = layers.Reshape((patches, patches, width), name="patches")(x)
        for number, stage in enumerate(hub.stages, 1):
            x = stage(layers.Reshape((-1, x.shape[-1]), name=f"tokens_{number}")(x))
            patches //= 2 if number < len(depths) else 1  # a stage ends by merging patches, but for the last
            x = layers.Reshape((patches, patches, x.shape[-1]), name=f"maps_{number}")(x)
        super().__init__(inputs, hub.norm(x), name="swin")

        # === Config ===
        self._settings = {
            "side": side, "width": width, "depths": list(depths), "heads": list(heads), "window": window,
            "drop_path": drop_path,
        }  # fmt: skip

    def get_config(self):
        return {name: list(value) if isinstance(value, list) else value for name, value in self._settings.items()}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


def swin(
    width: int, depths: tuple[int, ...], heads: tuple[int, ...], window: int = 7, image_size: int = 224
) -> Backbone:
    """Return a Swin transformer of these sizes with random weights, as `SwinTransformer` explains them."""

    def build(side: int) -> keras.Model:
        return SwinTransformer(side, width, list(depths), list(heads), window)

    return Backbone(
        build,
        image_size,
        channels=3,
        mean=0.0,
        scale=1.0,
        stages=tuple(f"maps_{number}" for number, _ in enumerate(depths, 1)),
        maps="patches",
        find_weights=_find_weights,
    )


def _find_weights(weights: str | Path) -> Path:
    """Return a file of weights: of this path, or of this preset of keras-hub, which it downloads the first time."""
    hub = _hub()
    if str(weights) not in hub.presets:
        return weights_file(weights)
    folder = weights_cache() / str(weights)
    file = folder / "trunk.weights.h5"
    if not file.is_file():
        try:
            trained = hub.from_preset(str(weights))
        except Exception as error:  # what downloads raises nearly anything
            reason = " ".join(str(error).split())[:300]
            raise UserError(
                f"weights {str(weights)!r}: cannot be had ({reason}): fetch them on a machine with a network, and give "
                "the path of the file"
            ) from None
        sizes = (trained.embed_dim, trained.depths, trained.num_heads, trained.window_size)
        trunk = swin(*sizes).build(trained.image_shape[0])
        set_weights(trunk, trained.get_weights())
        with replacing_folder(folder) as temporary:
            trunk.save_weights(temporary / file.name)
    return file


SWIN_TINY = swin(96, (2, 2, 6, 2), (3, 6, 12, 24))
