"""People: what is known about each, as a track of theirs goes on, and when two tracks are one person."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from mtl_keras.serving.people.counts import Passing
from mtl_keras.serving.people.looks import Looks

# Of people who left, this number of the last ones is remembered, so that memory stays flat for days.
MOST_REMEMBERED = 2000


@dataclass(eq=False)
class Visitor:
    """What is known about one person; times are seconds since the start of the video.

    `seconds` is how long they were there in all, `zone_seconds` how long inside the zone; `entered` and `left` count
    crossings of the line in its two directions. `features` (D,), summed over looks, say who it is, as long as needed.
    `label` is what is drawn beside them.
    """

    tracks: list[int]
    first: float
    last: float
    seconds: float = 0.0
    zone_seconds: float = 0.0
    entered: int = 0
    left: int = 0
    frames: int = 0
    looks: Looks = field(default_factory=Looks)
    features: np.ndarray | None = None
    label: str = ""

    def remember(self, features: np.ndarray | None) -> None:
        """Add the features of one look more; None of one that showed too little."""
        if features is not None:
            self.features = features + (0 if self.features is None else self.features)

    def join(self, other: "Visitor") -> None:
        """Take over what is known about the same person at another time."""
        self.remember(other.features)
        self.tracks += other.tracks
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.seconds, self.zone_seconds = self.seconds + other.seconds, self.zone_seconds + other.zone_seconds
        self.entered, self.left = self.entered + other.entered, self.left + other.left
        self.frames += other.frames
        self.looks.join(other.looks)


class Memory:
    """People who left, by FaceNet's features, so that whoever comes back is not counted again.

    Two are one person where the cosine of their features is at least `threshold`; the most alike are joined.
    """

    def __init__(self, threshold: float, most: int = MOST_REMEMBERED):
        self._threshold, self._most, self._known = threshold, most, []

    def left(self, visitor: Visitor) -> list[Visitor]:
        """Take somebody who left; return those who are complete, since they are forgotten now or have no features."""
        if visitor.features is None:
            return [visitor]
        # Who was there at the same time is somebody else.
        others = [known for known in self._known if known.last < visitor.first or visitor.last < known.first]
        alike = [cosine(known.features, visitor.features) for known in others]
        if alike and max(alike) >= self._threshold:
            known = others[int(np.argmax(alike))]
            known.join(visitor)
            self._known.remove(known)
            self._known.append(known)  # whoever was seen last is forgotten last
        else:
            self._known.append(visitor)
        return [self._known.pop(0)] if len(self._known) > self._most else []

    def forget(self) -> list[Visitor]:
        """Return everyone who is remembered, and forget them."""
        known, self._known = self._known, []
        for visitor in known:
            visitor.features = None
        return known


class Visitors:
    """Everyone who is there, {track: Visitor} as `here`, and sums over those who are gone.

    `complete` is called with each of whom nothing more will be known.
    """

    def __init__(self, memory: Memory, complete: Callable[[Visitor], None]):
        self.here: dict[int, Visitor] = {}
        self._memory, self._complete = memory, complete
        self._gone, self._in_zone, self._zone_seconds = 0, 0, 0.0

    @property
    def number(self) -> int:
        """How many there were until now; who is remembered counts when forgotten."""
        return self._gone + len(self.here)

    @property
    def zone(self) -> dict:
        """How many of those who are gone were in the zone, and for how many seconds each on average."""
        mean = round(self._zone_seconds / self._in_zone, 3) if self._in_zone else None
        return {"people": self._in_zone, "mean_seconds": mean}

    def note(self, seconds: float, seen: Iterable[int], passing: dict[int, Passing]) -> int:
        """Note which tracks are seen in a frame, and what everyone does who is not gone; return how many are new."""
        new = [track for track in seen if track not in self.here]
        for track in new:
            self.here[track] = Visitor([track], seconds, seconds)
        for track, does in passing.items():
            visitor = self.here[track]
            visitor.entered, visitor.left = visitor.entered + does.entered, visitor.left + does.left
            if track in seen:
                passed, visitor.last = seconds - visitor.last, seconds
                visitor.seconds, visitor.frames = visitor.seconds + passed, visitor.frames + 1
                visitor.zone_seconds += passed if does.in_zone else 0
        return len(new)

    def leave(self, tracks: Iterable[int]) -> None:
        """Let the people of these tracks go."""
        for track in tracks:
            self._end(self._memory.left(self.here.pop(track)))

    def end(self) -> None:
        """Let everyone go, and forget all."""
        self.leave(list(self.here))
        self._end(self._memory.forget())

    def _end(self, visitors: list[Visitor]) -> None:
        for visitor in visitors:
            self._gone += 1
            self._in_zone += visitor.zone_seconds > 0
            self._zone_seconds += visitor.zone_seconds
            self._complete(visitor)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return the cosine of the angle between two vectors (D,)."""
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
