"""How far the runs of a results table are, and about how long all that are left will take."""

from dataclasses import replace
from operator import itemgetter

from mtl_keras.studies.settings import Experiment, last_stage


class Progress:
    """The planned runs, each stage on its own, and how fast the finished ones were.

    A run's time is estimated from the images that it will see in all its epochs and from the images a second of a
    finished run of the same stage, that of the network most like its own: by its backbone, what tasks share, the size
    of images and the number of tasks.
    """

    def __init__(self):
        self.planned: dict[Experiment, float] = {}
        self.left: set[Experiment] = set()
        self._speeds: dict[Experiment, float] = {}

    def plan(self, settings: Experiment, images: float) -> None:
        """Count a run of one stage, which sees that many images in all its epochs; a repeated one counts once."""
        self.planned[_key(settings)] = images
        self.left.add(_key(settings))

    def finished(self, settings: Experiment, seconds: float | None) -> None:
        """Note that a run is finished, and in how many seconds, where that is known."""
        self.left.discard(_key(settings))
        if seconds and _key(settings) in self.planned:
            self._speeds[_key(settings)] = self.planned[_key(settings)] / seconds

    def words(self, settings: Experiment, done: float = 0.0) -> str:
        """Return words such as ", run 2 of 4, about 3 minutes left" for a run that starts now; "" if it is not planned.

        `done` is the share of it that an earlier call has trained.
        """
        if (settings := _key(settings)) not in self.left:
            return ""
        place = f", run {len(self.planned) - len(self.left) + 1} of {len(self.planned)}"
        seconds = [self._seconds(each) for each in self.left]
        if None in seconds:
            return place
        return f"{place}, {in_words(sum(seconds) - done * self._seconds(settings))} left"

    def _seconds(self, settings: Experiment) -> float | None:
        """Return about how long a run takes; None where none of its stage is finished."""
        stage = last_stage(settings)
        finished = [(other, speed) for other, speed in self._speeds.items() if last_stage(other) == stage]
        known = [(_likeness(settings, other), speed) for other, speed in reversed(finished)]
        # Of several equally like it, `max` takes the first, and so the last that was finished.
        return self.planned[settings] / max(known, key=itemgetter(0))[1] if known else None


def _likeness(one: Experiment, other: Experiment) -> list[bool]:
    """Return what two networks have in common of what decides how long an image takes, the most important first."""
    several = ("backbone", "sharing", "image_size")
    same = [getattr(one, name) == getattr(other, name) for name in several]
    return [*same, len(one.tasks) == len(other.tasks)]


def _key(settings: Experiment) -> Experiment:
    """Return what tells a planned run apart: where its teacher lies turns out only once that is trained."""
    return replace(settings, teacher=None)


def in_words(seconds: float) -> str:
    """Return a time in words, such as "about 3 minutes"."""
    if seconds < 60:
        return "less than a minute"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} minute{'s' if seconds >= 90 else ''}"
    return f"about {seconds / 3600:.1f} hours"
