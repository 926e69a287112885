"""Label tables of head pose: yaw, pitch and roll in degrees, of the signs and the order of `mtl_keras.rotations`."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mtl_keras.datasets.files import label_table
from mtl_keras.errors import UserError, printable
from mtl_keras.tasks import HEAD_POSE


def pose_table(
    source: str,
    folder: Path,
    groups: Mapping[str, str],
    read_pose: Callable[[str], tuple[float, float, float]],
    strict: bool = False,
    maximum_angle: float = np.inf,
) -> pd.DataFrame:
    """Return the label table of a set that labels nothing but the head's pose; `groups` gives each image's group.

    `read_pose` returns yaw, pitch and roll in degrees, or raises a `UserError` with the reason why it cannot: such an
    image is skipped, since nothing is known of it, and with `strict` it is an error. Images with an angle beyond
    `maximum_angle` are skipped as well, but that rule is the caller's own and no mistake in the data.
    """
    if not maximum_angle > 0:
        raise UserError(f"maximum_angle {maximum_angle!r}: expected degrees above 0; infinity keeps every image")
    paths, poses, skipped = [], [], []
    for path in sorted(groups):
        # A name that is not valid UTF-8 can stand neither in a table nor on the screen.
        readable = printable(path)
        try:
            if path != readable:
                raise UserError("the name is not valid UTF-8")
            pose = read_pose(path)
            if not np.isfinite(pose).all():
                raise UserError(f"yaw, pitch and roll are {', '.join(f'{angle:g}' for angle in pose)}, not all numbers")
        except UserError as error:
            if strict:
                raise UserError(f"{readable}: {error}; mend or remove it, or read without strict") from None
            skipped.append({"path": readable, "reason": str(error)})
            continue
        largest = max(map(abs, pose))
        if largest > maximum_angle:
            reason = f"an angle of {largest:.1f} degrees is beyond {maximum_angle:g}"
            skipped.append({"path": path, "reason": reason})
            continue
        paths.append(path)
        poses.append(pose)
    if not paths:
        first = skipped[0]
        raise UserError(f"{folder}: none of its {len(skipped)} images can be used; {first['path']}: {first['reason']}")
    labels = dict(zip(HEAD_POSE.columns, np.array(poses, np.float64).T, strict=True))
    return label_table(source, paths, labels, group=[groups[path] for path in paths], skipped=skipped)
