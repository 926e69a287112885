"""Drawn people who walk through a drawn shop, and a video of them whose truth is known: who is where, in each frame."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from mtl_keras.errors import UserError
from mtl_keras.extras import needed
from mtl_keras.files import replacing
from mtl_keras.portraits.drawer import cut_out
from mtl_keras.portraits.look import Portrait
from mtl_keras.portraits.scene import Frame

# The box (left, top, right, bottom) of a drawn face as a share of its side: medians of the boxes that YuNet finds.
FACE = np.array([0.16, 0.14, 0.81, 0.95])
# A face that is hidden, or outside of the picture, by more than this share can be found by nobody.
HIDDEN = 0.6
# How much of a person is drawn around the face, as a share of its side: to the left, above, and in all.
LEFT, ABOVE, WIDTH, HEIGHT = 0.25, 0.30, 1.5, 3.4


class Stop(NamedTuple):
    """Where a person is at a time: the middle (x, y) of the face in pixels, and its side."""

    seconds: float
    x: float
    y: float
    side: float


@dataclass(frozen=True)
class Walker:
    """A drawn person, who goes straight from stop to stop and is seen only between the first and the last."""

    portrait: Portrait
    stops: tuple[Stop, ...]

    def at(self, seconds: float) -> tuple[float, float, float] | None:
        """Return x, y and side of the face at a time, None where the person is away."""
        times = [stop.seconds for stop in self.stops]
        if not times[0] <= seconds <= times[-1]:
            return None
        return tuple(float(np.interp(seconds, times, places)) for places in list(zip(*self.stops, strict=True))[1:])

    @cached_property
    def picture(self) -> Image.Image:
        """The person as drawn once, at the largest size that is ever seen."""
        side = round(max(stop.side for stop in self.stops))
        frame = Frame(round(WIDTH * side), round(HEIGHT * side), side, round(LEFT * side), round(ABOVE * side))
        return Image.fromarray(cut_out(self.portrait, frame))


class Seen(NamedTuple):
    """The truth about one person in a frame: a number a person, the `box` (x1, y1, x2, y2), and its visible share."""

    person: int
    box: np.ndarray
    visible: float


@dataclass(frozen=True)
class Scene:
    """What a video shows: people in a shop; walkers of one portrait are one person who comes back.

    A larger face is nearer, and hides those behind it.
    """

    walkers: tuple[Walker, ...]
    seconds: float
    width: int = 480
    height: int = 270
    frame_rate: float = 12.0

    @property
    def frames(self) -> int:
        """How many frames the video has."""
        return round(self.seconds * self.frame_rate)

    @cached_property
    def people(self) -> list[Portrait]:
        """Everyone who is seen, each once: the places in this list number the people."""
        return list(dict.fromkeys(walker.portrait for walker in self.walkers))

    @cached_property
    def _shop(self) -> Image.Image:
        return shop(self.width, self.height)

    def frame(self, number: int) -> tuple[np.ndarray, list[Seen]]:
        """Return a frame (H, W, 3) uint8 and the truth about all who are not hidden in it."""
        picture, truth = self._shop.copy(), []
        owner = np.full((self.height, self.width), -1)
        found = [(walker, walker.at(number / self.frame_rate)) for walker in self.walkers]
        here = sorted(((walker, place) for walker, place in found if place), key=lambda each: each[1][2])
        for index, (walker, (x, y, side)) in enumerate(here):
            person = walker.picture.resize((round(WIDTH * side), round(HEIGHT * side)), Image.Resampling.BILINEAR)
            corner = (round(x - (0.5 + LEFT) * side), round(y - (0.5 + ABOVE) * side))
            picture.paste(person, corner, person)
            _own(owner, index, np.asarray(person)[:, :, 3] > 127, corner)
        for index, (walker, (x, y, side)) in enumerate(here):
            box = side * (FACE - 0.5) + (x, y, x, y)
            left, top, right, bottom = np.round(box).astype(int)
            inside = owner[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
            visible = float((inside == index).sum()) / ((right - left) * (bottom - top))
            if visible >= 1 - HIDDEN:
                truth.append(Seen(self.people.index(walker.portrait), box, visible))
        return np.asarray(picture), truth

    def write(self, path: Path | str) -> Path:
        """Write the video as an MP4 file, for which OpenCV is needed, and return its path."""
        cv2 = needed("cv2", "people")
        with replacing(path) as temporary:
            size = (self.width, self.height)
            video = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*"mp4v"), self.frame_rate, size)
            if not video.isOpened():
                raise UserError(f"{path}: this OpenCV writes no such video; expected a name that ends in .mp4")
            for number in range(self.frames):
                video.write(self.frame(number)[0][:, :, ::-1])
            video.release()
        return Path(path)


def _own(owner: np.ndarray, index: int, opaque: np.ndarray, corner: tuple[int, int]) -> None:
    """Note in `owner` (H, W) which pixels a person's opaque ones (h, w), placed at a corner (x, y), cover."""
    left, top = max(0, corner[0]), max(0, corner[1])
    cut = opaque[top - corner[1] :, left - corner[0] :]
    view = owner[top : top + cut.shape[0], left : left + cut.shape[1]]
    view[cut[: view.shape[0], : view.shape[1]]] = index


def shop(width: int, height: int) -> Image.Image:
    """Draw a shop without people: a wall with shelves, a door at the left, a counter at the right."""
    picture = Image.new("RGB", (width, height), (226, 220, 208))
    pen, random = ImageDraw.Draw(picture), np.random.default_rng(0)
    floor = round(0.72 * height)
    pen.rectangle((0, floor, width, height), fill=(188, 168, 142))
    for x in range(-width, 2 * width, width // 8):  # boards that run towards the back
        pen.line((x, height, width / 2 + (x - width / 2) / 3, floor), fill=(172, 152, 128), width=1)
    for shelf in range(3):
        y = round((0.16 + 0.17 * shelf) * height)
        x = 0.27 * width
        while x < 0.93 * width:
            wide, high = width * random.uniform(0.012, 0.035), height * random.uniform(0.06, 0.12)
            pen.rectangle((x, y - high, x + wide, y), fill=tuple(random.integers(90, 225, 3).tolist()))
            x += wide + width * random.uniform(0.002, 0.02)
        pen.rectangle((0.26 * width, y, 0.94 * width, y + 0.02 * height), fill=(140, 106, 74))
    pen.rectangle(
        (0.04 * width, 0.10 * height, 0.20 * width, floor), fill=(146, 190, 206), outline=(96, 84, 72), width=4
    )
    pen.rectangle((0.72 * width, 0.66 * height, width, 0.88 * height), fill=(120, 86, 58))
    pen.rectangle((0.71 * width, 0.63 * height, width, 0.67 * height), fill=(168, 126, 88))
    return picture
