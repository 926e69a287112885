"""Find the faces of photos with MTCNN."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from mtl_keras.faces.detectors import SMALLEST_FACE, Detector
from mtl_keras.precision import computing_in

# Images of one size go through the networks together, up to this many pixels, which bounds the memory.
BATCH_PIXELS = 3_000_000


@dataclass(frozen=True, kw_only=True)
class FaceDetector(Detector):
    """Finds faces with the three networks of MTCNN (Zhang et al., 2016) in the `mtcnn` package.

    On 150 photos of GENKI-4K all three answers of less confidence than 0.9 were no faces, and all six between 0.9 and
    0.97 were. Of mtcnn's own setting of the smallest face always the default serves, 20 pixels: told of 30 or more its
    pyramid of images ends below the size of its networks, and it answers that there is no face.
    """

    def rows(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """Return rows (N, 15) for each image, as `Detector.rows` says."""
        groups: dict[tuple[int, int], list[int]] = {}
        for index, image in enumerate(images):
            groups.setdefault(image.shape[:2], []).append(index)
        found = [np.empty((0, 15))] * len(images)
        # Only images of exactly one size share a batch: mtcnn pads others, and then their boxes shift by some pixels.
        for (height, width), members in groups.items():
            if min(height, width) < SMALLEST_FACE:
                continue
            size = max(1, BATCH_PIXELS // (height * width))
            for start in range(0, len(members), size):
                batch = members[start : start + size]
                rows = _run(np.stack([images[index] for index in batch]))
                # Behind the confidence it has five x, then five y, of the pixels' middles.
                points = rows[:, 6:16].reshape(-1, 2, 5).transpose(0, 2, 1).reshape(-1, 10) + 0.5
                rows = np.concatenate([rows[:, :6], points], axis=1)
                for place, index in enumerate(batch):
                    found[index] = rows[rows[:, 0] == place][:, 1:]
        return found


@cache
def _stages() -> list:
    """Return the three networks of MTCNN."""
    # TensorFlow takes seconds to import, so only whoever detects faces pays for it.
    import mtcnn
    import tensorflow as tf
    from mtcnn.stages import StageONet, StagePNet, StageRNet

    # Left to itself, mtcnn takes (and unpickles) a file named pnet.lz4 of the working folder before its own.
    weights = Path(mtcnn.__file__).parent / "assets" / "weights"
    stages = ((StagePNet, "pnet.lz4"), (StageRNet, "rnet.lz4"), (StageONet, "onet.lz4"))
    # In a mixed precision that a program trains in, they would find other boxes, or fail.
    with tf.device("CPU:0"), computing_in("float32"):
        made = [stage(weights=str(weights / name)) for stage, name in stages]
    # Layer by layer, as mtcnn calls them, a photo of 512 x 512 pixels takes more than twice as long.
    for stage, side in zip(made, (None, 24, 48), strict=True):
        stage._model = tf.function(stage.model, [tf.TensorSpec((None, side, side, 3), tf.float32)], autograph=False)
    return made


def _run(batch: np.ndarray) -> np.ndarray:
    """Run the networks: (B, H, W, 3) -> rows (N, 16) of image, x1, y1, x2, y2, confidence, five x, five y."""
    import tensorflow as tf

    # The stages are called here one by one, since `MTCNN.detect_faces` takes any invalid argument inside them for
    # "no faces in the whole batch", and rounds the landmarks.
    with tf.device("CPU:0"):
        images = (batch.astype(np.float32) - 127.5) / 128  # (B, H, W, 3)
        shapes = np.array([image.shape for image in images])  # (B, 3)
        rows = None
        for stage in _stages():
            rows = stage(bboxes_batch=rows, images_normalized=images, images_oshapes=shapes)
            if not len(rows):
                return np.empty((0, 16))
    return rows
