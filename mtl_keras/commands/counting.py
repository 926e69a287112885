"""The options of `mtl-keras count`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from mtl_keras.commands.asking import Asked


@dataclass(frozen=True)
class Count(Asked):
    """Count the people in a video, and say what a model answers about each; faces in the drawn video are hidden.

    Example: mtl-keras count shop.mp4 --line 240,0,240,270 --out counted
    """

    # A video file, the number of a webcam, or an RTSP or HTTP address.
    video: Positional[str]
    # Folder of a trained model, or of an exported one, that answers about each person; without it, the model that comes
    # with the package. With "none" people are only counted.
    model: Annotated[Path | None, arg(metavar="DIR")] = None
    # A line whose crossings are counted, in pixels: whoever goes to its left, seen along it, has entered.
    line: Annotated[str | None, arg(metavar="X1,Y1,X2,Y2")] = None
    # A zone in which the time of each person is measured, in pixels.
    zone: Annotated[str | None, arg(metavar="X1,Y1,X2,Y2,...")] = None
    # Folder for tables, summary, figures and the drawn video; without one only the summary is printed.
    out: Annotated[Path | None, arg(metavar="DIR")] = None
    # Look at one of this number of frames.
    every: int = 1
    # Leave the faces in the drawn video as they are.
    show_faces: bool = False
    # Weights file of FaceNet, or its published name: whoever comes back within the video is not counted again.
    reidentify: Annotated[str | None, arg(metavar="WEIGHTS")] = None
    # What finds people: yunet or mtcnn for faces, "keras_hub:PRESET" (such as dfine_nano_coco) for whole bodies.
    detector: str | None = None
    # End after this number of seconds of the video.
    stop_after: Annotated[float | None, arg(metavar="SECONDS")] = None
