"""How people are counted."""

from dataclasses import dataclass
from pathlib import Path

from mtl_keras.errors import UserError
from mtl_keras.faces.detectors import Detector
from mtl_keras.serving.people.counts import check_places
from mtl_keras.serving.people.recognizing import SAME_PERSON

# A tracker needs weak detections too: they hold a track, though they start none. Larger images would take too long.
DETECTOR = "yunet:minimum_confidence=0.5,maximum_side=960"


@dataclass(frozen=True, kw_only=True)
class CountSettings:
    """How people are counted; places are pixels of the video.

    `line` is (x1, y1, x2, y2) and `zone` (x1, y1, x2, y2, x3, y3, ...). One of `every` frames is looked at. Faces stay
    recognizable in the drawn video with `show_faces`. `reidentify` is a weights file of FaceNet or the published name
    of one: then somebody who comes back within the video is the same person. `detector` is one of faces or its name,
    or "keras_hub:PRESET" for whole bodies. Counting ends after `stop_after` seconds of the video.
    """

    line: tuple[float, ...] | None = None
    zone: tuple[float, ...] | None = None
    every: int = 1
    show_faces: bool = False
    reidentify: Path | str | None = None
    same_person: float = SAME_PERSON
    detector: Detector | str = DETECTOR
    stop_after: float | None = None

    def __post_init__(self):
        check_places(self.line, self.zone)
        if self.every < 1:
            raise UserError(f"every {self.every}: expected 1 for all frames, 2 for every other one, and so on")
        if self.stop_after is not None and not self.stop_after > 0:
            raise UserError(f"stop_after {self.stop_after}: expected a number of seconds above 0")
        if not 0 < self.same_person <= 1:
            raise UserError(f"same_person {self.same_person}: expected a cosine above 0, 1 at most")
