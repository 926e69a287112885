"""How well tracks follow people whose places are known: HOTA and IDF1, by the package trackeval."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mtl_keras.extras import needed
from mtl_keras.portraits.moving import Seen
from mtl_keras.portraits.scenes import LINE, Known
from mtl_keras.serving.people.counts import Places
from mtl_keras.serving.people.sightings import Sighting
from mtl_keras.serving.people.tracks import Tracked, Tracker


class Scores(NamedTuple):
    """HOTA (Luiten et al., 2020), its parts for detection and association, IDF1 (Ristani et al., 2016), all 0 to 1.

    `switches` counts how often somebody goes on under another number.
    """

    hota: float
    deta: float
    assa: float
    idf1: float
    switches: int


def tracking_scores(truth: list[dict[int, np.ndarray]], found: list[list[Tracked]]) -> Scores:
    """Score the tracks of each frame against the boxes {person: (x1, y1, x2, y2)} of all who can be seen in it."""
    boxes_of = [{each.track: each.sighting.box for each in frame if each.track > 0} for frame in found]
    people, tracks = (sorted({key for frame in side for key in frame}) for side in (truth, boxes_of))
    data = {
        "num_timesteps": len(truth),
        "num_gt_ids": len(people),
        "num_tracker_ids": len(tracks),
        "num_gt_dets": sum(map(len, truth)),
        "num_tracker_dets": sum(map(len, boxes_of)),
        "gt_ids": [np.array([people.index(key) for key in frame], int) for frame in truth],
        "tracker_ids": [np.array([tracks.index(key) for key in frame], int) for frame in boxes_of],
        "similarity_scores": [
            overlaps(np.array([*known.values()]), np.array([*boxes.values()]))
            for known, boxes in zip(truth, boxes_of, strict=True)
        ],
    }
    metrics = needed("trackeval", "test").metrics
    hota = metrics.HOTA().eval_sequence(data)
    identity = metrics.Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    clear = metrics.CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    parts = (float(hota[name].mean()) for name in ("HOTA", "DetA", "AssA"))
    return Scores(*parts, float(identity["IDF1"]), int(clear["IDSW"]))


def overlaps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the intersection over union (N, M) of boxes (N, 4) and (M, 4)."""
    one, other = one.reshape(-1, 1, 4), other.reshape(1, -1, 4)
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = sides.clip(0).prod(axis=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=-1) for boxes in (one, other)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-9)


class Followed(NamedTuple):
    """A known scene followed by a tracker: its scores, and how many people and crossings were counted."""

    scores: Scores
    visitors: int
    entered: int
    left: int


def follow(known: Known, see: Callable[[np.ndarray, list[Seen]], list[Sighting]]) -> Followed:
    """Follow the people of a known scene; `see` gets each frame's pixels and its truth."""
    scene = known.scene
    tracker, places = Tracker(scene.frame_rate), Places(LINE, None, "CENTER")
    truth, found, entered, left = [], [], 0, 0
    for number in range(scene.frames):
        pixels, seen = scene.frame(number)
        truth.append({each.person: each.box for each in seen})
        found.append(tracker.update(number / scene.frame_rate, see(pixels, seen)))
        passing = places.passing(tracker)
        entered, left = entered + sum(p.entered for p in passing.values()), left + sum(p.left for p in passing.values())
        tracker.ended()
    tracks = {each.track for frame in found for each in frame if each.track > 0}
    return Followed(tracking_scores(truth, found), len(tracks), entered, left)


class NoisyTruth:
    """Sees who is known to be there, as a detector of this quality would: it misses a share, and boxes are shifted.

    `shift` is the standard deviation of a box's corners as a share of its width.
    """

    def __init__(self, seed: int = 0, missed: float = 0.1, shift: float = 0.04):
        self._random, self._missed, self._shift = np.random.default_rng(seed), missed, shift

    def __call__(self, pixels: np.ndarray, seen: list[Seen]) -> list[Sighting]:
        """Return the sightings of a frame from its truth."""
        sightings = []
        for each in seen:
            confidence = self._random.uniform(0.5, 1.0) if each.visible < 0.8 else 0.95
            box = each.box + self._random.normal(0, self._shift * (each.box[2] - each.box[0]), 4)
            if self._random.random() >= self._missed:
                sightings.append(Sighting(box, confidence, None))
        return sightings
