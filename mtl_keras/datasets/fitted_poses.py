"""300W-LP and AFLW2000-3D: photos with the pose of a 3D face model that was fitted to them (Zhu et al., CVPR 2016).

Beside every `X.jpg` lies `X.mat`, whose `Pose_Para` (1, 7) starts with pitch, yaw and roll in radians, those of
`mtl_keras.rotations`. AFLW2000-3D has 2,000 photos, `image00002.jpg` and so on. 300W-LP has 122,450 images in AFW,
HELEN, IBUG and LFPW: each photo turned further and further away by the model, and all of that mirrored, under the same
names, in AFW_Flip and so on. `AFW_134212_1_3.jpg` is rendering 3 of face 1 of photo 134212; LFPW counts no faces.
Articles on head pose leave out images with an angle beyond 99 degrees (31 of AFLW2000-3D): so is the default here.
The data (for research) are at http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm.
"""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.matlab import read_mat
from mtl_keras.datasets.poses import pose_table
from mtl_keras.errors import UserError
from mtl_keras.files import folder_of, image_files

PARAMETERS = 7
_RENDERING = re.compile(r"_[0-9]+$")
# Photos are numbered with three digits or more, faces of one photo with one or two.
_FACE = re.compile(r"(?<=[0-9])_[0-9]{1,2}$")


def w300lp(folder: str | Path, strict: bool = False, maximum_angle: float = 99.0) -> pd.DataFrame:
    """Read a 300W-LP folder into a label table of head pose in degrees; all that was made from one photo is one group.

    Images without a pose that can be read, or with an angle beyond `maximum_angle`, are listed in `attrs["skipped"]`.
    With `strict` the first of the former is an error.
    """
    folder = folder_of(folder, "300W-LP, with AFW, HELEN, IBUG, LFPW and their _Flip folders")
    groups = {path: photo_of(_stem(path)) for path in image_files(folder)}
    return _fitted("w300lp", folder, groups, strict, maximum_angle)


def aflw2000(folder: str | Path, strict: bool = False, maximum_angle: float = 99.0) -> pd.DataFrame:
    """Read an AFLW2000-3D folder into a label table of head pose in degrees.

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
    mat = _stem(path) + ".mat"
    try:
        found = np.asarray(read_mat(Path(path).with_name(mat), "Pose_Para"))
    except UserError as error:
        raise UserError(f"{mat} beside it: {error}") from None
    if found.dtype.kind not in "fiu" or found.shape != (PARAMETERS,):
        raise UserError(f"{mat} beside it: Pose_Para is not {PARAMETERS} numbers")
    pitch, yaw, roll = angles = np.degrees(found[:3].astype(np.float64)).tolist()
    # Of numbers with a NaN among them Python's `max` may be any.
    if not np.abs(angles).max() <= 360:
        raise UserError(f"{mat} beside it: pitch, yaw and roll in Pose_Para are no angles in radians")
    return yaw, pitch, roll


def _fitted(source: str, folder: Path, groups: dict[str, str], strict: bool, maximum_angle: float) -> pd.DataFrame:
    if not groups:
        raise UserError(f"{folder}: holds no image files; expected images with a .mat file beside each")
    return pose_table(source, folder, groups, read_pose, strict, maximum_angle)


def _stem(path: str | Path) -> str:
    return os.path.splitext(os.path.basename(path))[0]
