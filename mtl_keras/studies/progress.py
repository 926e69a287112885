"""How far the runs of a results table are, and about how long all that are left will take."""

from dataclasses import replace

from mtl_keras.studies.settings import Experiment, last_stage


class Progress:
    """The planned runs, each stage on its own, and how fast the finished ones were.

    A run's time is estimated from the images that it will see in all its epochs and from the images a second of the
    last finished run of the same stage, if there is one of the same backbone.
    """

    def __init__(self):
        self.planned: dict[Experiment, float] = {}
        self.left: set[Experiment] = set()
        self._speeds: dict[tuple[str, str], float] = {}

    def plan(self, settings: Experiment, images: float) -> None:
        """Count a run of one stage, which sees that many images in all its epochs; a repeated one counts once."""
        self.planned[_key(settings)] = images
        self.left.add(_key(settings))

    def finished(self, settings: Experiment, seconds: float | None) -> None:
        """Note that a run is finished, and in how many seconds, where that is known."""
        self.left.discard(_key(settings))
        if seconds and _key(settings) in self.planned:
            self._speeds[last_stage(settings), settings.backbone] = self.planned[_key(settings)] / seconds

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
        alike = [speed for (other, _), speed in self._speeds.items() if other == stage]
        speed = self._speeds.get((stage, settings.backbone), alike[-1] if alike else None)
        return speed and self.planned[settings] / speed


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
