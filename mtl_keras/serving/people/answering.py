"""Networks that look at the faces of a frame: what a model answers about them, and FaceNet's features of them."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mtl_keras.data.images import resize
from mtl_keras.errors import UserError
from mtl_keras.faces.cut import CropSettings, settings_for
from mtl_keras.faces.geometry import Face
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.serving.reliability import reason_of
from mtl_keras.serving.runtime import open_runtime
from mtl_keras.training.model import MultiTaskModel

# FaceNet saw more around its faces than the crops that models are trained on show.
MARGIN = 0.2
# From this cosine between their features on, two tracks are one person: `experiments/count_people.py` measures it.
SAME_PERSON = 0.7


class Answering:
    """A model that answers about faces."""

    def __init__(self, model: MultiTaskModel | Path | str):
        self._runtime = open_runtime(model)
        self.tasks = list(self._runtime.tasks)
        self._settings = settings_for(self.tasks, self._runtime.crop)

    def __call__(self, pixels: np.ndarray, faces: list[Face]) -> list[tuple[dict[str, np.ndarray], bool]]:
        """Return for each of these faces of a frame the outputs {task: (K,)}, and whether they can be relied on."""
        crops = [_cut(self._settings, pixels, face) for face in faces]
        size, method = self._runtime.image_size, self._runtime.resize_method
        outputs = self._runtime.run(np.stack([resize(crop, size, method) for crop in crops]))
        return [
            (
                {name: output[place] for name, output in outputs.items()},
                not reason_of(face, crop, self._settings, pixels.shape[:2]),
            )
            for place, (face, crop) in enumerate(zip(faces, crops, strict=True))
        ]


def _cut(settings: CropSettings, pixels: np.ndarray, face: Face) -> np.ndarray:
    """Return a face cut out; one whose landmarks lie in one point, as its box has it: that says little of anybody."""
    try:
        return settings.cut(pixels, face)
    except UserError:
        x, y, width, height = face.box
        return resize(pixels[y : y + max(height, 1), x : x + max(width, 1)], settings.size)


class Recognizing:
    """FaceNet's features of faces, by which somebody who comes back is known again.

    `weights` is a weights file of FaceNet, or the published name of one.
    """

    def __init__(self, weights: Path | str):
        facenet = BACKBONES["facenet"]
        trunk = facenet.trunk(facenet.image_size)
        # FaceNet's last layers, which no other task needs.
        embedding = keras.layers.Dense(512, use_bias=False, name="Bottleneck")(trunk.outputs[0])
        last = keras.layers.BatchNormalization(epsilon=0.001, scale=False, name="Bottleneck_BatchNorm")
        network = keras.Model(trunk.inputs[0], last(embedding))
        facenet.load_weights(network, facenet.find_weights(str(weights)))
        self._size, self._settings = facenet.image_size, CropSettings(margin=MARGIN)
        signature = [tf.TensorSpec((None, self._size, self._size, 3), tf.uint8)]

        def features(crops: tf.Tensor) -> tf.Tensor:
            images = (tf.cast(crops, tf.float32) - facenet.mean) / facenet.scale
            return keras.ops.normalize(network(images, training=False))

        self._features = tf.function(features, signature, autograph=False)

    def __call__(self, pixels: np.ndarray, faces: list[Face]) -> list[np.ndarray | None]:
        """Return the features (512,) of length 1 for each of these faces of a frame; None where one shows too little.

        Small and blurred faces of any two people are alike to FaceNet.
        """
        crops = [_cut(self._settings, pixels, face) for face in faces]
        shown = [
            not reason_of(face, crop, self._settings, pixels.shape[:2]) for face, crop in zip(faces, crops, strict=True)
        ]
        chosen = [resize(crop, self._size) for crop, enough in zip(crops, shown, strict=True) if enough]
        features = iter(self._features(np.stack(chosen)).numpy() if chosen else ())
        return [next(features) if enough else None for enough in shown]
