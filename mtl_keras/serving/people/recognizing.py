"""FaceNet's features of the faces in a frame, by which somebody who comes back is known again."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mtl_keras.data.images import resize
from mtl_keras.faces.cut import CropSettings
from mtl_keras.faces.geometry import Face
from mtl_keras.models.backbones import BACKBONES
from mtl_keras.serving.reliability import cut_out

# FaceNet saw more around its faces than the crops that models are trained on show.
MARGIN = 0.2
# From this cosine between their features on, two tracks are one person: `experiments/count_people.py` measures it.
SAME_PERSON = 0.7


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
        cuts = [cut_out(pixels, face, self._settings) for face in faces]
        chosen = [resize(crop, self._size) for crop, reason in cuts if not reason]
        features = iter(self._features(np.stack(chosen)).numpy() if chosen else ())
        return [None if reason else next(features) for _, reason in cuts]
