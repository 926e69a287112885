"""The readers of 300W-LP and AFLW2000-3D: angles from the .mat beside each image, and groups by photo."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from mtl_keras.boxes import box_numbers, refuse_boxes
from mtl_keras.datasets.fitted_poses import aflw2000, photo_of, read_pose, w300lp
from mtl_keras.datasets.recognition import read_any
from mtl_keras.errors import UserError
from mtl_keras.rotations import rotation_of

ANGLES = ["head_pose.yaw", "head_pose.pitch", "head_pose.roll"]


NO_ANGLES = "pitch, yaw and roll in Pose_Para are no angles in radians"


def pose(pitch: float, yaw: float, roll: float) -> np.ndarray:
    return np.array([[pitch, yaw, roll, 229.7, 209.5, -110.9, 0.00145]])


def make_images(folder: Path, poses: dict[str, tuple[float, float, float] | None]) -> None:
    """Write an image and a .mat for each name and its yaw, pitch and roll in degrees; no .mat for None."""
    for name, pose in poses.items():
        image = folder / f"{name}.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.touch()
        if pose is not None:
            yaw, pitch, roll = np.radians(pose)
            parameters = np.array([[pitch, yaw, roll, 229.7, 209.5, -110.9, 0.00145]], np.float32)
            others = {"pt2d": np.zeros((2, 68)), "Exp_Para": np.zeros((29, 1)), "roi": np.ones((1, 4), np.int16)}
            savemat(image.with_suffix(".mat"), {"Pose_Para": parameters, **others}, do_compression=True)


def test_aflw2000_becomes_a_label_table(tmp_path):
    poses = {"image00002": (30.5, -10.25, 4), "image00004": (-70, 0, 0), "image00006": (0, 15, -99)}
    make_images(tmp_path, poses)
    table = aflw2000(tmp_path, strict=True)
    assert table.columns.tolist() == ["path", "source", "split", "group", *ANGLES]
    assert table["path"].tolist() == [str(tmp_path / f"{name}.jpg") for name in poses]
    np.testing.assert_allclose(table[ANGLES], list(poses.values()), atol=1e-4)
    assert table["group"].tolist() == [0, 1, 2] and table["source"].unique().tolist() == ["aflw2000"]
    assert table.attrs == {"skipped": [], "deviations": []}


def test_w300lp_groups_everything_that_was_made_from_one_photo(tmp_path):
    names = ["AFW/AFW_134212_1_0", "AFW/AFW_134212_1_13", "AFW/AFW_134212_2_0", "AFW/AFW_4512714865_1_3"]
    names += ["AFW_Flip/AFW_134212_1_0", "LFPW/LFPW_image_train_0737_13", "LFPW_Flip/LFPW_image_train_0737_2"]
    make_images(tmp_path / "300W_LP", {name: (number, 0, -number) for number, name in enumerate(names)})
    (tmp_path / "300W_LP" / "landmarks" / "AFW").mkdir(parents=True)
    savemat(tmp_path / "300W_LP" / "landmarks" / "AFW" / "AFW_134212_1_0_pts.mat", {"pts_2d": np.zeros((68, 2))})
    table = w300lp(tmp_path, strict=True)
    assert table["source"].unique().tolist() == ["w300lp"] and len(table) == len(names)
    assert table["group"].tolist() == [0, 0, 0, 1, 0, 2, 2]
    np.testing.assert_allclose(table["head_pose.yaw"], range(7), atol=1e-4)


def test_landmarks_give_the_box_of_a_face(tmp_path):
    names = ["image00002", "image00004", "image00006", "image00008"]
    make_images(tmp_path, dict.fromkeys(names, (60, 5, 0)))
    points = np.random.default_rng(0).uniform((100, 50), (180, 150), (68, 2)).T
    points[:, :2] = [(100, 180), (50, 150)]
    pose_of = {"Pose_Para": pose(0, 1, 0)}
    savemat(tmp_path / "image00002.mat", pose_of | {"pt2d": points})
    # As in AFLW2000-3D, where `pt2d` are 21 points, and those that cannot be seen are -1.
    savemat(tmp_path / "image00004.mat", pose_of | {"pt2d": -np.ones((2, 21)), "pt3d_68": [*points, np.arange(68)]})
    savemat(tmp_path / "image00006.mat", pose_of | {"pt2d": np.where(points == 50, np.nan, points)})
    table = aflw2000(tmp_path, strict=True)
    assert table["box"].fillna("").tolist() == ["102.4 20 75.2 128", "102.4 20 75.2 128", "", ""]
    with pytest.raises(UserError, match="has a `box`"):
        refuse_boxes(table)


@pytest.mark.parametrize(
    ("stem", "photo"),
    [
        ("AFW_134212_1_3", "AFW_134212"),
        ("HELEN_232194_1_16", "HELEN_232194"),
        ("IBUG_image_003_1_10", "IBUG_image_003"),
        ("IBUG_image_014_01_2", "IBUG_image_014"),
        ("LFPW_image_test_0001_15", "LFPW_image_test_0001"),
        ("LFPW_image_train_0001_0", "LFPW_image_train_0001"),
        ("portrait", "portrait"),
    ],
)
def test_photo_of_a_rendering(stem, photo):
    assert photo_of(stem) == photo


def test_images_beyond_the_largest_angle_are_skipped(tmp_path):
    make_images(tmp_path, {"image00002": (1, 2, 3), "image00004": (0, -120, 0), "image00006": (99.5, 0, 0)})
    table = aflw2000(tmp_path, strict=True)
    assert len(table) == 1
    assert [entry["reason"] for entry in table.attrs["skipped"]] == [
        "an angle of 120.0 degrees is beyond 99",
        "an angle of 99.5 degrees is beyond 99",
    ]
    assert len(aflw2000(tmp_path, maximum_angle=100)) == 2 and len(aflw2000(tmp_path, maximum_angle=180)) == 3


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (None, "no such file"),
        ({"pts_2d": np.zeros((68, 2))}, "has no variable Pose_Para"),
        ({"Pose_Para": np.zeros((3, 4))}, "Pose_Para is not 7 numbers"),
        ({"Pose_Para": np.array(["a"] * 7, dtype=object)}, "Pose_Para is not 7 numbers"),
        ({"Pose_Para": np.full((1, 7), 1j)}, "Pose_Para is not 7 numbers"),
        ({"Pose_Para": np.full((1, 7), np.nan)}, NO_ANGLES),
        *(({"Pose_Para": pose(*angles)}, NO_ANGLES) for angles in itertools.permutations((0.1, -0.2, np.nan))),
        *(({"Pose_Para": pose(*angles)}, NO_ANGLES) for angles in itertools.permutations((0.1, 3.0, np.nan))),
        *(({"Pose_Para": pose(*angles)}, NO_ANGLES) for angles in itertools.permutations((0.1, 0.2, -np.inf))),
        ({"Pose_Para": np.full((1, 7), 45.0)}, NO_ANGLES),
    ],
)
def test_image_without_a_pose_is_skipped(tmp_path, variables, reason):
    make_images(tmp_path, {"image00002": (1, 2, 3), "image00004": None})
    if variables is not None:
        savemat(tmp_path / "image00004.mat", variables)
    table = aflw2000(tmp_path)
    assert len(table) == 1
    expected = {"path": str(tmp_path / "image00004.jpg"), "reason": f"image00004.mat beside it: {reason}"}
    assert table.attrs["skipped"] == [expected]
    with pytest.raises(UserError, match=f"image00004.jpg: image00004.mat beside it: {reason}"):
        aflw2000(tmp_path, strict=True)


def test_either_set_is_told_from_the_other_by_its_names(tmp_path):
    for name, images in (("aflw2000", ["image00002"]), ("w300lp", ["AFW/AFW_134212_1_0"])):
        make_images(tmp_path / name, dict.fromkeys(images, (1, 2, 3)))
        assert read_any(tmp_path / name)["source"].tolist() == [name]
    with pytest.raises(UserError, match="holds no image that is called such as AFW_134212_1_3.jpg"):
        w300lp(tmp_path / "aflw2000")


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 500), st.integers(0, 500), st.binary(min_size=1, max_size=8))
def test_damaged_files_give_angles_or_a_one_line_reason(tmp_path_factory, length, place, change):
    folder = tmp_path_factory.mktemp("damaged")
    make_images(folder, {"image00002": (1, 2, 3)})
    mat = folder / "image00002.mat"
    contents = bytearray(mat.read_bytes())
    contents[place : place + len(change)] = change
    mat.write_bytes(contents[:length])
    try:
        assert np.isfinite(read_pose(folder / "image00002.jpg")).all()
    except UserError as error:
        assert str(error).startswith("image00002.mat beside it: ") and "\n" not in str(error)


@pytest.mark.realdata
def test_the_real_set_is_read_whole_and_has_the_documented_signs(real_data):
    table = aflw2000(real_data / "AFLW2000", strict=True)
    assert len(table) == len(list((real_data / "AFLW2000").glob("*.jpg"))) and table.attrs["skipped"] == []
    assert (table["box"].notna()).all()
    sides = box_numbers(table["box"])[:, 2:]
    assert ((sides[:, 1] / sides[:, 0] > 0.8) & (sides[:, 1] / sides[:, 0] < 2)).all()
    heads = []
    for path, pose in zip(table["path"], table[ANGLES].to_numpy(), strict=True):
        points = loadmat(Path(path).with_suffix(".mat"))["pt3d_68"].T * (1, -1, 1)  # (68, 3), y up, z to the viewer
        points = (points - points.mean(0)) @ rotation_of(pose)  # turned back
        heads.append(points / np.sqrt(np.mean(np.sum(points**2, axis=1))))
    # All faces look straight into the camera then, and alike. Of all signs and orders of turns only these give less
    # than 0.12.
    assert np.sqrt(np.mean(np.sum(np.var(heads, axis=0), axis=1))) < 0.08
    (nose, *_), right_eye, left_eye, mouth = (np.mean(heads, axis=0)[part] for part in
                                              ([30], slice(36, 42), slice(42, 48), slice(48, 60)))  # fmt: skip
    assert nose[2] > 0.5 and right_eye.mean(0)[0] < -0.4 and left_eye.mean(0)[0] > 0.4
    assert right_eye.mean(0)[1] > 0.2 and mouth.mean(0)[1] < -0.2
