"""The table of trunks: one file a network, one line here."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from mtl_keras.models.backbones import bknet, facenet, features, gender_eyeglasses


@dataclass(frozen=True)
class Backbone:
    """A trunk and the input that it expects.

    `build` takes the image side S and returns a functional model from (B, S, S, channels) to features (B, D), or of
    any shape where there is a `branch`; a pixel of 0..255 comes in as (pixel - mean) / scale, and with one channel its
    luminance does. `image_size` is the usual S, and images are brought to it by `resize_method`, of
    `mtl_keras.data.images.resize`. With `channels` 0 the input is no image but a feature vector, and S is
    its length: (B, S) to (B, S).
    `stem_end` names the last layer of the stem, whose edges and blobs serve any face: fine-tuning may leave it as it
    is, and saves a third of its time. `maps` names the layer whose maps show what the trunk sees first.
    A network that fixes what stands between its trunk and the answers gives `branch`, from (features, task name,
    dropout) to that task's features, and `initializer`, how the kernels of the last layers start.
    """

    build: Callable[[int], keras.Model]
    image_size: int
    channels: int
    mean: float
    scale: float
    resize_method: str = "bilinear"
    stem_end: str = ""
    maps: str = ""
    branch: Callable | None = None
    initializer: Callable[[], keras.initializers.Initializer] = keras.initializers.GlorotUniform


BACKBONES: dict[str, Backbone] = {
    # FaceNet's published weights were trained with (pixel - 127.5) / 128, "fixed image standardization":
    # https://github.com/davidsandberg/facenet, src/facenet.py.
    "facenet": Backbone(
        facenet.facenet, image_size=160, channels=3, mean=127.5, scale=128.0, stem_end=facenet.STEM_END
    ),
    "facenet_small": Backbone(
        facenet.facenet_small, image_size=160, channels=3, mean=127.5, scale=128.0, stem_end=facenet.STEM_END
    ),
    "bknet": Backbone(
        bknet.bknet,
        image_size=48,
        maps="block1_conv1_relu",
        channels=1,
        mean=128.0,
        scale=255.0,
        branch=bknet.branch,
        initializer=bknet.initializer,
    ),
    "gender_eyeglasses": Backbone(
        gender_eyeglasses.gender_eyeglasses,
        image_size=50,
        # Frames of eyeglasses are a pixel thin here: the antialiased bilinear filter blurs them.
        resize_method="sharp",
        maps="shared_conv",
        channels=1,
        mean=0.0,
        scale=255.0,
        branch=gender_eyeglasses.branch,
    ),
    "features": Backbone(features.features, image_size=1792, channels=0, mean=0.0, scale=1.0),
}
