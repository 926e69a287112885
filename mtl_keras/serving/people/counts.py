"""Who crosses a line and who stays in a zone, with `supervision`; and how many there are, minute by minute."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mtl_keras.errors import UserError
from mtl_keras.extras import needed
from mtl_keras.serving.people.tracks import Tracker

# Frames in a row in which somebody must be behind the line to have crossed it.
FRAMES_BEHIND = 2
# How far beyond the picture a line or a zone may reach, in its longer sides.
FARTHEST = 3


class Passing(NamedTuple):
    """What one person does in a frame."""

    entered: bool
    left: bool
    in_zone: bool


class Places:
    """The line and the zone of a video, and who crosses or is in them.

    A face or body has crossed the line when its whole box is on the other side. Whoever goes to the left of the line,
    as seen from its first point to its second, has `entered`. Somebody is in the zone while the middle of the face is,
    or the feet of a body are, as `anchor` says: "CENTER" or "BOTTOM_CENTER".
    """

    def __init__(self, line: tuple[float, ...] | None, zone: tuple[float, ...] | None, anchor: str):
        self._supervision = supervision = needed("supervision", "people")
        self.line = self.zone = None
        if line:
            ends = supervision.Point(*line[:2]), supervision.Point(*line[2:])
            self.line = supervision.LineZone(*ends, minimum_crossing_threshold=FRAMES_BEHIND)
        if zone:
            corners = np.array(zone).reshape(-1, 2)
            self.zone = supervision.PolygonZone(corners, [supervision.Position(anchor)])

    def passing(self, tracker: Tracker) -> dict[int, Passing]:
        """Return what everyone who is not gone does in a frame: {track: what}.

        Who is hidden for a moment stays where they were, or the line would forget on which side that was.
        """
        boxes = tracker.seen
        found = self._supervision.Detections(
            xyxy=np.array(list(boxes.values())).reshape(-1, 4), tracker_id=np.array(list(boxes), int)
        )
        nobody = np.zeros(len(found), bool)
        entered, left = self.line.trigger(found) if self.line else (nobody, nobody)
        inside = self.zone.trigger(found) if self.zone else nobody
        rows = zip(boxes, entered.tolist(), left.tolist(), inside.tolist(), strict=True)
        return {track: Passing(*row) for track, *row in rows}


@dataclass
class Minute:
    """What happened in one minute: a row of `minutes.csv`, without the number of the minute.

    `present` sums the people over `frames`.
    """

    frames: int = 0
    present: int = 0
    most: int = 0
    new: int = 0
    entered: int = 0
    left: int = 0

    def as_row(self, number: int) -> dict:
        """Return the row of the minute of this number."""
        mean = round(self.present / self.frames, 3) if self.frames else 0
        counted = {"new": self.new, "entered": self.entered, "left": self.left}
        return {"minute": number, "frames": self.frames, "mean_present": mean, "most_present": self.most, **counted}


class Counts:
    """How many people there are over time: `total` of the whole video, and the minutes that are over, to be written."""

    def __init__(self):
        self.total, self._minute, self._number = Minute(), Minute(), 0

    def add(self, seconds: float, present: int, new: int, entered: int, left: int) -> list[dict]:
        """Count one frame more, and return the rows of the minutes that are over with it."""
        over = []
        while seconds >= 60 * (self._number + 1):
            over += self.rest()
            self._number += 1
        for counted in (self.total, self._minute):
            counted.frames, counted.present = counted.frames + 1, counted.present + present
            counted.most, counted.new = max(counted.most, present), counted.new + new
            counted.entered, counted.left = counted.entered + entered, counted.left + left
        return over

    def rest(self) -> list[dict]:
        """Return the row of the minute that is not over, and begin anew."""
        row, self._minute = self._minute.as_row(self._number), Minute()
        return [row]


def check_places(line: tuple[float, ...] | None, zone: tuple[float, ...] | None) -> None:
    """Refuse a line that is none, and a zone of fewer than three corners."""
    if line is not None and (len(line) != 4 or tuple(line[:2]) == tuple(line[2:]) or not np.isfinite(line).all()):
        raise UserError(f"line {_shown(line)}: expected X1,Y1,X2,Y2, two different points in pixels of the video")
    if zone is not None and (len(zone) < 6 or len(zone) % 2 or not np.isfinite(zone).all()):
        raise UserError(f"zone {_shown(zone)}: expected X1,Y1,X2,Y2,X3,Y3,..., at least three corners in pixels")


def check_in_picture(line: tuple[float, ...] | None, zone: tuple[float, ...] | None, size: tuple[int, int]) -> None:
    """Refuse a line or a zone that has nothing in a picture of this width and height, or reaches far beyond it."""
    for name, numbers in (("line", line), ("zone", zone)):
        if numbers is None or not all(size):
            continue
        points = np.array(numbers, float).reshape(-1, 2)
        low, high = points.min(axis=0), points.max(axis=0)
        if (high < 0).any() or (low > size).any() or np.abs(points).max() > FARTHEST * max(size):
            pixels = f"the video has {size[0]} x {size[1]} pixels"
            raise UserError(f"{name} {_shown(numbers)}: expected points in the picture or near it; {pixels}")
        if name == "zone" and not _area(points) > 1:
            raise UserError(f"zone {_shown(numbers)}: has no area; expected corners around some of the picture")


def _area(points: np.ndarray) -> float:
    x, y = points.T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def _shown(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
