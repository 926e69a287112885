"""Sightings joined over time, by ByteTrack (Zhang et al., 2022) of the package trackers: which are one person."""

from typing import NamedTuple

import numpy as np

from mtl_keras.extras import needed
from mtl_keras.serving.people.sightings import Sighting

# A person who is not seen for longer than this is gone; whoever comes later is another one.
PATIENCE = 2.0
# Frames in a row in which somebody must be seen to be counted.
FRAMES_TO_COUNT = 3
# Detections of less confidence start no track, but hold one that there is.
START, HOLD = 0.7, 0.6
OVERLAP = 0.1


class Tracked(NamedTuple):
    """A sighting, and the number of the track that it belongs to; -1 as long as it may be nobody."""

    track: int
    sighting: Sighting


class Tracker:
    """Joins sightings into tracks, numbered from 1; `frame_rate` is that of the frames that are looked at."""

    def __init__(self, frame_rate: float, patience: float = PATIENCE):
        self._supervision = needed("supervision", "people")
        self._tracker = needed("trackers", "people").ByteTrackTracker(
            lost_track_buffer=round(30 * patience),  # in frames of thirty a second, whatever the rate
            frame_rate=frame_rate,
            track_activation_threshold=START,
            minimum_consecutive_frames=FRAMES_TO_COUNT,
            minimum_iou_threshold=OVERLAP,
            high_conf_det_threshold=HOLD,
        )
        self._seen: dict[int, np.ndarray] = {}

    def update(self, seconds: float, sightings: list[Sighting]) -> list[Tracked]:
        """Return the sightings of a frame with their tracks; time must go forward."""
        found = self._supervision.Detections(
            xyxy=np.array([sighting.box for sighting in sightings]).reshape(-1, 4),
            confidence=np.array([sighting.confidence for sighting in sightings], np.float64),
            data={"place": np.arange(len(sightings))},
        )
        found = self._tracker.update(found, timestamp=seconds)
        places = found.data.get("place", ())
        tracked = [
            Tracked(int(track) + 1 if track >= 0 else -1, sightings[place])
            for track, place in zip(found.tracker_id, places, strict=True)
        ]
        for each in tracked:
            if each.track > 0:
                self._seen[each.track] = each.sighting.box
        return tracked

    def ended(self) -> list[int]:
        """Return the tracks that have ended since this was last asked."""
        alive = self.expected
        gone = [track for track in self._seen if track not in alive]
        for track in gone:
            del self._seen[track]
        return gone

    @property
    def seen(self) -> dict[int, np.ndarray]:
        """Where everyone who is not gone was last seen: {track: (x1, y1, x2, y2)}."""
        return self._seen

    @property
    def expected(self) -> dict[int, np.ndarray]:
        """Where everyone who is not gone should be now, by their motion, also who is hidden: {track: box}."""
        found = self._tracker.tracked_objects
        return {int(track) + 1: box for track, box in zip(found.tracker_id, found.xyxy, strict=True)}
