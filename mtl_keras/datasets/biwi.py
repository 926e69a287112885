"""BIWI Kinect Head Pose: video frames of people who turn their heads (Fanelli et al., IJCV 2013).

Folders 01 to 24 are one recording each, of 20 people; `frame_00003_rgb.png` has its pose in `frame_00003_pose.txt`:
three lines with the matrix that turns the head in the camera's frame (x to the image's right, y down, z away from the
camera), an empty line, and the head's place in millimetres. Depth maps and masks are not read.
Yaw, pitch and roll are those turns that, as `mtl_keras.rotations` defines them, give this matrix: the angles that
articles on head pose take from its transpose. The data (non-commercial research) are at https://icu.ee.ethz.ch/research/datsets.html.
"""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras import rotations
from mtl_keras.datasets.poses import pose_table
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.files import folder_of, image_files

_FRAME = re.compile(r"(frame_[0-9]+)_rgb\.(?:png|jpe?g|bmp)", re.IGNORECASE)
# Four of the 20 people were recorded twice.
SAME_PERSON = {"21": "02", "15": "03", "18": "05", "22": "07"}
# From y up and z towards the viewer to y down and z away.
CAMERA = np.diag([1.0, -1.0, -1.0])
LONGEST = 10_000  # bytes; a pose takes about 150


def biwi(folder: str | Path, strict: bool = False) -> pd.DataFrame:
    """Read a BIWI folder into a label table of head pose in degrees; the frames of one person are one group.

    Frames whose pose is missing or no rotation are listed in `attrs["skipped"]`; with `strict` the first is an error.
    """
    folder = folder_of(folder, "BIWI Kinect Head Pose, with 01 to 24")
    frames = [path for path in image_files(folder) if _FRAME.fullmatch(os.path.basename(path))]
    if not frames:
        raise LayoutError(
            f"{folder}: holds no frames; expected 01/frame_00003_rgb.png, 01/frame_00003_pose.txt and so on"
        )
    recordings = {path: os.path.basename(os.path.dirname(path)) for path in frames}
    people = {path: SAME_PERSON.get(recording, recording) for path, recording in recordings.items()}
    return pose_table("biwi", folder, people, read_pose, strict)


def read_pose(path: str | Path) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees from the pose file beside a frame."""
    name = _FRAME.fullmatch(os.path.basename(path))[1] + "_pose.txt"
    try:
        with open(Path(path).with_name(name), encoding="utf-8", errors="replace") as file:
            text = file.read(LONGEST)
    except FileNotFoundError:
        raise UserError(f"there is no {name} beside it") from None
    except OSError as error:
        raise UserError(f"{name} beside it cannot be read ({error.strerror})") from None
    try:
        return angles_of(parse_rotation(text))
    except UserError as error:
        raise UserError(f"{name} beside it: {error}") from None


def parse_rotation(text: str) -> np.ndarray:
    """Return the rotation matrix (3, 3) that the text of a pose file starts with."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    try:
        numbers = np.array(lines, dtype=np.float64)
    except ValueError:
        numbers = np.empty(0)
    if numbers.shape != (4, 3):
        raise UserError("expected three lines of a matrix and one of a place, three numbers each")
    matrix = numbers[:3]
    # Written with six digits, a rotation times its transpose is the identity up to far less than this.
    error = np.abs(matrix @ matrix.T - np.eye(3)).max() if np.abs(matrix).max() < 2 else np.inf
    if not error < 0.01 or np.linalg.det(matrix) < 0:
        raise UserError("its matrix is no rotation")
    return matrix


def angles_of(matrix: np.ndarray) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees of a rotation matrix (3, 3) in the camera's frame."""
    return tuple(rotations.angles_of(CAMERA @ matrix @ CAMERA).tolist())
