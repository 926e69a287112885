"""Find the faces of photos with MTCNN."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from mtl_keras.errors import UserError
from mtl_keras.faces.geometry import LANDMARKS, Face, as_rgb

# The smallest face, in pixels, that mtcnn is told to look for: always its default. Told of 30 or more its pyramid of
# images ends below the size of its networks, and it answers that there is no face. Images are scaled down instead.
NETWORK_FACE = 20

# Images of one size go through the networks together, up to this many pixels, which bounds the memory.
BATCH_PIXELS = 3_000_000


class FaceDetector:
    """Finds faces with the three networks of MTCNN (Zhang et al., 2016) in the `mtcnn` package.

    Faces smaller than `minimum_size` pixels (20 at least) are not looked for, and the larger it is the faster.
    An image whose longer side exceeds `maximum_side` is looked at scaled down to it; all answers are in pixels of the
    given image. Faces of less than `minimum_confidence` (0..1) are left out: on 150 photos of GENKI-4K all three
    answers below 0.9 were no faces, and all six between 0.9 and 0.97 were.
    """

    def __init__(self, minimum_size: int = 20, maximum_side: int = 1600, minimum_confidence: float = 0.9):
        if not NETWORK_FACE <= minimum_size <= maximum_side or not 0 <= minimum_confidence <= 1:
            raise UserError(
                f"FaceDetector({minimum_size=}, {maximum_side=}, {minimum_confidence=}): expected "
                f"{NETWORK_FACE} <= minimum_size <= maximum_side and minimum_confidence between 0 and 1"
            )
        self.minimum_size = minimum_size
        self.maximum_side = maximum_side
        self.minimum_confidence = minimum_confidence

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Return the faces of each image, those with the largest boxes first.

        Images are uint8 arrays (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), of any mix of sizes; alpha is left out.
        Anything else is a UserError that names its place in the list.
        """
        groups: dict[tuple[int, int], list[int]] = {}
        small = []  # the images as the networks see them
        for index, image in enumerate(images):
            small.append(self._resize(as_rgb(image, f"image {index}")))
            groups.setdefault(small[index].shape[:2], []).append(index)

        found: list[list[Face]] = [[] for _ in small]
        # Only images of exactly one size share a batch: mtcnn pads others, and then their boxes shift by some pixels.
        for (height, width), members in groups.items():
            if min(height, width) < NETWORK_FACE:
                continue
            size = max(1, BATCH_PIXELS // (height * width))
            for start in range(0, len(members), size):
                batch = members[start : start + size]
                rows = self._run(np.stack([small[index] for index in batch]))
                for row in rows[rows[:, 5] >= self.minimum_confidence]:
                    index = batch[int(row[0])]
                    found[index].append(_face(row, images[index].shape, (height, width)))
        return [sorted(faces, key=lambda face: -face.area) for faces in found]

    @cached_property
    def _stages(self) -> list:
        """The three networks of MTCNN, read when the first image comes."""
        # TensorFlow takes seconds to import, so only whoever detects faces pays for it.
        import mtcnn
        import tensorflow as tf
        from mtcnn.stages import StageONet, StagePNet, StageRNet

        # Left to itself, mtcnn takes (and unpickles) a file named pnet.lz4 of the working folder before its own.
        weights = Path(mtcnn.__file__).parent / "assets" / "weights"
        stages = ((StagePNet, "pnet.lz4"), (StageRNet, "rnet.lz4"), (StageONet, "onet.lz4"))
        with tf.device("CPU:0"):
            return [stage(weights=str(weights / name)) for stage, name in stages]

    def _resize(self, image: np.ndarray) -> np.ndarray:
        """Scale an image down so that faces of `minimum_size` get the size that mtcnn looks for."""
        height, width = image.shape[:2]
        scale = min(NETWORK_FACE / self.minimum_size, self.maximum_side / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if scale >= 1:
            return image
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))

    def _run(self, batch: np.ndarray) -> np.ndarray:
        """Run the networks: (B, H, W, 3) -> rows (N, 16) of image, x1, y1, x2, y2, confidence, five x, five y."""
        import tensorflow as tf

        # The stages are called here one by one, since `MTCNN.detect_faces` takes any invalid argument inside them for
        # "no faces in the whole batch", and rounds the landmarks.
        with tf.device("CPU:0"):
            images = (batch.astype(np.float32) - 127.5) / 128  # (B, H, W, 3)
            shapes = np.array([image.shape for image in images])  # (B, 3)
            rows = None
            for stage in self._stages:
                rows = stage(bboxes_batch=rows, images_normalized=images, images_oshapes=shapes)
                if not len(rows):
                    return np.empty((0, 16))
        return rows


def _face(row: np.ndarray, shape: tuple[int, ...], seen: tuple[int, int]) -> Face:
    """Turn a row of mtcnn, found in an image seen as (height, width), into a Face of the image of this shape."""
    height, width = shape[:2]
    scale = np.array([width / seen[1], height / seen[0]])
    corners = np.rint(row[1:5].reshape(2, 2) * scale).astype(int).clip(0, (width, height))  # (x, y) of two corners
    points = (row[6:16].reshape(2, 5).T + 0.5) * scale  # (5, 2)
    return Face(
        box=(*corners[0].tolist(), *(corners[1] - corners[0]).tolist()),
        confidence=float(row[5]),
        landmarks={name: (float(x), float(y)) for name, (x, y) in zip(LANDMARKS, points, strict=True)},
    )
