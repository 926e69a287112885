"""The frames of a video file, a webcam or a network camera, decoded beside the work and with breaks survived."""

import os
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from queue import Empty, Full, Queue
from typing import NamedTuple

import numpy as np

from mtl_keras.data.image_formats import START, format_of
from mtl_keras.errors import UserError
from mtl_keras.extras import needed

ADDRESS = re.compile(r"(rtsps?|rtmps?|https?|udp|tcp)://", re.IGNORECASE)
# Frames that wait for the work; more would only use memory.
WAITING = 8
# A frame that cannot be decoded is passed over; after this number of them in a row the video has ended.
BROKEN_IN_ROW = 30
# Seconds before a stream that broke off is asked again; one that gives no frame after all of these has ended.
PAUSES = (1, 2, 4, 8, 15)
USUAL_RATE = 25.0
# FFmpeg draws a file of text as a terminal would, and says that it is coded so.
TEXT = int.from_bytes(b"ansi", "little")


class Frame(NamedTuple):
    """One frame: its number from 0, its time since the start in seconds, and its `pixels` (H, W, 3) uint8 RGB."""

    number: int
    seconds: float
    pixels: np.ndarray


class Video:
    """A video that is read once from its start: a file, the number of a webcam, or an RTSP or HTTP address.

    Of a live one frames that come faster than they are worked on are left out, and it is asked again when it breaks
    off. `broken` counts frames that could not be decoded, `missed` those that were left out, and `breaks` how many
    times a stream broke off and came back.
    """

    def __init__(self, place: str | Path | int, every: int = 1):
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its notes on every broken packet
        self._cv2 = needed("cv2", "people")
        self._cv2.utils.logging.setLogLevel(self._cv2.utils.logging.LOG_LEVEL_SILENT)
        self._place, self.name = _place_of(place)
        self.every, self.broken, self.missed, self.breaks = every, 0, 0, 0
        self._capture = self._opened()
        if self._capture is None or self._capture.get(self._cv2.CAP_PROP_FOURCC) == TEXT:
            kind = (
                "cannot be opened as a video; expected a video file, the number of a webcam, or an RTSP or HTTP address"
            )
            raise UserError(f"{self.name}: {kind}")
        rate = self._capture.get(self._cv2.CAP_PROP_FPS)
        self.frame_rate = rate if 1 <= rate <= 240 else USUAL_RATE
        count = self._capture.get(self._cv2.CAP_PROP_FRAME_COUNT)
        self.length = int(count) if not isinstance(self._place, int) and count > 0 else None
        # Whether frames come when they are made, not when they are asked for. A file that does not say how many it has,
        # as a recording that broke off, is none such.
        self.live = self.length is None and (isinstance(self._place, int) or bool(ADDRESS.match(self._place)))
        self.size = tuple(
            int(self._capture.get(side)) for side in (self._cv2.CAP_PROP_FRAME_WIDTH, self._cv2.CAP_PROP_FRAME_HEIGHT)
        )
        self._stopped = threading.Event()

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame, or one of `every`; another thread decodes the next ones meanwhile."""
        return ahead(self._decoded(), WAITING, self._missed if self.live else None)

    # === In the thread ===

    def _missed(self) -> None:
        self.missed += 1

    def _decoded(self) -> Generator[Frame]:
        start, last, number, failed = time.monotonic(), -1.0, -1, 0
        while not self._stopped.is_set():
            pixels = self._read(wanted=(number + 1) % self.every == 0)
            if pixels is None:
                failed += 1
                if not self._over(number, failed):
                    continue
                self._capture.release()
                if number < 0:
                    raise UserError(f"{self.name}: no frame of it can be decoded; expected a video that OpenCV plays")
                # What should have come and did not was broken; behind the end of a stream nothing should. By the time,
                # since of some files the number of frames is a guess.
                missing = (self.length or 0) - self.frame_rate * last - 1
                self.broken += 0 if self.live else max(0, round(missing))
                return
            if failed and not self.live:
                self.broken += failed
                number += failed
            number, failed = number + 1, 0
            seconds = time.monotonic() - start if self.live else self._time_of(number, last)
            last = max(seconds, last + 1e-3)  # time goes forward
            if number % self.every == 0 and len(pixels):
                yield Frame(number, last, self._cv2.cvtColor(pixels, self._cv2.COLOR_BGR2RGB))

    def _read(self, wanted: bool) -> np.ndarray | None:
        """Return the next frame, an empty one where it is not wanted, None where there is none that can be decoded."""
        try:
            if not wanted:
                return np.empty(0) if self._capture.grab() else None
            done, pixels = self._capture.read()
        except self._cv2.error:
            return None
        return pixels if done and pixels is not None and pixels.ndim == 3 and pixels.shape[2] == 3 else None

    def _time_of(self, number: int, last: float) -> float:
        """Return the seconds at which a frame of a file stands, as the file says, or else by its number."""
        seconds = self._capture.get(self._cv2.CAP_PROP_POS_MSEC) / 1000
        return seconds if seconds > last and number else number / self.frame_rate

    def _over(self, number: int, failed: int) -> bool:
        """Tell whether no frame will come any more; a stream that broke off is opened again first."""
        if not self.live:
            return failed >= BROKEN_IN_ROW or (self.length is not None and number + failed >= self.length)
        self._capture.release()
        if failed > len(PAUSES) or self._stopped.wait(PAUSES[failed - 1]):
            return True
        if capture := self._opened():
            self._capture, self.breaks = capture, self.breaks + 1
        return False

    def _opened(self) -> object | None:
        """Return OpenCV's reader of the video, None where it cannot be opened."""
        limits = [self._cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 10_000, self._cv2.CAP_PROP_READ_TIMEOUT_MSEC, 10_000]
        try:
            if isinstance(self._place, int):
                capture = self._cv2.VideoCapture(self._place)
            else:
                capture = self._cv2.VideoCapture(self._place, self._cv2.CAP_FFMPEG, limits)
        except self._cv2.error:
            return None
        return capture if capture.isOpened() else None


def ahead(items: Generator, most: int = 2, missed: Callable[[], None] | None = None) -> Iterator:
    """Yield the items of an iterator that works in a thread of its own, up to `most` items ahead.

    With `missed`, an item that finds no place takes that of the oldest that waits, and `missed` is called.
    """
    queue, stopped = Queue(most), threading.Event()

    def put(kind: str, item: object) -> None:
        while not stopped.is_set():
            try:
                queue.put((kind, item), timeout=0.1)
                return
            except Full:
                if missed and kind == "item":
                    with suppress(Empty):
                        queue.get_nowait()
                        missed()

    def work() -> None:
        try:
            with closing(items):
                for item in items:
                    put("item", item)
                    if stopped.is_set():
                        return
            put("end", None)
        except BaseException as error:  # whoever waits must hear of it, or would wait for ever
            put("error", error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, item = queue.get()
            if kind == "error":
                raise item
            if kind == "end":
                return
            yield item
    finally:
        stopped.set()
        thread.join(timeout=5)


def _place_of(place: str | Path | int) -> tuple[str | int, str]:
    """Return a video's place as OpenCV takes it, and its name without folders, passwords and what is asked for."""
    if isinstance(place, bool) or not isinstance(place, str | Path | int):
        raise UserError(f"video {place!r}: expected a file, the number of a webcam, or an RTSP or HTTP address")
    if isinstance(place, int) or (isinstance(place, str) and re.fullmatch(r"\d{1,3}", place)):
        return int(place), f"webcam {int(place)}"
    if isinstance(place, str) and ADDRESS.match(place):
        return place, re.sub(r"//[^/@]*@", "//", place).split("?")[0]
    if not Path(place).is_file():
        what = "is a folder" if Path(place).is_dir() else "no such file"
        raise UserError(f"{place}: {what}; expected a video file, the number of a webcam, or an address")
    if _is_photo(Path(place)):
        raise UserError(f"{place}: is an image; expected a video (`mtl-keras predict` answers about images)")
    return str(place), Path(place).name


def _is_photo(place: Path) -> bool:
    """Return whether a file holds one image; a GIF, or JPEG images one after the other, may be a video."""
    with suppress(UserError, OSError), place.open("rb") as file:
        return format_of(file.read(START)).name != "GIF" and place.suffix.lower() not in (".mjpeg", ".mjpg")
    return False
