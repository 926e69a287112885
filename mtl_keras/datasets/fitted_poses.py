"""300W-LP and AFLW2000-3D: photos with the pose of a 3D face model that was fitted to them (Zhu et al., CVPR 2016).

Beside every `X.jpg` lies `X.mat`, whose `Pose_Para` (1, 7) starts with pitch, yaw and roll in radians, those of
`mtl_keras.rotations`. AFLW2000-3D has 2,000 photos, `image00002.jpg` and so on. 300W-LP has 122,450 images in AFW,
HELEN, IBUG and LFPW: each photo turned further and further away by the model, and all of that mirrored, under the same
names, in AFW_Flip and so on. `AFW_134212_1_3.jpg` is rendering 3 of face 1 of photo 134212; LFPW counts no faces.
Where a file has the model's 68 landmarks, `pt2d` (2, 68) or AFLW2000-3D's `pt3d_68` (3, 68), they give each face its
`box` (`mtl_keras.boxes`), so that the heads are cut out as well that no detector finds because they turn too far.
Articles on head pose leave out images with an angle beyond 99 degrees (31 of AFLW2000-3D): so is the default here.
The data (for research) are at http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm.
"""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.boxes import box_texts
from mtl_keras.datasets.matlab import read_mat
from mtl_keras.datasets.poses import pose_table
from mtl_keras.errors import LayoutError, UserError
from mtl_keras.files import folder_of, image_files

PARAMETERS = 7
# The names of either set: both have a .mat beside each image.
NAMES = {
    "w300lp": (re.compile(r".*_[0-9]+"), "AFW_134212_1_3.jpg"),
    "aflw2000": (re.compile(r"image[0-9]+"), "image00002.jpg"),
}
# Their variables, and how many numbers each of the 68 points has; that of the larger set first: each is a reading.
LANDMARKS = {"pt2d": 2, "pt3d_68": 3}
# From the extent of the landmarks, brows to chin, to the box of a face: left, top, width and height, as shares of the
# extent's sides. Medians over 16 photos of AFLW2000-3D, made symmetric; those of MTCNN and YuNet differ by up to 0.02.
BOX = np.array([0.03, -0.30, 0.94, 1.28])
_RENDERING = re.compile(r"_[0-9]+$")
# Photos are numbered with three digits or more, faces of one photo with one or two.
_FACE = re.compile(r"(?<=[0-9])_[0-9]{1,2}$")


def w300lp(folder: str | Path, strict: bool = False, maximum_angle: float = 99.0) -> pd.DataFrame:
    """Read a 300W-LP folder into a label table of head pose in degrees; all that was made from one photo is one group.

    A face whose landmarks are there has a `box`.
    Images without a pose that can be read, or with an angle beyond `maximum_angle`, are listed in `attrs["skipped"]`.
    With `strict` the first of the former is an error.
    """
    folder = folder_of(folder, "300W-LP, with AFW, HELEN, IBUG, LFPW and their _Flip folders")
    groups = {path: photo_of(_stem(path)) for path in image_files(folder)}
    return _fitted("w300lp", folder, groups, strict, maximum_angle)


def aflw2000(folder: str | Path, strict: bool = False, maximum_angle: float = 99.0) -> pd.DataFrame:
    """Read an AFLW2000-3D folder into a label table of head pose in degrees.

    A face whose landmarks are there has a `box`.
    Images without a pose that can be read, or with an angle beyond `maximum_angle`, are listed in `attrs["skipped"]`.
    With `strict` the first of the former is an error.
    """
    folder = folder_of(folder, "AFLW2000-3D, with image00002.jpg, image00002.mat and so on")
    groups = {path: path for path in image_files(folder)}
    return _fitted("aflw2000", folder, groups, strict, maximum_angle)


def photo_of(stem: str) -> str:
    """Return the photo that a rendering of 300W-LP was made from: AFW_134212 for AFW_134212_1_3."""
    return _FACE.sub("", _RENDERING.sub("", stem))


def read_pose(path: str | Path) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees from the `.mat` beside an image."""
    file = _mat_beside(path)
    mat = file.name
    try:
        found = np.asarray(read_mat(file, "Pose_Para"))
    except UserError as error:
        raise UserError(f"{mat} beside it: {error}") from None
    if found.dtype.kind not in "fiu" or found.shape != (PARAMETERS,):
        raise UserError(f"{mat} beside it: Pose_Para is not {PARAMETERS} numbers")
    pitch, yaw, roll = angles = np.degrees(found[:3].astype(np.float64)).tolist()
    # Of numbers with a NaN among them Python's `max` may be any.
    if not np.abs(angles).max() <= 360:
        raise UserError(f"{mat} beside it: pitch, yaw and roll in Pose_Para are no angles in radians")
    return yaw, pitch, roll


def read_box(path: str | Path) -> np.ndarray:
    """Return the box (4,) of the face by its landmarks in the `.mat` beside an image, all NaN where it has none."""
    for name, numbers in LANDMARKS.items():
        try:
            points = np.asarray(read_mat(_mat_beside(path), name))
        except UserError:
            continue  # The pose was read from this file, so only the landmarks are missing.
        if points.dtype.kind in "fiu" and points.shape == (numbers, 68) and np.isfinite(points).all():
            low, high = points[:2].min(axis=1), points[:2].max(axis=1)
            sides = high - low
            # Landmarks that are all zero give no box.
            return np.concatenate([low + BOX[:2] * sides, BOX[2:] * sides]) if sides.all() else np.full(4, np.nan)
    return np.full(4, np.nan)


def _fitted(source: str, folder: Path, groups: dict[str, str], strict: bool, maximum_angle: float) -> pd.DataFrame:
    pattern, such = NAMES[source]
    # Other sets, such as RAF-DB, call their images alike.
    if not any(pattern.fullmatch(_stem(path)) and os.path.isfile(_mat_beside(path)) for path in groups):
        raise LayoutError(f"{folder}: holds no image that is called such as {such}, with a .mat file beside it")
    table = pose_table(source, folder, groups, read_pose, strict, maximum_angle)
    boxes = box_texts(np.array([read_box(path) for path in table["path"]]))
    if boxes.notna().any():
        table.insert(table.columns.get_loc("group") + 1, "box", boxes)
    return table


def _mat_beside(path: str | Path) -> Path:
    return Path(path).with_suffix(".mat")


def _stem(path: str | Path) -> str:
    return os.path.splitext(os.path.basename(path))[0]
