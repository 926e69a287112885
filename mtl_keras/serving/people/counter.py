"""People in a video counted: the steps of this folder, one after the other, for each frame."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mtl_keras.errors import UserError
from mtl_keras.faces.detectors import Detector
from mtl_keras.serving.drawing import describe
from mtl_keras.serving.people.answering import SAME_PERSON, Answering, Recognizing
from mtl_keras.serving.people.counts import Counts, Places, check_in_picture, check_places
from mtl_keras.serving.people.drawn_video import DrawnVideo
from mtl_keras.serving.people.report import Report
from mtl_keras.serving.people.sightings import Bodies, Sighting, seeing
from mtl_keras.serving.people.tracks import Tracked, Tracker
from mtl_keras.serving.people.video import Frame, Video, ahead
from mtl_keras.serving.people.visitors import Memory, Visitor
from mtl_keras.training.model import MultiTaskModel

# Networks look at everyone together, which costs little more than at one, and not again for this number of seconds.
LOOK_SECONDS = 0.4
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


@dataclass
class Seconds:
    """How many seconds each step took so far."""

    of: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        """Add the time of a block to a step."""
        start = time.perf_counter()
        yield
        self.of[step] += time.perf_counter() - start


class PeopleCounter:
    """Counts the people of one video.

    `run` does the work, and `summary` says at any time what was counted until then. With `out`, a folder, files are
    written; without it nothing is kept.
    """

    def __init__(
        self,
        video: str | Path | int,
        model: MultiTaskModel | Path | str | None = None,
        out: Path | str | None = None,
        settings: CountSettings | None = None,
    ):
        self._settings = settings = settings or CountSettings()
        self._video = Video(video, settings.every)
        check_in_picture(settings.line, settings.zone, self._video.size)
        self._see = seeing(settings.detector)
        rate = self._video.frame_rate / settings.every
        self._places = Places(
            settings.line, settings.zone, "BOTTOM_CENTER" if isinstance(self._see, Bodies) else "CENTER"
        )
        self._answer = None if model is None else Answering(model)
        self._recognize = Recognizing(settings.reidentify) if settings.reidentify else None
        self.tasks = self._answer.tasks if self._answer else []
        self._tracker, self._counts, self._memory = Tracker(rate), Counts(), Memory(settings.same_person)
        self._report = Report(Path(out), self.tasks) if out else None
        path = Path(out) / "annotated.mp4" if out else None
        self._drawn = path and DrawnVideo(path, rate, self._places, settings.show_faces)
        self._here: dict[int, Visitor] = {}
        self._next_look = 0.0
        self._labels: dict[int, str] = {}
        self._visitors, self._zone_people, self._zone_seconds, self._last = 0, 0, 0.0, 0.0
        self._seconds, self._ended = Seconds(), "stopped"

    @property
    def length(self) -> int | None:
        """How many frames the video has; None where that is not known."""
        return self._video.length

    def run(self, told: Callable[["PeopleCounter"], None] = lambda counter: None) -> dict:
        """Count to the end and return the summary; `told` is called with this counter after every frame.

        Whatever stops it, what was counted until then is written.
        """
        try:
            with self._video as video:
                # Detecting takes longest: it works on the next frame while the rest does on this one.
                seen = ahead((frame, self._sightings(frame)) for frame in video)
                while (pair := self._next(seen)) is not None:
                    self._count(*pair)
                    told(self)
            self._ended = "complete"
        finally:
            self._finish()
        return self.summary

    def _sightings(self, frame: Frame) -> list[Sighting]:
        with self._seconds("detecting"):
            return self._see(frame.pixels)

    def _next(self, seen: Iterator[tuple[Frame, list[Sighting]]]) -> tuple[Frame, list[Sighting]] | None:
        with self._seconds("waiting"):
            pair = next(seen, None)
        limit = self._settings.stop_after
        return None if pair is None or (limit is not None and pair[0].seconds >= limit) else pair

    # === One frame ===

    def _count(self, frame: Frame, sightings: list[Sighting]) -> None:
        with self._seconds("tracking"):
            tracked = self._tracker.update(frame.seconds, sightings)
            counted = {each.track: each.sighting for each in tracked if each.track > 0}
            new = [track for track in counted if track not in self._here]
            for track in new:
                self._here[track] = Visitor([track], frame.seconds, frame.seconds)
            self._note(frame.seconds, counted, len(new))
        with self._seconds("answering"):
            self._look(frame, counted)
        if self._drawn:
            with self._seconds("drawing"):
                self._drawn.add(frame.pixels, tracked, self._hidden(tracked), self._labels)
        for track in self._tracker.ended():
            self._leave(track)
        self._last = frame.seconds

    def _note(self, seconds: float, counted: dict[int, Sighting], new: int) -> None:
        """Note where everyone is who is seen, and the minutes that are over."""
        passing = self._places.passing(self._tracker)
        for track, does in passing.items():
            visitor = self._here[track]
            visitor.entered, visitor.left = visitor.entered + does.entered, visitor.left + does.left
            if track in counted:
                passed, visitor.last = seconds - visitor.last, seconds
                visitor.seconds, visitor.frames = visitor.seconds + passed, visitor.frames + 1
                visitor.zone_seconds += passed if does.in_zone else 0
        entered = sum(does.entered for does in passing.values())
        left = sum(does.left for does in passing.values())
        for row in self._counts.add(seconds, len(counted), new, entered, left):
            if self._report:
                self._report.minute(row)

    def _look(self, frame: Frame, counted: dict[int, Sighting]) -> None:
        """Let the networks look at everyone whose face is seen, where it is time."""
        due = (
            [track for track, sighting in counted.items() if sighting.face] if frame.seconds >= self._next_look else []
        )
        if not due or not (self._answer or self._recognize):
            return
        faces = [counted[track].face for track in due]
        if self._answer:
            for track, (outputs, reliable) in zip(due, self._answer(frame.pixels, faces), strict=True):
                looks = self._here[track].looks
                looks.add(outputs, reliable)
                # Words change little after many looks, and take longer than the network.
                if self._drawn and looks.taken.bit_count() == 1:
                    self._labels[track] = ", ".join([f"#{track}", *describe(looks.answers(self.tasks))])
        if self._recognize:
            for track, features in zip(due, self._recognize(frame.pixels, faces), strict=True):
                self._here[track].remember(features)
        self._next_look = frame.seconds + LOOK_SECONDS

    def _hidden(self, tracked: list[Tracked]) -> list[np.ndarray]:
        """Return the boxes of all faces that there may be, also of those that were not found just now."""
        seen = {each.track for each in tracked}
        missed = [box for track, box in self._tracker.expected.items() if track not in seen]
        return [face_box(each.sighting) for each in tracked] + [face_box(Sighting(box, 0, None)) for box in missed]

    # === People who leave ===

    def _leave(self, track: int) -> None:
        visitor = self._here.pop(track)
        self._labels.pop(track, None)
        for complete in self._memory.left(visitor):
            self._complete(complete)

    def _complete(self, visitor: Visitor) -> None:
        self._visitors += 1
        self._zone_people += visitor.zone_seconds > 0
        self._zone_seconds += visitor.zone_seconds
        if self._report:
            self._report.person(visitor)

    def _finish(self) -> None:
        for track in list(self._here):
            self._leave(track)
        for visitor in self._memory.forget():
            self._complete(visitor)
        if self._drawn:
            self._drawn.close()
        if self._report:
            for row in self._counts.rest():
                self._report.minute(row)
            self._report.close(self.summary)

    @property
    def summary(self) -> dict:
        """What was counted until now, as `summary.json` holds it; who is still there is not among the visitors yet."""
        total, video = self._counts.total, self._video
        frames = max(1, total.frames)
        return {
            "video": video.name,
            "ended": self._ended,
            "seconds": round(self._last, 3),
            "frames": total.frames,
            "broken_frames": video.broken,
            "missed_frames": video.missed,
            "breaks": video.breaks,
            "visitors": self._visitors + len(self._here),
            "most_present": total.most,
            "mean_present": round(total.present / frames, 3),
            "line": {"entered": total.entered, "left": total.left} if self._settings.line else None,
            "zone": self._settings.zone
            and {
                "people": self._zone_people,
                "mean_seconds": round(self._zone_seconds / self._zone_people, 3) if self._zone_people else None,
            },
            "joined_again": bool(self._recognize),
            "milliseconds_per_frame": {
                step: round(1000 * spent / frames, 2) for step, spent in self._seconds.of.items()
            },
        }


def face_box(sighting: Sighting) -> np.ndarray:
    """Return where the face of somebody is: found, or, of a body without one, in its upper third."""
    if sighting.face:
        x, y, width, height = sighting.face.box
        return np.array([x, y, x + width, y + height])
    left, top, right, bottom = sighting.box
    tall = bottom - top > 1.8 * (right - left)
    return np.array([left, top, right, top + (bottom - top) / 3 if tall else bottom])


def count_people(
    video: str | Path | int,
    model: MultiTaskModel | Path | str | None = None,
    out: Path | str | None = None,
    settings: CountSettings | None = None,
) -> dict:
    """Count the people in a video file, a webcam (its number) or a stream (its address), and return the summary.

    `model` answers about each person, averaged over the frames in which they are seen. `out` is a folder for
    `people.csv`, `minutes.csv`, `summary.json`, figures and a drawn video. `docs/people.md` says what they hold.
    """
    return PeopleCounter(video, model, out, settings).run()
