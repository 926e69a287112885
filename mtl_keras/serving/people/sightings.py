"""Who is seen in a frame: faces, or whole bodies together with the faces in them."""

from typing import NamedTuple

import keras
import numpy as np

from mtl_keras.errors import UserError
from mtl_keras.extras import needed
from mtl_keras.faces.detectors import Detector, find_detector
from mtl_keras.faces.geometry import Face

# How a detector of bodies is named: this, and a preset of keras-hub or the folder of one.
BODIES = "keras_hub:"
# COCO's class of people.
PERSON = 0


class Sighting(NamedTuple):
    """One person seen in a frame: the `box` (x1, y1, x2, y2) that is tracked, and the face where one was found."""

    box: np.ndarray
    confidence: float
    face: Face | None


class Faces:
    """Sees faces, with a detector or its name in `mtl_keras.faces.detectors`."""

    def __init__(self, detector: Detector | str):
        self._detector = find_detector(detector)
        self._quick = self._detector.quick

    def __call__(self, pixels: np.ndarray) -> list[Sighting]:
        """Return who is seen in a frame (H, W, 3) uint8."""
        return [Sighting(corners(face), face.confidence, face) for face in self._quick.detect([pixels])[0]]

    def closely(self, pixels: np.ndarray, faces: list[Face]) -> list[Face]:
        """Return these faces of a frame with landmarks as good as the detector can tell them."""
        if self._quick is self._detector:
            return faces
        better = {face.box: face for face in self._detector.detect([pixels])[0]}
        return [better.get(face.box, face) for face in faces]


class Bodies:
    """Sees whole bodies with a detector of keras-hub that was trained on COCO, and the faces in them.

    `preset` is the name of one, such as "dfine_nano_coco", whose weights are downloaded, or the folder of one.
    """

    def __init__(self, preset: str, faces: Detector | str, minimum_confidence: float = 0.3):
        hub = needed("keras_hub", "swin")
        try:
            self._network = hub.models.ObjectDetector.from_preset(preset)
        except Exception as error:  # keras-hub raises nearly anything for a preset that it cannot have
            reason = " ".join(str(error).split())[:160]
            raise UserError(
                f"detector {BODIES}{preset}: cannot be had ({type(error).__name__}: {reason}); expected a preset of "
                "keras_hub.models.ObjectDetector, which a first call downloads, or the folder of one"
            ) from None
        self._faces, self._minimum = Faces(faces), minimum_confidence
        self.closely = self._faces.closely

    def __call__(self, pixels: np.ndarray) -> list[Sighting]:
        """Return who is seen in a frame (H, W, 3) uint8."""
        height, width = self._network.preprocessor.image_converter.image_size or pixels.shape[:2]
        resized = needed("cv2", "people").resize(pixels, (width, height))
        found = self._network.predict(resized[None].astype(np.float32), verbose=0)
        kept = (found["labels"][0] == PERSON) & (found["confidence"][0] >= self._minimum)
        frame = np.array(pixels.shape[1::-1] * 2)
        boxes = keras.utils.bounding_boxes.convert_format(
            found["boxes"][0][kept], self._network.bounding_box_format, "xyxy", height=height, width=width
        )
        boxes = (np.asarray(boxes) * frame / (width, height, width, height)).clip(0, frame)  # (N, 4)
        return with_faces(boxes, found["confidence"][0][kept], [sight.face for sight in self._faces(pixels)])


def with_faces(boxes: np.ndarray, confidences: np.ndarray, faces: list[Face]) -> list[Sighting]:
    """Return bodies (N, 4) with the largest face, still nobody's, whose middle lies in their upper half.

    Smaller bodies choose first: a face in two boxes is that of the body that fits it closely.
    """
    free, sightings = list(faces), {}
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for place in np.argsort(areas, kind="stable"):
        left, top, right, bottom = boxes[place]
        own = None
        for face in sorted(free, key=lambda face: -face.area):
            x, y, width, height = face.box
            if left <= x + width / 2 <= right and top <= y + height / 2 <= (top + bottom) / 2:
                own = face
                free.remove(face)
                break
        sightings[place] = Sighting(boxes[place], float(confidences[place]), own)
    return [sightings[place] for place in range(len(boxes))]


def corners(face: Face) -> np.ndarray:
    """Return the box of a face as (x1, y1, x2, y2)."""
    x, y, width, height = face.box
    return np.array([x, y, x + width, y + height], np.float64)


def seeing(detector: Detector | str) -> Faces | Bodies:
    """Return what sees people: a detector of faces or its name, or "keras_hub:PRESET" for whole bodies."""
    if isinstance(detector, str) and detector.startswith(BODIES):
        return Bodies(detector.removeprefix(BODIES), "yunet")
    return Faces(detector)
