"""People in a video counted: the steps of this folder, one after the other, for each frame."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mtl_keras.serving.drawing import describe
from mtl_keras.serving.people.counts import Counts, Places, check_in_picture
from mtl_keras.serving.people.drawn_video import DrawnVideo
from mtl_keras.serving.people.looks import answers_together
from mtl_keras.serving.people.recognizing import Recognizing
from mtl_keras.serving.people.report import Report
from mtl_keras.serving.people.settings import CountSettings
from mtl_keras.serving.people.sightings import Bodies, Sighting, seeing
from mtl_keras.serving.people.tracks import Tracker
from mtl_keras.serving.people.video import Frame, Video, ahead
from mtl_keras.serving.people.visitors import Memory, Visitor, Visitors
from mtl_keras.serving.predictor import NO_DETECTOR, Predictor
from mtl_keras.training.model import MultiTaskModel

# Networks look at everyone together, which costs little more than at one, and not again for this number of seconds.
LOOK_SECONDS = 0.4


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
        self._answer = None if model is None else Predictor(model, detector=NO_DETECTOR)
        self._recognize = Recognizing(settings.reidentify) if settings.reidentify else None
        self.tasks = self._answer.tasks if self._answer else []
        self._tracker, self._counts = Tracker(rate), Counts()
        self._visitors = Visitors(Memory(settings.same_person), self._complete)
        self._report = Report(Path(out), self.tasks) if out else None
        path = Path(out) / "annotated.mp4" if out else None
        self._drawn = path and DrawnVideo(path, rate, self._places, settings.show_faces)
        self._next_look, self._last = 0.0, 0.0
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
            passing = self._places.passing(self._tracker)
            new = self._visitors.note(frame.seconds, counted, passing)
            entered = sum(does.entered for does in passing.values())
            left = sum(does.left for does in passing.values())
            self._write_minutes(self._counts.add(frame.seconds, len(counted), new, entered, left))
        with self._seconds("answering"):
            self._look(frame, counted)
        if self._drawn:
            with self._seconds("drawing"):
                labels = {track: visitor.label for track, visitor in self._visitors.here.items() if visitor.label}
                self._drawn.add(frame.pixels, tracked, self._tracker.expected, labels)
        self._visitors.leave(self._tracker.ended())
        self._last = frame.seconds

    def _look(self, frame: Frame, counted: dict[int, Sighting]) -> None:
        """Let the networks look at everyone whose face is seen, where it is time."""
        due = [track for track, sighting in counted.items() if sighting.face]
        if frame.seconds < self._next_look or not due or not (self._answer or self._recognize):
            return
        self._next_look = frame.seconds + LOOK_SECONDS
        people = [self._visitors.here[track] for track in due]
        faces = self._see.closely(frame.pixels, [counted[track].face for track in due])
        if self._answer:
            for visitor, person in zip(people, self._answer.about(frame.pixels, faces), strict=True):
                visitor.looks.add(person.outputs, person.reliable)
        if self._answer and self._drawn:
            answers = answers_together([visitor.looks for visitor in people], self.tasks)
            for track, visitor, answer in zip(due, people, answers, strict=True):
                visitor.label = ", ".join([f"#{track}", *describe(answer)])
        if self._recognize:
            for visitor, features in zip(people, self._recognize(frame.pixels, faces), strict=True):
                visitor.remember(features)

    # === What is written ===

    def _write_minutes(self, rows: list[dict]) -> None:
        if self._report:
            for row in rows:
                self._report.minute(row)

    def _complete(self, visitor: Visitor) -> None:
        if self._report:
            self._report.person(visitor)

    def _finish(self) -> None:
        self._visitors.end()
        if self._drawn:
            self._drawn.close()
        if self._report:
            self._write_minutes(self._counts.rest())
            self._report.close(self.summary)

    @property
    def summary(self) -> dict:
        """What was counted until now, as `summary.json` holds it; `zone` without those who are still there."""
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
            "visitors": self._visitors.number,
            "most_present": total.most,
            "mean_present": round(total.present / frames, 3),
            "line": {"entered": total.entered, "left": total.left} if self._settings.line else None,
            "zone": self._visitors.zone if self._settings.zone else None,
            "joined_again": bool(self._recognize),
            "milliseconds_per_frame": {
                step: round(1000 * spent / frames, 2) for step, spent in self._seconds.of.items()
            },
        }


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
