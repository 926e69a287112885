"""The frames of a video with what was counted drawn on them, and faces made unrecognizable, as a video file."""

from pathlib import Path

import numpy as np

from mtl_keras.colors import COLORS
from mtl_keras.errors import UserError
from mtl_keras.extras import needed
from mtl_keras.files import check_writable
from mtl_keras.serving.people.counts import Places
from mtl_keras.serving.people.sightings import Sighting
from mtl_keras.serving.people.tracks import Tracked

# A face is shown as this number of squares across, at any size, and so is this share of its side around it.
SQUARES, AROUND = 5, 0.2


class DrawnVideo:
    """A video file that gets frame after frame: boxes with labels, paths, the line and the zone.

    `frame_rate` is that of the frames that are added. Unless `show_faces`, faces are hidden by a few squares.
    """

    def __init__(self, path: Path, frame_rate: float, places: Places, show_faces: bool):
        check_writable(path)
        self._cv2, self._supervision = needed("cv2", "people"), needed("supervision", "people")
        self._path, self._rate, self._places, self._show_faces = path, frame_rate, places, show_faces
        self._video = None

    def add(
        self, pixels: np.ndarray, tracked: list[Tracked], expected: dict[int, np.ndarray], labels: dict[int, str]
    ) -> None:
        """Add a frame (H, W, 3) uint8 RGB with those who are seen.

        Hidden are also the faces of those who are not found just now: `expected` says where everyone should be,
        {track: (x1, y1, x2, y2)}.
        """
        if self._video is None:
            self._open(pixels.shape[1], pixels.shape[0])
        # Both `supervision` and OpenCV take the colors in this order.
        picture = self._cv2.cvtColor(pixels, self._cv2.COLOR_RGB2BGR)
        if not self._show_faces:
            seen = {each.track for each in tracked}
            missed = [Sighting(box, 0, None) for track, box in expected.items() if track not in seen]
            for sighting in (*(each.sighting for each in tracked), *missed):
                hide(picture, face_box(sighting), self._cv2)
        self._video.write(self._drawn(picture, tracked, labels))

    def close(self) -> None:
        """Complete the file."""
        if self._video is not None:
            self._video.release()
            self._video = None

    def _open(self, width: int, height: int) -> None:
        code = self._cv2.VideoWriter_fourcc(*"mp4v")
        self._video = self._cv2.VideoWriter(str(self._path), code, self._rate, (width, height))
        if not self._video.isOpened():
            raise UserError(f"{self._path}: this OpenCV cannot write an MP4 video; install opencv-python-headless")
        make, letters = self._supervision, max(width, height) / 2000
        colors = make.ColorPalette.from_hex(list(COLORS))
        # Drawn where a track stands in the palette, so that a person keeps a color.
        by_track, thick = make.ColorLookup.TRACK, max(1, round(max(width, height) / 400))
        self._boxes = make.BoxAnnotator(colors, thick, color_lookup=by_track)
        self._labels = make.LabelAnnotator(
            colors, text_scale=letters, text_padding=3, smart_position=True, color_lookup=by_track
        )
        self._paths = make.TraceAnnotator(
            colors, thickness=thick, trace_length=round(self._rate), color_lookup=by_track
        )
        line, zone = self._places.line, self._places.zone
        text = {"thickness": thick, "text_scale": letters}
        self._line = line and make.LineZoneAnnotator(
            **text, text_thickness=1, text_padding=4, custom_in_text="entered", custom_out_text="left"
        )
        self._zone = zone and make.PolygonZoneAnnotator(zone, **text, opacity=0.15)

    def _drawn(self, picture: np.ndarray, tracked: list[Tracked], labels: dict[int, str]) -> np.ndarray:
        counted = [each for each in tracked if each.track > 0]
        found = self._supervision.Detections(
            xyxy=np.array([each.sighting.box for each in counted]).reshape(-1, 4),
            tracker_id=np.array([each.track for each in counted], int),
        )
        if self._zone:
            picture = self._zone.annotate(picture)
        if self._line:
            picture = self._line.annotate(picture, self._places.line)
        if not counted:
            return picture
        picture = self._boxes.annotate(self._paths.annotate(picture, found), found)
        return self._labels.annotate(
            picture, found, [labels.get(each.track, f"#{each.track}").replace("±", "+-") for each in counted]
        )


def hide(picture: np.ndarray, box: np.ndarray, cv2) -> None:
    """Make the face in a box of a picture (H, W, 3) unrecognizable, in place.

    Whatever its size it becomes a few squares: a blur of one width would leave large faces as they are.
    """
    left, top, right, bottom = box
    x, y = AROUND * (right - left), AROUND * (bottom - top)
    corners = np.array([left - x, top - y, right + x, bottom + y]).round().astype(int)
    left, top, right, bottom = corners.clip(0, (picture.shape[1], picture.shape[0]) * 2)
    if left < right and top < bottom:
        face = picture[top:bottom, left:right]
        small = cv2.resize(face, (SQUARES, SQUARES), interpolation=cv2.INTER_AREA)
        face[:] = cv2.resize(small, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)


def face_box(sighting: Sighting) -> np.ndarray:
    """Return where the face of somebody is: found, or, of a body without one, in its upper third."""
    if sighting.face:
        x, y, width, height = sighting.face.box
        return np.array([x, y, x + width, y + height])
    left, top, right, bottom = sighting.box
    tall = bottom - top > 1.8 * (right - left)
    return np.array([left, top, right, top + (bottom - top) / 3 if tall else bottom])
